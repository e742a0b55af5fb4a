"""All that is checked of a product, and its answer, which is kept for a few seconds: each look costs many calls."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

from groundswell.cascade.intake import logged
from groundswell.clock import Clock
from groundswell.deploy.port import Kind as WorkloadKind
from groundswell.deploy.port import Workload
from groundswell.doctor import (
    backlog,
    building,
    channels,
    clocks,
    clusters,
    names,
    registries,
    scanners,
    signing,
    storage,
    timers,
    webhooks,
)
from groundswell.doctor.check import Check, skipped
from groundswell.doctor.runner import Probe, Runner
from groundswell.scanners import Kind, ScannerSettings
from groundswell.wiring import App

KEPT = 10.0
"""Seconds for which the same is told again."""
_SLOW = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """`at` is when it was made, in seconds since the epoch."""

    at: float
    checks: tuple[Check, ...]


class Doctor:
    """Safe to share between threads: one of them looks, the others wait for what it finds.

    `monotonic` goes on by itself whatever the time of day is; `environ` is where settings are read from.
    """

    def __init__(self, product: App, monotonic: Clock, environ: Mapping[str, str] | None = None) -> None:
        self._product = product
        self._monotonic = monotonic
        self._environ = os.environ if environ is None else environ
        self._runner = Runner()
        self._lock = threading.Lock()
        self._kept: tuple[float, Examination] | None = None

    def examine(self) -> Examination:
        with self._lock:
            if self._kept is None or self._monotonic() - self._kept[0] >= KEPT:
                at = self._product.clock()
                found = Examination(at=at, checks=self._runner.run(list(probes(self._product, self._environ))))
                self._kept = (self._monotonic(), found)
            return self._kept[1]


def probes(product: App, environ: Mapping[str, str]) -> Iterator[Probe]:
    """What there is to be checked, by the settings. No service is asked yet."""
    settings, clock = product.settings, product.clock
    storage_fix = "does GROUNDSWELL_STORE name it, is it reached from here, and may we write (docs/azure.md#roles)?"

    def probe(name: str, look: Callable[[], Iterator[Check]], fix: str) -> Probe:
        return Probe(name=name, look=look, fix=fix)

    yield probe("settings", lambda: names.look(environ, settings), "see docs/settings.md")
    yield probe("store", lambda: storage.look(product.store), storage_fix)
    yield probe("versions", lambda: storage.versions(product.store), storage_fix)
    yield probe("queues", lambda: backlog.look(product.store, clock), storage_fix)
    yield probe("poison messages", lambda: backlog.poison(product.store, clock), storage_fix)
    yield probe("timers", lambda: timers.look(product.timers.all(), clock()), storage_fix)
    yield probe("clock", lambda: clocks.look(_clocks(product), product.dates, clock), "is NTP running?")
    yield from _registries(product)
    yield from _builders(product)
    yield from _scanners(product)
    yield from _clusters(product)
    yield probe(
        "signing key", lambda: signing.look(product.signer), "see GROUNDSWELL_SIGNING_KEY in docs/admission.md"
    )
    yield probe(
        "notices",
        lambda: channels.look(settings.notify, (each for _, each in product.notices.listed()), clock()),
        storage_fix,
    )


def _clocks(product: App) -> list[str]:
    urls = [f"https://{host}/v2/" for host in product.settings.registries]
    return urls + ([product.settings.table_uri] if product.settings.table_uri else [])


def _registries(product: App) -> Iterator[Probe]:
    settings, clock = product.settings, product.clock

    def rights(host: str) -> Iterator[Check]:
        there = sorted(image.repository for image in product.catalog.each() if image.registry == host)
        yield from registries.look(host, there, product.rights, deletes=settings.keep_candidates_days > 0)

    def announced(host: str) -> Iterator[Check]:
        log = (record.value for record in islice(logged(product.store), webhooks.LINES))
        header = settings.webhook_header
        yield from webhooks.look(host, log, now=clock(), header=header)
        if host in product.deliveries.registries():
            yield from webhooks.failed(host, product.deliveries.failed(host), now=clock(), header=header)

    def elsewhere() -> Iterator[Check]:
        with product.catalog.lineage() as lineage:
            bases = lineage.bases()
        yield from registries.elsewhere(bases, settings.registries, product.registry)

    for host in settings.registries:
        fix = "is it reached from here, and has the app's identity the role AcrPush on it?"
        yield Probe(name=f"registry {host}", look=partial(rights, host), fix=fix)
        fix = "the registry's record of its webhooks needs the role Groundswell Builder (docs/azure.md#roles)"
        yield Probe(name=f"webhook {host}", look=partial(announced, host), fix=fix)
    if not settings.registries:
        yield _absent("registry", "GROUNDSWELL_REGISTRIES names none", "name those that images are pushed to")
    fix = "`groundswell lineage show` names the bases"
    yield Probe(name="bases elsewhere", look=elsewhere, fix=fix)


def _builders(product: App) -> Iterator[Probe]:
    for host in product.settings.registries:
        fix = (
            "has the identity the role Container Registry Tasks Contributor, and is GROUNDSWELL_ARM_ENDPOINT right?"
        )
        look = partial(lambda host: building.tasks(host, product.tasks), host)
        yield Probe(name=f"builds in {host}", look=look, fix=fix)
    for name, make in product.pipelines.items():
        fix = f"see the builder {name} in GROUNDSWELL_BUILDERS (docs/pipelines.md)"
        look = partial(lambda name, make: building.pipeline(name, make()), name, make)
        yield Probe(name=f"builder {name}", look=look, fix=fix)


def _scanners(product: App) -> Iterator[Probe]:
    settings = product.settings
    set_up = settings.scanners or {"trivy": ScannerSettings(kind=Kind.BINARY)}
    fix = "an image that cannot be scanned is never promoted: see docs/gate.md"

    def look(name: str, each: ScannerSettings) -> Iterator[Check]:
        if each.kind is Kind.BINARY:
            yield from scanners.binary(settings.trivy, settings.trivy_cache, product.clock)
        elif each.kind is Kind.DEFENDER:
            host = next(iter(settings.registries), "")
            yield from scanners.defender(name, product.make_scanner(name, each), host)
        else:
            yield from scanners.in_a_run(f"scanner {name}", each.image, product.registry)

    for name, each in set_up.items():
        yield Probe(name=f"scanner {name}", look=partial(look, name, each), fix=fix)


def _clusters(product: App) -> Iterator[Probe]:
    def of(cluster: str) -> list[Workload]:
        every = (each for image in product.catalog.each() for each in image.deployments)
        return [each for each in every if each.cluster == cluster and each.kind is not WorkloadKind.GIT]

    def git() -> Iterator[Check]:
        every = (each for image in product.catalog.each() for each in image.deployments)
        yield from clusters.repositories(
            (each for each in every if each.kind is WorkloadKind.GIT), product.deployer
        )

    fix = "see its entry in GROUNDSWELL_CLUSTERS: is it reached from here, and is its token good?"
    for name, each in product.settings.clusters.items():
        if each.via:
            slow = partial(lambda name: clusters.slowly(name, of(name), product.deployer), name)
            yield Probe(name=f"cluster {name}", look=slow, fix=fix, seconds=_SLOW)
            continue
        look = partial(
            lambda name, discover: clusters.look(name, of(name), product.permissions, discover=discover),
            name,
            each.discover,
        )
        yield Probe(name=f"cluster {name}", look=look, fix=fix)
    if not product.settings.clusters:
        yield _absent("cluster", "GROUNDSWELL_CLUSTERS names none", "without one, images are not rolled out by us")
    yield Probe(name="git", look=git, fix="see GROUNDSWELL_GIT (docs/gitops.md)")


def _absent(name: str, says: str, fix: str) -> Probe:
    return Probe(name=name, look=lambda: iter([skipped(name, says, fix)]), fix=fix)
