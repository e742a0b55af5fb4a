"""The local Functions host on a sample app, as a process of its own: HTTP, queues, timers, admin, draining."""

import base64
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from groundswell.local.azurite import Azurite
from groundswell.local.host import FunctionInfo, index
from groundswell.local.paths import ROOT
from groundswell.store.azure import AzureStore
from groundswell.store.port import Store
from groundswell.store.sqlite import SqliteStore
from tests.support import azurite as azurite_support
from tests.support.hosts import HostProcess
from tests.support.polling import until

azurite = azurite_support.azurite

SAMPLE = ROOT / "tests" / "support" / "host_app"
MASTER = "the-master-key"
KEY = "the-function-key"
QUEUE = "sample-work"


class Sample:
    """The running sample app, its store, and what it recorded."""

    def __init__(self, folder: Path, connection: str, store: Store, *flags: str, **values: str) -> None:
        self.folder = folder / "records"
        self.folder.mkdir()
        self.store = store
        settings = {
            "GROUNDSWELL_STORE": connection,
            "GROUNDSWELL_HOST_KEY": MASTER,
            "GROUNDSWELL_FUNCTION_KEY": KEY,
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000000",
            "PYTHON_THREADPOOL_THREAD_COUNT": "32",
            "SAMPLE_FOLDER": str(self.folder),
            "SAMPLE_QUEUE": QUEUE,
            "SAMPLE_SCHEDULE": "0 0 0 1 1 *",
            "AzureWebJobs.switched_off.Disabled": "true",
            **values,
        }
        self.host = HostProcess(folder, settings, app_dir=SAMPLE, flags=flags)

    def send(self, **task: Any) -> None:
        self.store.send(QUEUE, json.dumps(task))

    def records(self, name: str) -> list[dict[str, Any]]:
        """What the app recorded under `name`, in order."""
        paths = sorted(self.folder.glob(f"{name}-[0-9]*.json"))
        return sorted((json.loads(path.read_text()) for path in paths), key=lambda found: found["at"])

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{self.host.address}{path}", timeout=20, **options)


def on_sqlite(folder: Path, *flags: str, **values: str) -> Sample:
    path = folder / "store.db"
    return Sample(folder, f"sqlite:///{path}", SqliteStore(path), *flags, **values)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    sample = on_sqlite(tmp_path_factory.mktemp("sample"))
    with sample.host:
        yield sample
    sample.store.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sample]:
    """A host for one test, which may stop it."""
    sample = on_sqlite(tmp_path, "--drain", "3")
    with sample.host:
        yield sample
    sample.store.close()


# Indexing.


def test_the_functions_are_listed_with_their_triggers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = {info.name: info for info in index(SAMPLE)}
    assert len(found) == 16
    assert found["echo"] == FunctionInfo(
        name="echo",
        trigger="httpTrigger",
        route="echo/{name}/{number:int?}",
        methods=("GET", "POST", "PUT"),
        auth_level="anonymous",
    )
    assert found["work_poison"] == FunctionInfo(
        name="work_poison", trigger="queueTrigger", queue="sample-work-poison", connection="GROUNDSWELL_STORE"
    )
    assert found["at_start"] == FunctionInfo(name="at_start", trigger="timerTrigger", schedule="0 0 0 1 1 *")


def start(app_dir: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "groundswell.local.host", str(app_dir), *flags],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


