"""What `make up` and `make demo` say when something is in their way."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundswell.errors import PermanentError
from groundswell.local import up
from groundswell.local.alone import alone
from groundswell.local.stack import Ports, Stack

HOLD = """
import sys
from pathlib import Path
from groundswell.local.alone import alone

with alone("demo", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that has its settings and is not started, in a folder with nothing else in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("GROUNDSWELL_SETTINGS", "REQUESTS_CA_BUNDLE", "GROUNDSWELL_STORE"):
        monkeypatch.delenv(name, raising=False)
    stack = Stack(tmp_path / ".groundswell/up")
    stack.folder.mkdir()
    stack._write_settings(GROUNDSWELL_STORE="sqlite:///x", REQUESTS_CA_BUNDLE="/ca.crt")
    (tmp_path / ".groundswell/local.settings.json").symlink_to(stack.settings_file)
    return stack


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that runs the demo in this folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_demo_in_one_folder_is_told_of_the_first(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(PermanentError) as caught, alone("demo", tmp_path):
        pass
    assert str(caught.value).startswith(f"another demo is running in {tmp_path} (process {other.pid})")
    with alone("stack", tmp_path):
        pass  # that is another thing
    other.kill()
    other.wait()
    with alone("demo", tmp_path):
        assert (tmp_path / "demo.lock").read_text() == f"{os.getpid()}\n"


def test_the_demo_leaves_another_ones_folder_alone(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    kept = tmp_path / "demo/kept"
    kept.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.local.demo"],
        env={**os.environ, "GROUNDSWELL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: another demo is running in ")
    assert kept.is_dir()
    assert other.poll() is None


def test_every_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        functions, registry = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(PermanentError) as caught:
            up.check_free(Ports(functions=functions, registry=registry))
    assert f"port {functions} (functions), port {registry} (registry)" in str(caught.value)
    assert "--free-ports" in str(caught.value)
    up.check_free(Ports(functions=functions, registry=registry))
    up.check_free(Ports())


def test_nothing_is_in_the_way_of_the_settings(stack: Stack) -> None:
    assert up.warnings(stack) == []


def test_variables_that_hide_settings_are_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/company.pem")
    monkeypatch.setenv("GROUNDSWELL_STORE", "sqlite:///x")  # the same: hides nothing
    assert up.warnings(stack) == ["your environment hides settings of this stack: unset REQUESTS_CA_BUNDLE"]


def test_other_settings_in_force_are_named(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "local.settings.json").write_text("{}")
    (note,) = up.warnings(stack)
    assert "`groundswell` reads local.settings.json here" in note
    assert f"GROUNDSWELL_SETTINGS={stack.settings_file}" in note
    monkeypatch.setenv("GROUNDSWELL_SETTINGS", str(stack.settings_file))
    assert up.warnings(stack) == []


@pytest.mark.parametrize(
    ("log", "said"),
    [("starting\nerror: port 7071 is in use\n", "error: port 7071 is in use"), ("", "it said nothing")],
)
def test_a_host_that_does_not_start_is_quoted(stack: Stack, log: str, said: str) -> None:
    (stack.folder / "host.log").write_text(log)
    with (
        subprocess.Popen(["true"], stdout=subprocess.PIPE, text=True) as host,
        pytest.raises(PermanentError) as caught,
    ):
        stack._await_ready(host)
    assert str(caught.value).startswith(f"the Functions host did not start: {said}")
    assert "host.log" in str(caught.value)
