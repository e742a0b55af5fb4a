"""Counters and histograms of what happens, and the gauges that the sweep's look fills."""

import threading
from collections.abc import Callable, Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation
from opentelemetry.sdk.metrics import MeterProvider

from groundswell.cascade.model import Rebuild
from groundswell.cascade.push import Result
from groundswell.cascade.records import Header
from groundswell.cascade.status import Status
from groundswell.clock import Clock
from groundswell.telemetry import names
from groundswell.telemetry.lives import Stay
from groundswell.telemetry.names import STAGES, Attribute, Metric

FRESH = 150.0
"""Seconds for which a look is told: after that another instance looks, or nobody, which is to be seen."""

type Level = tuple[Mapping[Attribute, str], float]
type Levels = Mapping[Metric, Iterable[Level]]

_GOOD = frozenset({Status.DONE, Status.UNCHANGED})


class Measures:
    def __init__(self, provider: MeterProvider, clock: Clock) -> None:
        meter = provider.get_meter(names.NAME)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._levels: dict[Metric, tuple[Level, ...]] = {}
        self._timers: dict[str, float] = {}
        self._counters: dict[Metric, Counter] = {}
        self._histograms: dict[Metric, Histogram] = {}
        for metric in names.METRICS:
            if metric.kind == "counter":
                self._counters[metric] = meter.create_counter(metric.name, metric.unit, metric.about)
            elif metric.kind == "histogram":
                self._histograms[metric] = meter.create_histogram(
                    metric.name, metric.unit, metric.about, explicit_bucket_boundaries_advisory=_BOUNDS
                )
            else:
                meter.create_observable_gauge(metric.name, [self._told(metric)], metric.unit, metric.about)

    def dealt(self, result: Result) -> None:
        self._count(names.PUSHES, {Attribute.RESULT: result.value})

    def moved(self, old: Rebuild, new: Rebuild, stays: Iterable[Stay]) -> None:
        for stay in stays:
            if name := STAGES.get(stay.moment.status):
                attributes: dict[str, str] = {
                    Attribute.STAGE: name.value,
                    Attribute.OUTCOME: stay.then.status.value,
                }
                seconds = max(0.0, stay.then.at - stay.moment.at)
                self._histograms[names.STAGE_DURATION].record(seconds, attributes)
            if stay.then.status is Status.FAILED and new.failed_stage is not None:
                self._count(names.FAILURES, {Attribute.STAGE: new.failed_stage.value})
        if new.verdict and new.verdict != old.verdict:
            self._count(names.VERDICTS, {Attribute.PASSED: str(bool(new.verdict.get("passed"))).lower()})
        if new.back and not old.back:
            self._count(names.ROLLBACKS, {})

    def ended(self, header: Header, states: Mapping[str, Rebuild]) -> None:
        if header.ended_at is None:
            return
        whole = all(state.status in _GOOD for state in states.values())
        lag = max(0.0, header.ended_at - header.went_in[0].at)
        self._histograms[names.CASCADE_LAG].record(lag, {Attribute.OUTCOME: "done" if whole else "incomplete"})

    def gave_up(self, queue: str) -> None:
        self._count(names.GIVEN_UP, {Attribute.QUEUE: queue})

    def timer(self, name: str) -> None:
        with self._lock:
            self._timers[name] = self._clock()

    def look(self, levels: Levels) -> None:
        """What the gauges tell for the next while."""
        with self._lock:
            self._levels = {metric: tuple(found) for metric, found in levels.items()}
            self._looked_at = self._clock()

    def _count(self, metric: Metric, attributes: Mapping[Attribute, str]) -> None:
        self._counters[metric].add(1, {key.value: value for key, value in attributes.items()})

    def _told(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def told(_: CallbackOptions) -> Iterable[Observation]:
            with self._lock:
                if metric is names.TIMER_SUCCESS:
                    return [Observation(at, {Attribute.TIMER: name}) for name, at in self._timers.items()]
                if self._clock() - self._looked_at > FRESH:
                    return []
                found = self._levels.get(metric, ())
                return [Observation(value, {k.value: v for k, v in about.items()}) for about, value in found]

        return told


_BOUNDS = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21_600, 86_400)
"""In seconds: from a promotion to a rollout that waits for a day."""
