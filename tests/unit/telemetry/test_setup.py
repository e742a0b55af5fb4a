"""Where telemetry goes, by the settings; and that nothing of it is imported when it goes nowhere."""

import gzip
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.credentials import AccessToken
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating import attributes as conventions

from functions import http
from groundswell.access.principal import Role
from groundswell.access.tokens import TokenBook
from groundswell.cascade.observing import Silent, observe_with, observer
from groundswell.cascade.push import Push
from groundswell.errors import InputError
from groundswell.local.paths import ROOT
from groundswell.logs import Fields
from groundswell.settings import parse
from groundswell.store.sqlite import SqliteStore
from groundswell.telemetry import setup
from groundswell.telemetry.names import Attribute
from groundswell.telemetry.observer import Telemetry
from groundswell.wiring import App

PUSH = Push(id="p1", registry="r.example", repository="a/b", tag="1", digest="sha256:1", source="webhook")


class Credential:
    def get_token(self, *scopes: str, **rest: Any) -> AccessToken:
        return AccessToken("token", 2_000_000_000)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The process's logging and observer are put back."""
    factory = logging.getLogRecordFactory()
    loggers = {name: logging.getLogger(name) for name in setup.OURS}
    before = {name: (list(each.handlers), each.level, each.propagate) for name, each in loggers.items()}
    yield
    logging.setLogRecordFactory(factory)
    for name, each in loggers.items():
        each.handlers[:], level, each.propagate = before[name]
        each.setLevel(level)
    observe_with(None)


def start(kind: str) -> Telemetry:
    return setup.start(kind, credential=Credential, clock=lambda: 1_800_000_000.0)


def some(telemetry: Telemetry) -> str:
    """A request with a push in it, and a line of the log; returns the push's trace context."""
    with telemetry.request("POST", "/webhooks/acr") as answered:
        with telemetry.receiving(PUSH) as trace:
            logging.getLogger("groundswell.test").warning("said", extra={"push": PUSH.id})
            try:
                raise ValueError("the server says: Authorization: Bearer planted")  # noqa: TRY301  # as a client would
            except ValueError:
                logging.getLogger("groundswell.test").exception(
                    "asked", extra={"why": "Authorization: Basic planted"}
                )
        answered(202)
    telemetry.timer("sweep")
    return trace


def test_without_telemetry_the_sdk_is_not_imported() -> None:
    code = (
        "import sys, function_app; from groundswell import wiring;"
        "app = wiring.App(wiring.settings.parse({'GROUNDSWELL_STORE': 'sqlite:///x.db'}));"
        "assert app.telemetry is None; app.look();"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'prometheus'))])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout
    assert output.strip() == "[]"


def test_nobody_is_told_by_default() -> None:
    assert isinstance(observer(), Silent)
    with observer().receiving(PUSH) as trace:
        assert trace == ""


@pytest.mark.parametrize("value", ["", "none"])
def test_none_is_the_default(value: str) -> None:
    settings = parse({"GROUNDSWELL_STORE": "sqlite:///x.db", "GROUNDSWELL_TELEMETRY": value})
    assert (settings.telemetry, settings.prometheus) == ("none", False)


def test_another_word_is_refused() -> None:
    with pytest.raises(InputError, match="GROUNDSWELL_TELEMETRY must be one of none, console, otlp, azure"):
        parse({"GROUNDSWELL_STORE": "sqlite:///x.db", "GROUNDSWELL_TELEMETRY": "jaeger"})


