"""The local Functions host on a sample app: what each trigger promises, and how it ends."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from groundswell.local.paths import ROOT
from groundswell.store.port import Queues
from groundswell.store.sqlite import SqliteStore
from tests.support import azurite as azurites
from tests.support.hosts import HostProcess

APP = ROOT / "tests/support/sample_app"
KEY = "a host key"
azurite = azurites.azurite


class Running:
    def __init__(self, host: HostProcess, queues: Queues, seen: Path) -> None:
        self.host = host
        self.queues = queues
        self._seen = seen

    def url(self, path: str) -> str:
        return f"{self.host.address}/api/{path}"

    def seen(self) -> list[str]:
        return self._seen.read_text().splitlines() if self._seen.exists() else []

    def until(self, look: Callable[[], bool], seconds: float = 20.0) -> bool:
        end = time.monotonic() + seconds
        while not look() and time.monotonic() < end:
            time.sleep(0.02)
        return look()


def values(folder: Path, store: str) -> dict[str, str]:
    return {"GROUNDSWELL_STORE": store, "SAMPLE_SEEN": str(folder / "seen"), "GROUNDSWELL_HOST_KEY": KEY}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    store = SqliteStore(tmp_path / "s.db")
    with HostProcess(tmp_path, values(tmp_path, f"sqlite:///{tmp_path / 's.db'}"), app_dir=APP) as host:
        yield Running(host, store, tmp_path / "seen")
    store.close()


def test_http(running: Running) -> None:
    body = bytes(range(256))
    answer = requests.post(running.url("echo/Ann?q=7"), data=body, headers={"X-One": "1"}, timeout=10)
    assert (answer.status_code, answer.content, answer.headers["X-Two"]) == (201, b"Ann 7 1" + body, "2")
    assert requests.get(running.url("echo/Ann"), timeout=10).status_code == 404  # not a POST
    assert requests.post(running.url("echo/7"), timeout=10).status_code == 404  # not letters
    assert requests.get(running.url("nowhere"), timeout=10).status_code == 404
    assert requests.get(running.url("files/a/b.txt"), timeout=10).text == "a/b.txt"
    broken = requests.get(running.url("broken"), timeout=10)
    assert (broken.status_code, broken.content) == (500, b"")
    assert "broken on purpose" in running.host.log


def test_keys(running: Running) -> None:
    assert requests.get(running.url("closed"), timeout=10).status_code == 401
    assert requests.get(running.url("closed?code=wrong"), timeout=10).status_code == 401
    assert requests.get(running.url("closed"), params={"code": KEY}, timeout=10).text == "in"
    assert requests.get(running.url("closed"), headers={"x-functions-key": KEY}, timeout=10).text == "in"
    assert KEY not in running.host.log


def test_admin(running: Running) -> None:
    admin = f"{running.host.address}/admin"
    headers = {"x-functions-key": KEY}
    for path in ("host/status", "functions"):
        assert requests.get(f"{admin}/{path}", timeout=10).status_code == 401
    assert requests.post(f"{admin}/functions/tick", timeout=10).status_code == 401
    assert requests.get(f"{admin}/host/status", headers=headers, timeout=10).json() == {"state": "Running"}
    names = [entry["name"] for entry in requests.get(f"{admin}/functions", headers=headers, timeout=10).json()]
    assert "work" in names
    assert running.until(lambda: running.seen() == ["tick"])  # it runs on start
    assert requests.post(f"{admin}/functions/tick", headers=headers, timeout=10).status_code == 202
    post = requests.post(f"{admin}/functions/work", headers=headers, json={"input": "by hand"}, timeout=10)
    assert post.status_code == 202
    assert running.seen()[1:] == ["tick", "by hand 0"] or running.seen()[1:] == ["tick", "by hand None"]
    assert requests.post(f"{admin}/functions/none", headers=headers, timeout=10).status_code == 404


def test_a_message_that_fails_is_delivered_again_and_then_poisoned(running: Running) -> None:
    running.queues.send("work", "fail")
    assert running.until(lambda: running.queues.depth("work-poison") == 1)
    assert [line for line in running.seen() if line != "tick"] == ["fail 1", "fail 2", "fail 3"]
    (message,) = running.queues.receive("work-poison")
    assert message.body == "fail"
    assert running.queues.depth("work") == 0


def test_many_messages_are_handled_once_each(running: Running) -> None:
    for number in range(200):
        running.queues.send("work", f"m{number}")
    assert running.until(lambda: running.queues.depth("work") == 0)
    handled = [line for line in running.seen() if line != "tick"]
    assert sorted(handled) == sorted(f"m{number} 1" for number in range(200))


def test_what_is_in_hand_is_finished_before_it_ends(running: Running) -> None:
    running.queues.send("work", "slow")
    assert running.until(lambda: "slow 1" in running.seen())
    assert running.host.stop(signal.SIGTERM) == 0
    assert running.seen()[-1] == "slow ended"
    assert running.queues.depth("work") == 0


@pytest.mark.stack
def test_it_runs_on_azure_storage_too(azurite: azurites.Azurite, tmp_path: Path) -> None:
    from groundswell.store.azure import AzureStore

    store = AzureStore.from_connection_string(azurite.connection_string)
    with HostProcess(tmp_path, values(tmp_path, azurite.connection_string), app_dir=APP) as host:
        running = Running(host, store, tmp_path / "seen")
        running.queues.send("work", "fail")
        running.queues.send("work", "fine")
        assert running.until(lambda: running.queues.depth("work-poison") == 1)
        assert running.until(lambda: "fine 1" in running.seen())
    store.close()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import nothing_like_this\n", "nothing_like_this"),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.route(route='a')\ndef a(req: func.HttpRequest) -> str:\n    return ''\n"
            "@app.function_name('a')\n@app.route(route='b')\ndef b(req: func.HttpRequest) -> str:\n    return ''\n",
            "a",
        ),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef a(m: dict) -> None:\n    pass\n",
            "dict",
        ),
    ],
    ids=["missing import", "a name twice", "a wrong type"],
)
def test_an_app_that_the_worker_refuses_is_named(tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    (tmp_path / "function_app.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.local.host", str(tmp_path), "--index"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
