"""Sets telemetry up from the settings: where traces, metrics and logs go. Imported only when any of them goes.

The providers are our own and no library's are turned on: what is sent is what docs/telemetry.md lists. The standard
OTEL_* variables say the rest (service name, sampler, endpoint, headers, intervals).
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from groundswell.clock import Clock
from groundswell.errors import InputError
from groundswell.telemetry import correlation
from groundswell.telemetry.contexts import Ids
from groundswell.telemetry.names import NAME
from groundswell.telemetry.observer import Telemetry
from groundswell.version import version

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from opentelemetry.sdk._logs.export import LogRecordExporter

OURS = ("groundswell", "functions")
"""The loggers whose records are sent."""
_CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"


def start(
    kind: str, *, credential: "Callable[[], TokenCredential]", clock: Clock, readers: Sequence[MetricReader] = ()
) -> Telemetry:
    """`kind` as GROUNDSWELL_TELEMETRY has it; `readers` are others that want the metrics.

    Raises InputError when a setting that it needs is missing.
    """
    resource = _resource()
    tracers = TracerProvider(resource=resource, id_generator=Ids())
    more: list[MetricReader] = []
    match kind:
        case "console":
            tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr, formatter=_line)))
            more.append(PeriodicExportingMetricReader(ConsoleMetricExporter(out=sys.stderr)))
        case "otlp":
            spans, metrics, logs = _otlp()
            tracers.add_span_processor(BatchSpanProcessor(spans))
            more.append(metrics)
            _send_logs(logs, resource)
        case "azure":
            spans, metrics, logs = _azure(credential())
            tracers.add_span_processor(BatchSpanProcessor(spans))
            more.append(metrics)
            _send_logs(logs, resource)
            for name in OURS:
                logging.getLogger(name).propagate = False  # the worker would send them again, without fields
    correlation.mark()
    meters = MeterProvider(metric_readers=[*readers, *more], resource=resource)
    return Telemetry(tracers, meters, clock)


def _resource() -> Resource:
    ours = {SERVICE_VERSION: version()}
    if "OTEL_SERVICE_NAME" not in os.environ and "service.name=" not in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        ours[SERVICE_NAME] = NAME
    return Resource.create(ours)


def _line(span: object) -> str:
    return f"{span.to_json(indent=None)}\n"  # type: ignore[attr-defined]  # a ReadableSpan


def _otlp() -> "tuple[SpanExporter, MetricReader, LogRecordExporter]":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(), PeriodicExportingMetricReader(OTLPMetricExporter()), OTLPLogExporter()


def _azure(credential: "TokenCredential") -> "tuple[SpanExporter, MetricReader, LogRecordExporter]":
    """By identity: Application Insights takes no key (infra/modules/monitoring.bicep)."""
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    connection = os.environ.get(_CONNECTION)
    if not connection:
        raise InputError(f"GROUNDSWELL_TELEMETRY is azure, so {_CONNECTION} must say where telemetry goes")
    given = {"connection_string": connection, "credential": credential}
    return (
        AzureMonitorTraceExporter(**given),
        PeriodicExportingMetricReader(AzureMonitorMetricExporter(**given)),
        AzureMonitorLogExporter(**given),
    )


def _send_logs(exporter: "LogRecordExporter", resource: Resource) -> None:
    from opentelemetry.instrumentation.logging.handler import LoggingHandler
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    from groundswell.telemetry.masking import Masking

    provider = LoggerProvider(resource=resource)
    provider.add_log_record_processor(Masking())
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    handler = LoggingHandler(level=logging.INFO, logger_provider=provider)
    for name in OURS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
