"""Our registries, and those of others that bases come from: they answer, and let us do what we have to."""

from collections.abc import Iterable, Iterator, Sequence

from graph.reference import Reference
from groundswell.doctor.check import Check, bad, ok, skipped
from groundswell.errors import GroundswellError
from groundswell.registry.port import Registry
from groundswell.registry.rights import Rights

_NEEDED = {"pull": "AcrPull", "push": "AcrPush", "metadata_read": "AcrPull"}
_MOST = 20
"""Hosts of others that are asked."""


def look(registry: str, repositories: Sequence[str], rights: Rights, *, deletes: bool) -> Iterator[Check]:
    """`repositories` are those of registered images there, of which the first is asked about."""
    name = f"registry {registry}"
    repository = repositories[0] if repositories else "groundswell/doctor"
    actions = (*_NEEDED, *(("delete",) if deletes else ()))
    missing = rights.missing(registry, repository, actions)
    if missing:
        roles = sorted({_NEEDED.get(each, "AcrDelete") for each in missing})
        more = "" if roles != ["AcrDelete"] else ", or set GROUNDSWELL_KEEP_CANDIDATES_DAYS=0"
        fix = f"give the app's identity the role {' and '.join(roles)} on it{more}"
        yield bad(name, f"we may not {', '.join(missing)} in {repository}", fix)
    else:
        yield ok(name, f"we may {', '.join(actions)} in {repository}")


def elsewhere(bases: Iterable[str], ours: Iterable[str], registry: Registry) -> Iterator[Check]:
    """One base of each host that is not ours, read as the reconcile timer reads it."""
    own = set(ours)
    asked: dict[str, Reference] = {}
    for base in bases:
        reference = Reference.parse(base)
        if reference.registry not in own:
            asked.setdefault(reference.registry, reference)
    for host, reference in sorted(asked.items())[:_MOST]:
        name = f"bases on {host}"
        fix = "is it reached from here, and does it need an entry in GROUNDSWELL_EXTERNAL_REGISTRIES?"
        try:
            digest = registry.digest(reference)
        except GroundswellError as exc:
            yield bad(name, str(exc), fix)
            continue
        if digest is None:
            yield bad(name, f"there is no {reference}", "`groundswell lineage show` names what stands on it")
        else:
            yield ok(name, f"{reference} can be read")
    if not asked:
        yield skipped("bases elsewhere", "all bases are in our own registries")
