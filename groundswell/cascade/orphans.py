"""Stops runs that nobody waits for any more: a stop that was lost, a worker that died between start and save.

Builds have names of ours (`stages.run_name`), and the build service lists them. What a name does not tell to be
ours, of a cascade that we know, is somebody else's: another installation may share the registry. Scans
(`scan.task`) belong to images, not to cascades: they are left to end, and their names forgotten.
"""

import logging
import re
from collections.abc import Callable, Iterable

from groundswell.build.port import Builder, Run
from groundswell.cascade.engine import Engine
from groundswell.cascade.stages import run_name
from groundswell.cascade.status import Status
from groundswell.errors import NotFoundError, PermanentError, TemporaryError

logger = logging.getLogger(__name__)

_SCAN = re.compile(r"gs-scan-[0-9a-f]{40}")
_NAME = re.compile(r"gs-(?P<cascade>[0-9a-z]+)-[0-9a-f]{10}-\d+")
_WANTED = (Status.READY, Status.BUILDING)


class Orphans:
    """`builder` is made when it is needed; `registries` are the login servers whose builds are looked at.

    `tell` hears of each run (registry, id) before it is stopped.
    """

    def __init__(
        self,
        engine: Engine,
        builder: Callable[[], Builder],
        registries: Iterable[str],
        *,
        tell: Callable[[str, str], None] = lambda _registry, _run: None,
    ) -> None:
        self._engine = engine
        self._builder = builder
        self._registries = tuple(registries)
        self._tell = tell

    def stop(self) -> None:
        """Cancel every run whose rebuild has moved on, and forget the names of those that have ended."""
        for registry in self._registries:
            try:
                builds = self._builder().named(registry)
            except (TemporaryError, PermanentError) as exc:
                logger.warning("builds not listed", extra={"registry": registry, "why": str(exc)})
                continue
            for name in builds:
                if _SCAN.fullmatch(name) and builds[name].status.ended:
                    self._stop(registry, name, builds[name])  # whoever still waits for its report scans again
            ours = {name: found["cascade"] for name in builds if (found := _NAME.fullmatch(name))}
            for cascade in sorted(set(ours.values())):
                wanted = self._wanted(cascade)
                if wanted is not None:
                    for name in (name for name in ours if ours[name] == cascade and name not in wanted):
                        self._stop(registry, name, builds[name])

    def _wanted(self, cascade: str) -> set[str] | None:
        """The names of the builds that a cascade waits for; None for a cascade that we do not know.

        Read after the builds were listed, so that a run which has just been started is not taken for an orphan.
        """
        try:
            self._engine.records.header(cascade)
        except NotFoundError:
            return None
        return {run_name(state) for state in self._engine.records.rebuilds(cascade) if state.status in _WANTED}

    def _stop(self, registry: str, name: str, run: Run) -> None:
        fields = {"registry": registry, "build": name, "run": run.id}
        try:
            if run.status.ended:
                self._builder().forget(registry, name)
                logger.info("build name forgotten", extra=fields)
            else:
                self._tell(registry, run.id)
                self._builder().cancel(registry, run.id)
                logger.warning("orphaned run cancelled", extra=fields)
        except (TemporaryError, PermanentError) as exc:
            logger.warning("orphaned run not cancelled", extra={**fields, "why": str(exc)})
