"""What happens, as spans and metrics: the observer that the cascade's code tells."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from groundswell.cascade.gathering import Gathered
from groundswell.cascade.model import Rebuild
from groundswell.cascade.observing import Answered, Dealt
from groundswell.cascade.push import Push, Result
from groundswell.cascade.records import Header
from groundswell.clock import Clock
from groundswell.telemetry.lives import stays
from groundswell.telemetry.measures import Levels, Measures
from groundswell.telemetry.spans import Spans


class Telemetry:
    """An `Observer`. Threads share one. What is still to be sent is sent when the process ends, or at `close`."""

    def __init__(self, tracers: TracerProvider, meters: MeterProvider, clock: Clock) -> None:
        self._providers = (tracers, meters)
        self._spans = Spans(tracers, clock)
        self._measures = Measures(meters, clock)

    def request(self, method: str, route: str) -> AbstractContextManager[Answered]:
        return self._spans.request(method, route)

    def receiving(self, push: Push) -> AbstractContextManager[str]:
        return self._spans.receiving(push)

    @contextmanager
    def dealing(self, push: Push) -> Iterator[Dealt]:
        with self._spans.dealing(push) as seen:

            def dealt(result: Result) -> None:
                seen(result)
                self._measures.dealt(result)

            yield dealt

    def planning(self, cascade: str, pushes: Sequence[Gathered], *, joins: str = "") -> AbstractContextManager[str]:
        return self._spans.planning(cascade, pushes, joins=joins)

    def working(self, state: Rebuild) -> AbstractContextManager[None]:
        return self._spans.working(state)

    def moved(self, old: Rebuild, new: Rebuild) -> None:
        passed = list(stays(old, new))
        for stay in passed:
            self._spans.ended(new, stay)
        self._measures.moved(old, new, passed)

    def ended(self, header: Header, states: Mapping[str, Rebuild]) -> None:
        self._measures.ended(header, states)

    def gave_up(self, queue: str) -> None:
        self._measures.gave_up(queue)

    def timer(self, name: str) -> None:
        self._measures.timer(name)

    def look(self, levels: Levels) -> None:
        self._measures.look(levels)

    def close(self) -> None:
        for provider in self._providers:
            provider.shutdown()