REFUSED = {
    "two apps": ("a = func.FunctionApp()\nb = func.FunctionApp()", "More than one"),
    "a fault at import": ("raise RuntimeError('at import')", "RuntimeError: at import"),
    "a type that no converter takes": (
        "a = func.FunctionApp()\n"
        "@a.queue_trigger(arg_name='m', queue_name='q', connection='GROUNDSWELL_STORE')\n"
        "def f(m: dict) -> None: ...",
        "binding type",
    ),
    "an output binding": (
        "a = func.FunctionApp()\n"
        "@a.queue_output(arg_name='o', queue_name='out', connection='GROUNDSWELL_STORE')\n"
        "@a.queue_trigger(arg_name='m', queue_name='q', connection='GROUNDSWELL_STORE')\n"
        "def f(m: func.QueueMessage, o: func.Out[str]) -> None: ...",
        "function f: this host serves no queue binding",
    ),
    "a retry policy": (
        "a = func.FunctionApp()\n"
        "@a.queue_trigger(arg_name='m', queue_name='q', connection='GROUNDSWELL_STORE')\n"
        "@a.retry(strategy='fixed_delay', max_retry_count='3', delay_interval='00:00:01')\n"
        "def f(m: func.QueueMessage) -> None: ...",
        "function f: this host heeds no retry policy",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_app_that_the_worker_refuses(tmp_path: Path, case: str) -> None:
    text, why = REFUSED[case]
    (tmp_path / "function_app.py").write_text(f"import azure.functions as func\n{text}\n")
    done = start(tmp_path, "--index")
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
    assert "error: " in done.stderr


STARTS = {
    "a constraint": (
        "@a.route(route='x/{id:nope}')\ndef f(req: func.HttpRequest) -> str: ...",
        "nope is not known",
    ),
    "a schedule": (
        "@a.timer_trigger(arg_name='t', schedule='every day')\ndef f(t: func.TimerRequest) -> None: ...",
        "NCRONTAB",
    ),
    "a setting": (
        "@a.timer_trigger(arg_name='t', schedule='%NOWHERE%')\ndef f(t: func.TimerRequest) -> None: ...",
        "app setting NOWHERE is missing",
    ),
    "another connection": (
        "@a.queue_trigger(arg_name='m', queue_name='q', connection='Other')\n"
        "def f(m: func.QueueMessage) -> None: ...",
        "must be GROUNDSWELL_STORE",
    ),
}


@pytest.mark.parametrize("case", STARTS)
def test_what_cannot_be_served_is_named_at_the_start(tmp_path: Path, case: str) -> None:
    text, why = STARTS[case]
    (tmp_path / "function_app.py").write_text(f"import azure.functions as func\na = func.FunctionApp()\n{text}\n")
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    values = {"Values": {"GROUNDSWELL_STORE": f"sqlite:///{tmp_path / 's.db'}"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(values))
    done = start(tmp_path, "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr


def test_a_folder_without_an_app(tmp_path: Path) -> None:
    assert "has no function_app.py" in start(tmp_path, "--index").stderr
    assert "is not a folder" in start(tmp_path / "none").stderr


# HTTP.


def test_a_request_reaches_the_function_whole(running: Sample) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = bytes(range(256))
    answer = running.call(
        "PUT",
        "/api/echo/a%20b%2Fc/42?q=1&q=2&r=%C3%A9",
        data=body,
        headers={"traceparent": trace, "X-Given": "ü".encode().decode("latin-1"), "Cookie": "k=v"},
    )
    assert answer.status_code == 201
    assert answer.headers["X-Answer"] == "yes"
    assert answer.headers["Content-Type"] == "application/json"
    seen = answer.json()
    assert seen["method"] == "PUT"
    assert seen["route"] == {"name": "a b%2Fc", "number": "42"}
    assert seen["query"] == {"q": "1,2", "r": "é"}
    assert base64.b64decode(seen["body"]) == body
    assert seen["headers"]["cookie"] == "k=v"
    assert seen["trace"] == trace
    assert seen["url"].startswith(running.host.address)


MATRIX = [
    ("GET", "/api/echo/x", 201),
    ("GET", "/api/echo/x/", 201),
    ("GET", "/API/Echo/x/7", 201),
    ("GET", "/api/echo/x/seven", 404),
    ("GET", "/api/echo/x/7/8", 404),
    ("GET", "/api/echo", 404),
    ("DELETE", "/api/echo/x", 404),
    ("HEAD", "/api/echo/x", 404),
    ("GET", "/echo/x", 404),
    ("GET", "/", 404),
    ("GET", "/api/echo/fixed", 200),
    ("POST", "/api/echo/fixed", 201),
    ("GET", "/api/files", 200),
    ("GET", "/api/files/a/b.txt", 200),
    ("DELETE", "/api/files/a", 200),
    ("POST", "/api/reversed", 200),
    ("GET", "/api/broken", 500),
    ("GET", "/api/switched_off", 404),
    ("GET", "/admin/nothing", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), MATRIX)
def test_which_function_answers(running: Sample, method: str, path: str, status: int) -> None:
    assert running.call(method, path).status_code == status


def test_a_text_a_catch_all_and_binary_answers(running: Sample) -> None:
    text = running.call("GET", "/api/echo/fixed")
    assert (text.text, text.headers["Content-Type"]) == ("a text", "text/plain; charset=utf-8")
    assert running.call("GET", "/api/files/a/b%2Fc/d.txt").text == "a/b%2Fc/d.txt"
    assert running.call("GET", "/api/files").text == "no path"
    answer = running.call("POST", "/api/reversed", data=b"\x00\xff\x10")
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x10\xff\x00", "application/octet-stream")


def test_every_cookie_comes_with_its_attributes(running: Sample) -> None:
    answer = running.call("GET", "/api/cookies")
    first, second = answer.raw.headers.getlist("Set-Cookie")
    assert set(first.split("; ")) == {"a=1", "Path=/x", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=60"}
    assert set(second.split("; ")) == {"b=2", "Domain=example.com", "expires=Wed, 21 Oct 2026 07:28:00 GMT"}


def test_a_body_larger_than_the_limit(running: Sample) -> None:
    assert running.call("POST", "/api/reversed", data=b"x" * 1_000_000).status_code == 200
    assert running.call("POST", "/api/reversed", data=b"x" * 1_000_001).status_code == 413


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/guarded", None, 401),
        ("/api/guarded", "", 401),
        ("/api/guarded", "wrong", 401),
        ("/api/guarded", "wr\xf6ng", 401),
        ("/api/guarded", KEY, 200),
        ("/api/guarded", MASTER, 200),
        ("/api/owners", KEY, 401),
        ("/api/owners", MASTER, 200),
        ("/admin/host/status", None, 401),
        ("/admin/host/status", KEY, 401),
        ("/admin/host/status", MASTER, 200),
        ("/admin/functions", KEY, 401),
        ("/admin/functions", MASTER, 200),
    ],
)
def test_keys(running: Sample, path: str, key: str | None, status: int) -> None:
    headers = {} if key is None else {"x-functions-key": key.encode("latin-1")}
    assert running.call("GET", path, headers=headers).status_code == status
    assert running.call("GET", path, params={"code": key}).status_code == status


def test_without_keys_what_needs_one_is_closed(tmp_path: Path) -> None:
    sample = on_sqlite(tmp_path, GROUNDSWELL_HOST_KEY="", GROUNDSWELL_FUNCTION_KEY="")
    with sample.host:
        for path in ("/api/guarded", "/api/owners", "/admin/host/status", "/admin/functions"):
            assert sample.call("GET", path, headers={"x-functions-key": ""}).status_code == 401
            assert sample.call("GET", path, params={"code": ""}).status_code == 401
    sample.store.close()


def test_a_failure_is_logged_without_what_was_sent(running: Sample) -> None:
    running.call("POST", "/api/broken", data="the-secret-body", headers={"X-Secret": "the-secret-header"})
    line = next(line for line in running.host.log.splitlines() if "function failed" in line)
    assert "function=broken" in line
    assert "ValueError: the reason" in line
    assert "the-secret" not in running.host.log


def test_a_function_that_takes_too_long_is_given_up(running: Sample) -> None:
    begun = time.monotonic()
    assert running.call("GET", "/api/endless").status_code == 500
    assert time.monotonic() - begun < 10
    assert "function timed out function=endless" in running.host.log


def test_one_line_an_invocation_and_the_apps_own_lines(running: Sample) -> None:
    running.call("GET", "/api/logged")
    lines = running.host.log.splitlines()
    assert any("sample a fact cascade=c-1" in line for line in lines)
    succeeded = [line for line in lines if "function succeeded function=logged" in line]
    assert len(succeeded) == 1
    assert "the sample app is imported" in running.host.log


def test_logs_as_json(tmp_path: Path) -> None:
    sample = on_sqlite(tmp_path, "--json-logs")
    with sample.host:
        sample.call("GET", "/api/logged")
        sample.call("GET", "/api/broken")
    sample.store.close()
    lines = [json.loads(line) for line in sample.host.log.splitlines() if line.startswith("{")]
    assert any(line["message"] == "a fact" and line["cascade"] == "c-1" for line in lines)
    assert any(line["message"] == "function failed" and line["function"] == "broken" for line in lines)


# Queues.


def test_a_message_comes_with_its_metadata(running: Sample) -> None:
    before = time.time()
    running.send(key="metadata")
    found = until(lambda: [r for r in running.records("work") if r["task"] == {"key": "metadata"}])[0]
    assert found["dequeue_count"] == 1
    assert found["id"]
    assert found["receipt"]
    assert before - 1 < found["inserted"] < time.time() + 1
    assert found["expires"] - found["inserted"] == pytest.approx(7 * 24 * 3600, abs=2)
    until(lambda: running.store.depth(QUEUE) == 0)


def poisoned(sample: Sample) -> None:
    """A message that always fails: three deliveries, a second apart at least, then the poison queue's function."""
    sample.send(do="fail")
    (poison,) = until(lambda: sample.records("poison"))
    assert json.loads(poison["body"]) == {"do": "fail"}
    tries = [r for r in sample.records("work") if r["task"] == {"do": "fail"}]
    assert [r["dequeue_count"] for r in tries] == [1, 2, 3]
    assert all(b["at"] - a["at"] >= 0.9 for a, b in pairwise(tries))
    until(lambda: sample.store.depth(QUEUE) + sample.store.depth(f"{QUEUE}-poison") == 0)


def test_what_fails_again_and_again_is_poison(running: Sample) -> None:
    poisoned(running)
    assert "RuntimeError: on purpose" in running.host.log


def test_many_messages_in_parallel(running: Sample) -> None:
    """Sixty messages of 0.1 s: twelve at once at most, and all of them in a fraction of six seconds."""
    for number in range(60):
        running.send(do="sleep", seconds=0.1, number=number)
    begun = time.monotonic()
    done = until(lambda: len(all_of(running, "worked")) == 60 and all_of(running, "worked"))
    assert time.monotonic() - begun < 3
    assert {r["task"]["number"] for r in done} == set(range(60))
    assert len(all_of(running, "work")) == 60  # none twice


def all_of(sample: Sample, name: str) -> list[dict[str, Any]]:
    return [r for r in sample.records(name) if r["task"].get("do") == "sleep"]


def test_a_disabled_function_takes_nothing(running: Sample) -> None:
    running.store.send("switched-off", "left alone")
    running.send(key="after")
    until(lambda: [r for r in running.records("worked") if r["task"] == {"key": "after"}])
    assert running.store.depth("switched-off") == 1
    assert running.records("switched-off") == []


@pytest.mark.stack
def test_the_same_on_azure_storage(tmp_path: Path, azurite: Azurite) -> None:
    store = AzureStore.from_connection_string(azurite.connection_string)
    sample = Sample(tmp_path, azurite.connection_string, store)
    with sample.host:
        sample.send(key="plain ü")
        until(lambda: [r for r in sample.records("worked") if r["task"] == {"key": "plain ü"}])
        poisoned(sample)
    assert sample.host.stop() == 0
    store.close()


# Timers and admin.


def test_a_timer_fires_by_its_schedule_and_at_the_start(tmp_path: Path) -> None:
    sample = on_sqlite(tmp_path, SAMPLE_SCHEDULE="* * * * * *")
    with sample.host:
        ticks = until(lambda: len(sample.records("tick")) >= 2 and sample.records("tick"))
        assert len(sample.records("at-start")) == 1
    sample.store.close()
    assert ticks[0]["past_due"] is False
    assert ticks[1]["status"]["Last"] > ticks[0]["status"]["Last"]
    assert ticks[1]["status"]["Next"] > ticks[1]["status"]["Last"]


def fire(sample: Sample, name: str, key: str = MASTER, **options: Any) -> int:
    return sample.call("POST", f"/admin/functions/{name}", headers={"x-functions-key": key}, **options).status_code


def test_functions_are_fired_by_hand(running: Sample) -> None:
    ticks = len(running.records("tick"))
    assert fire(running, "tick", json={}) == 202
    assert len(running.records("tick")) == ticks + 1
    assert fire(running, "work", json={"input": '{"key": "by hand"}'}) == 202
    assert [r["task"] for r in running.records("worked")].count({"key": "by hand"}) == 1
    assert fire(running, "work", json={"input": '{"do": "fail", "key": "by hand"}'}) == 500


def test_bad_requests_to_fire(running: Sample) -> None:
    assert fire(running, "tick", key=KEY) == 401
    assert fire(running, "nothing", json={}) == 404
    assert fire(running, "echo", json={}) == 404
    assert fire(running, "work", data="{") == 400
    assert fire(running, "work", json=[]) == 400
    assert fire(running, "work", json={"input": 3}) == 400


def test_admin_tells_what_there_is(running: Sample) -> None:
    headers = {"x-functions-key": MASTER}
    assert running.call("GET", "/admin/host/status", headers=headers).json() == {"state": "Running"}
    functions = {f["name"]: f["trigger"] for f in running.call("GET", "/admin/functions", headers=headers).json()}
    assert functions["work"]["queueName"] == QUEUE
    assert "switched_off" not in functions


# Draining.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_hand_is_finished_before_it_ends(own: Sample, number: signal.Signals) -> None:
    own.send(do="gate")
    until(lambda: own.records("queue-gate-begun"))
    answers: list[requests.Response] = []
    request = threading.Thread(target=lambda: answers.append(own.call("GET", "/api/waiting")))
    request.start()
    until(lambda: own.records("http-gate-begun"))
    statuses: list[int] = []
    stopping = threading.Thread(target=lambda: statuses.append(own.host.stop(number)))
    stopping.start()
    until(lambda: refuses(own.host.address))
    own.send(key="too late")
    assert stopping.is_alive()
    (own.folder / "queue-gate").touch()
    (own.folder / "http-gate").touch()
    for thread in (request, stopping):
        thread.join(20)
    assert statuses == [0]
    assert answers[0].text == "done"
    assert [r["task"] for r in own.records("worked")] == [{"do": "gate"}]
    assert own.store.depth(QUEUE) == 1  # the late one is left for the next host


def refuses(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) != 0


def test_what_does_not_end_is_left_and_shown_again(own: Sample) -> None:
    own.send(do="gate")
    until(lambda: own.records("queue-gate-begun"))
    begun = time.monotonic()
    assert own.host.stop() == 0
    assert time.monotonic() - begun < 8
    assert "not drained in time" in own.host.log
    (message,) = own.store.receive(QUEUE)
    assert (json.loads(message.body), message.dequeue_count) == ({"do": "gate"}, 2)


def test_a_port_that_is_taken(running: Sample, tmp_path: Path) -> None:
    port = running.host.address.rpartition(":")[2]
    values = {"Values": {"GROUNDSWELL_STORE": f"sqlite:///{tmp_path / 's.db'}", "SAMPLE_QUEUE": QUEUE}}
    values["Values"]["SAMPLE_SCHEDULE"] = "0 0 0 1 1 *"
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(values))
    done = start(SAMPLE, "--port", port, "--settings", str(file))
    assert done.returncode == 1
    assert f"error: port {port} cannot be served" in done.stderr
    assert "Traceback" not in done.stderr
