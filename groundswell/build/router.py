"""Each build to the builder that its image names: ACR Tasks, or a pipeline of the setting GROUNDSWELL_BUILDERS.

The id of a pipeline's run is `NAME:ID`, so a run is found wherever it was begun, also when its image has another
builder by now. Ids of ACR Tasks have no colon, and are as they always were.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

from groundswell.build.hosts import check_source
from groundswell.build.port import Builder, BuildRequest, Run
from groundswell.errors import PermanentError, TemporaryError

logger = logging.getLogger(__name__)

_MARK = ":"


def builder_of(run_id: str) -> str:
    """The name of the builder that a run is of; empty for ACR Tasks."""
    return _split(run_id)[0]


class Pipeline(Protocol):
    """A pipeline that builds, for images of any registry. Raises as `Builder` does, and keeps no names.

    Every run is found by the name of its build for as long as its service keeps it.
    """

    def start(self, request: BuildRequest) -> Run:
        """Start the build, or return the run that an earlier start of the same name began."""
        ...

    def observe(self, run_id: str) -> Run: ...

    def cancel(self, run_id: str) -> None:
        """Ask the run to stop; nothing happens when it has ended."""
        ...

    def going_on(self) -> Mapping[str, Run]:
        """The runs that have not ended, by the name of their build; of two of one name, the older."""
        ...

    def log(self, run_id: str) -> str:
        """The run's log so far, as text; at most its last MAX_LOG bytes."""
        ...


class RoutedBuilder:
    """The Builder over all; `pipelines` makes each when it is first needed. Safe to share between threads.

    Nothing is built of a source that is not at one of `source_hosts`, when there are any.
    """

    def __init__(
        self,
        tasks: Builder,
        pipelines: Mapping[str, Callable[[], Pipeline]],
        *,
        source_hosts: Collection[str] = (),
    ) -> None:
        self._tasks = tasks
        self._source_hosts = source_hosts
        self._make = pipelines
        self._made: dict[str, Pipeline] = {}
        self._lock = threading.Lock()

    def start(self, request: BuildRequest) -> Run:
        check_source(request.source, self._source_hosts)
        if request.builder is None:
            return self._tasks.start(request)
        return _marked(request.builder, self._pipeline(request.builder).start(request))

    def observe(self, registry: str, run_id: str) -> Run:
        name, own = _split(run_id)
        return _marked(name, self._pipeline(name).observe(own)) if name else self._tasks.observe(registry, own)

    def cancel(self, registry: str, run_id: str) -> None:
        name, own = _split(run_id)
        if name:
            self._pipeline(name).cancel(own)
        else:
            self._tasks.cancel(registry, own)

    def log(self, registry: str, run_id: str) -> str:
        name, own = _split(run_id)
        return self._pipeline(name).log(own) if name else self._tasks.log(registry, own)

    def named(self, registry: str) -> Mapping[str, Run]:
        """See `Builder.named`. A pipeline that cannot be asked hides no other, and is left out."""
        found: dict[str, Run] = {}
        for name in self._make:
            try:
                runs = self._pipeline(name).going_on()
            except (TemporaryError, PermanentError) as exc:
                logger.warning("builds not listed", extra={"builder": name, "why": str(exc)})
                continue
            found |= {build: _marked(name, run) for build, run in runs.items()}
        return found | dict(self._tasks.named(registry))

    def forget(self, registry: str, name: str) -> None:
        """For ACR Tasks: pipelines keep no names."""
        self._tasks.forget(registry, name)

    def _pipeline(self, name: str) -> Pipeline:
        with self._lock:
            if name not in self._made:
                make = self._make.get(name)
                if make is None:
                    raise PermanentError(f"builder {name!r} is not in the setting GROUNDSWELL_BUILDERS")
                self._made[name] = make()
            return self._made[name]


def _split(run_id: str) -> tuple[str, str]:
    name, _, own = run_id.rpartition(_MARK)
    return name, own


def _marked(name: str, run: Run) -> Run:
    return replace(run, id=f"{name}{_MARK}{run.id}")
