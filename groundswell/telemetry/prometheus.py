"""The metrics as Prometheus scrapes them: what this instance counted, and saw at the sweep's last look."""

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE: str = CONTENT_TYPE_LATEST


class Prometheus:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.reader = PrometheusMetricReader(registry=self._registry)

    def text(self) -> bytes:
        """Asks nobody, so it may be scraped as often as one likes."""
        return generate_latest(self._registry)