def test_on_the_console_each_span_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = start("console")
    some(telemetry)
    telemetry.close()
    spans = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"context": {"trace_id"' in line]
    assert [span["name"] for span in spans] == ["send pushes", "POST /webhooks/acr"]
    assert spans[0]["parent_id"] == spans[1]["context"]["span_id"]
    assert spans[1]["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/webhooks/acr",
        "http.response.status_code": 202,
    }
    assert spans[0]["resource"]["attributes"]["service.name"] == "groundswell"


class Collector:
    """Takes what is sent by OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: dict[str, list[bytes]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                outer.bodies.setdefault(self.path, []).append(plain)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:  # type: ignore[override]  # quiet
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_otlp_goes_where_the_standard_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "waves")
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "10")
    telemetry = start("otlp")
    try:
        trace = some(telemetry)
        logs = logging.getLogger("groundswell").handlers[-1]
        logs._logger_provider.force_flush()  # type: ignore[attr-defined]  # of LoggingHandler
        logs._logger_provider.shutdown()  # type: ignore[attr-defined]
        telemetry.close()
    finally:
        collector.close()
    assert set(collector.bodies) == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    sent = ExportTraceServiceRequest()
    sent.ParseFromString(collector.bodies["/v1/traces"][0])
    resource = {each.key: each.value.string_value for each in sent.resource_spans[0].resource.attributes}
    assert resource["service.name"] == "waves"
    trace_id = bytes.fromhex(trace.split("-")[1])
    assert {span.trace_id for span in sent.resource_spans[0].scope_spans[0].spans} == {trace_id}
    assert trace_id in collector.bodies["/v1/logs"][0]  # lines are found by their trace
    logs_sent = b"".join(collector.bodies["/v1/logs"])
    assert b"the server says" in logs_sent  # the traceback is sent, without the login in it
    assert not any(b"planted" in body for bodies in collector.bodies.values() for body in bodies)
    assert b"groundswell.timer.last_success" in collector.bodies["/v1/metrics"][-1]


def test_azure_needs_to_know_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APPLICATIONINSIGHTS_CONNECTION_STRING", raising=False)
    with pytest.raises(InputError, match="APPLICATIONINSIGHTS_CONNECTION_STRING"):
        start("azure")


def test_azure_gets_it_by_identity_and_logs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    sent: list[Any] = []

    class Exporter:
        def __init__(self, **kwargs: Any) -> None:
            given.append(kwargs)

        def export(self, items: Any, **rest: Any) -> Any:
            sent.append(items)

        def shutdown(self, *args: Any, **kwargs: Any) -> None:
            pass

        def force_flush(self, *args: Any, **kwargs: Any) -> bool:
            return True

        _preferred_temporality: dict[type, Any] = {}  # noqa: RUF012  # as a metric exporter has it
        _preferred_aggregation: dict[type, Any] = {}  # noqa: RUF012

    import azure.monitor.opentelemetry.exporter as exporters

    for signal in ("Trace", "Metric", "Log"):
        assert hasattr(exporters, f"AzureMonitor{signal}Exporter")
        monkeypatch.setattr(exporters, f"AzureMonitor{signal}Exporter", Exporter)
    monkeypatch.setenv("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=k")
    telemetry = start("azure")
    some(telemetry)
    telemetry.close()
    logging.getLogger("groundswell").handlers[-1]._logger_provider.shutdown()  # type: ignore[attr-defined]
    assert [each["connection_string"] for each in given] == ["InstrumentationKey=k"] * 3
    assert all(isinstance(each["credential"], Credential) for each in given)
    assert sent
    assert not logging.getLogger("groundswell").propagate


def test_log_lines_carry_their_trace() -> None:
    telemetry = start("none")
    lines: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(Fields().format(record))

    keeper = Keeper()
    logging.getLogger("groundswell").addHandler(keeper)
    trace = some(telemetry).split("-")
    logging.getLogger("groundswell.test").warning("outside")
    telemetry.close()
    assert f"trace_id={trace[1]} span_id={trace[2]}" in lines[0]
    assert "trace_id" not in lines[-1]


def test_attributes_that_are_not_ours_are_the_conventions() -> None:
    folder = Path(next(iter(conventions.__path__)))
    known = "\n".join(
        each.read_text() for each in (*folder.glob("*.py"), *folder.parents[1].glob("attributes/*.py"))
    )
    for attribute in Attribute:
        if not attribute.startswith("groundswell."):
            assert f'"{attribute.value}"' in known, attribute


# GET /metrics


def scraping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str = "yes") -> tuple[App, SqliteStore]:
    store = f"sqlite:///{tmp_path / 's.db'}"
    app = App(parse({"GROUNDSWELL_STORE": store, "GROUNDSWELL_PROMETHEUS": value}))
    monkeypatch.setattr(http, "app", lambda: app)
    return app, app.store  # type: ignore[return-value]  # of SQLite


def get(token: str = "") -> func.HttpResponse:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = func.HttpRequest("GET", "/metrics", headers=headers, body=b"")
    answer: func.HttpResponse = http.metrics.build().get_user_function()(request)
    return answer


def test_metrics_are_for_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, store = scraping(tmp_path, monkeypatch)
    assert app.telemetry is not None
    some(app.telemetry)
    app.look()
    book = TokenBook(store, app.clock)
    _, text = book.create("scraper", roles=[Role.READER], seconds=3600, who="test", why="scrapes")
    answer = get(text)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    body = answer.get_body().decode()
    assert 'groundswell_queue_depth{messaging_destination_name="rebuilds"' in body
    assert "groundswell_slots_limit" in body
    for answer, status in ((get(), 401), (get("gst_wrong"), 401)):
        assert answer.status_code == status
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "groundswell_queue" not in answer.get_body().decode()
    app.telemetry.close()
    store.close()


def test_metrics_are_not_there_unless_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scraping(tmp_path, monkeypatch, "no")
    assert get().status_code == 404
