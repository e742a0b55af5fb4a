"""What is looked up all over a registry and its clusters: one such survey at a time, within what a request takes.

What is stale is remembered for a minute, so that one page after the other tells of the same survey.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from graph.lineage import Lineage
from groundswell.api.problems import InvalidError
from groundswell.cascade.stale import Report, survey, unregistered
from groundswell.clock import Clock
from groundswell.errors import TemporaryError
from groundswell.lineage.discovery import Report as Discovery
from groundswell.lineage.discovery import discover
from groundswell.lineage.reading import Progress
from groundswell.wiring import App

REMEMBERED = 60.0
"""Seconds for which a survey of what is stale is told again."""
LONGEST = 200.0
"""Seconds that reading a registry may take: App Service ends a request after 230."""
_PATIENCE = 20.0
"""Seconds that a survey is waited for which somebody else has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """`at` is when it was looked at, in seconds since the epoch."""

    report: Report
    at: float


class Surveys:
    """`clock` goes on by itself whatever the time of day is; `patience` is in real seconds.

    `longest` is the seconds that reading a registry may take.
    """

    def __init__(self, product: App, clock: Clock, patience: float = _PATIENCE, longest: float = LONGEST) -> None:
        self._product = product
        self._clock = clock
        self._patience = patience
        self._longest = longest
        self._lock = threading.Lock()
        self._stale: dict[str, tuple[float, Stale]] = {}

    def stale(self, registry: str) -> Stale:
        """What is stale, with what nobody registered of `registry` when one is named.

        Raises TemporaryError while another survey is under way, InvalidError when the registry takes too long.
        """
        if known := self._remembered(registry):
            return known
        with self._alone():
            if known := self._remembered(registry):  # by whom was waited for
                return known
            product, at = self._product, self._product.clock()
            report = survey(
                catalog=product.catalog,
                bases=product.bases,
                records=product.engine.records,
                registry=product.registry,
                deployer=lambda: product.deployer,
            )
            if registry:
                lineage = self._lineage()
                strangers = unregistered(self._discover(registry, lineage), lineage, product.bases)
                report = replace(report, images=(*report.images, *strangers))
            found = Stale(report=report, at=at)
            self._stale = {registry: (self._clock(), found)}  # the last one only: it may be large
        return found

    def discover(self, registry: str, repositories: Sequence[str], newest: int | None) -> Discovery:
        """Who stands on whom in a registry. Raises as `stale`, and what `discover` raises."""
        with self._alone():
            return self._discover(registry, self._lineage(), repositories, newest)

    def _remembered(self, registry: str) -> Stale | None:
        looked_at, found = self._stale.get(registry, (0.0, None))
        return found if found is not None and 0 <= self._clock() - looked_at < REMEMBERED else None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=self._patience):
            raise TemporaryError("another survey is under way; ask again", delay=5.0)
        try:
            yield
        finally:
            self._lock.release()

    def _lineage(self) -> Lineage:
        return Lineage(item.node for item in self._product.catalog.each())

    def _discover(
        self, registry: str, lineage: Lineage, repositories: Sequence[str] = (), newest: int | None = None
    ) -> Discovery:
        return discover(
            self._product.registry,
            registry,
            lineage,
            repositories=repositories,
            newest=newest,
            progress=self._bounded(),
        )

    def _bounded(self) -> Progress:
        end = self._clock() + self._longest

        def on(what: str, done: int, total: int) -> None:
            if self._clock() > end:
                said = f"after {self._longest:.0f} s only {done} of {total} {what} were read"
                raise InvalidError([{"parameter": "registry", "detail": f"{said}; ask for less of it"}])

        return on
