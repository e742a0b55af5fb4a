"""Drift as the clusters have it now, in place of what the last rollouts noted."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from groundswell.cascade.workloads import Drift, Known, is_drift
from groundswell.clock import Clock
from groundswell.deploy.port import Deployer, parse
from groundswell.errors import GroundswellError
from groundswell.lineage.catalog import Catalog

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The workloads that drifted; `unread` has a line for each that could not be looked at."""

    drifted: tuple[Known, ...]
    unread: tuple[str, ...]


def look(workloads: Iterable[Known], *, deployer: Callable[[], Deployer], catalog: Catalog, clock: Clock) -> Looked:
    """Ask the clusters what these workloads run; `deployer` is made when there is one."""
    known = list(workloads)
    if not known:
        return Looked(drifted=(), unread=())
    clusters = deployer()

    def one(each: Known) -> Known | str | None:
        try:
            runs = clusters.observe(parse(each.workload)).image
            image = catalog.registration(each.image)
        except GroundswellError as exc:
            return str(exc)
        if not is_drift(each, runs, image):
            return None
        noted = each.drift.cascade if each.drift else ""
        return replace(each, drift=Drift(image=runs, at=clock(), cascade=noted))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(one, known))
    return Looked(
        drifted=tuple(each for each in found if isinstance(each, Known)),
        unread=tuple(each for each in found if isinstance(each, str)),
    )
