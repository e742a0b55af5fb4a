"""Telemetry in memory, told by the real engine on fakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from groundswell.cascade.observing import observe_with
from groundswell.telemetry.contexts import Ids
from groundswell.telemetry.observer import Telemetry
from tests.support.world import BASE, World, ref, registration, workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A world whose telemetry is kept."""

    world: World
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    telemetry: Telemetry

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if name in ("", span.name)]

    def one(self, name: str, **attributes: str) -> ReadableSpan:
        wanted = {f"groundswell.{key}": value for key, value in attributes.items()}
        (found,) = (s for s in self.spans(name) if wanted.items() <= dict(s.attributes or {}).items())
        return found

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """The data points of a metric: attributes, and the point."""
        data = self.reader.get_metrics_data()
        return [
            (dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


def watch(world: World) -> Watched:
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers = TracerProvider(id_generator=Ids(), shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    telemetry = Telemetry(tracers, meters, lambda: world.time)
    observe_with(telemetry)
    return Watched(world=world, exporter=exporter, reader=reader, telemetry=telemetry)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    world = World(
        tmp_path,
        registration("bottom", BASE),
        registration("top", ref("bottom"), deployments=[workload("top")]),
        settle=30.0,
    )
    try:
        yield watch(world)
    finally:
        observe_with(None)
        world.close()
