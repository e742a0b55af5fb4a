"""What a shell offers, asked as a shell asks it: by the program, over its environment."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.cli import chosen, completing, main
from groundswell.cli.client import Client
from groundswell.cli.over_http import HttpTransport
from tests.support.served import served
from tests.support.world import BASE, World, ref, registration

type Complete = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(
        tmp_path_factory.mktemp("world"),
        registration("top", BASE, owner="platform"),
        registration("toy", ref("top"), owner="shop"),
        registration("alone", "docker.io/library/alpine:3"),
    )
    vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
    world.push_base()
    world.drive()
    yield world
    world.close()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with served(create(world.app)) as address:
        yield address


@pytest.fixture
def complete(world: World, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What is offered at the end of a line, by name."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("CONTEXT", "URL", "CA", "TOKEN", "STORE"):
        monkeypatch.delenv(f"GROUNDSWELL_{name}", raising=False)
    chosen.ask_for("")
    assert CliRunner().invoke(main.app, ["context", "add", "prod", "--url", url]).exit_code == 0
    token = world.app.tokens.create("t", roles=[Role.READER], seconds=86_400.0, who="test", why="test")[1]
    monkeypatch.setenv("GROUNDSWELL_TOKEN", token)

    def asked(line: str) -> list[str]:
        words = line.replace("CASCADE", world.cascade)
        variables = {
            "_GROUNDSWELL_COMPLETE": "complete_bash",
            "COMP_WORDS": f"groundswell {words}",
            "COMP_CWORD": str(len(words.split(" "))),
        }
        done = CliRunner().invoke(main.app, [], env=variables, prog_name="groundswell")
        assert done.stderr == ""
        return done.stdout.split()

    return asked


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("can", ["cancel"]),
        ("freeze re", ["remove"]),
        ("cascades --wa", ["--watch"]),
        ("cascades ", ["CASCADE"]),
        ("replay CASCADE to", ["top", "toy"]),
        ("hold CASCADE al", []),
        ("why al", ["alone"]),
        ("lineage history to", ["top", "toy"]),
        ("runs logs CASCADE ", ["top", "toy"]),
        ("failures --owner ", ["platform", "shop"]),
        ("context use ", ["local", "prod"]),
        ("--context pr", ["prod"]),
        ("--context local why ", []),
    ],
)
def test_what_is_offered(complete: Complete, world: World, line: str, offered: list[str]) -> None:
    assert complete(line) == [name.replace("CASCADE", world.cascade) for name in offered]


def test_no_image_is_read_that_begins_otherwise(complete: Complete, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    before = Client.pages

    def pages(self: Client, path: str, key: str, **query: Any) -> Iterator[Any]:
        found = list(before(self, path, key, **query))
        asked.append([each["name"] for each in found])
        return iter(found)

    monkeypatch.setattr(Client, "pages", pages)
    assert complete("why to") == ["top", "toy"]
    assert complete("why To") == []
    assert asked == [["top", "toy"]]


def test_what_was_asked_is_hung_up_on(complete: Complete, monkeypatch: pytest.MonkeyPatch) -> None:
    closed, before = [], HttpTransport.close

    def close(transport: HttpTransport) -> None:
        closed.append(transport)
        before(transport)

    monkeypatch.setattr(HttpTransport, "close", close)
    complete("why to")
    assert len(closed) == 1


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense"])
def test_a_service_that_is_not_there_offers_nothing(
    complete: Complete, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("GROUNDSWELL_URL", address)
    assert complete("why ") == []


def test_who_may_not_look_is_offered_nothing(complete: Complete, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_TOKEN", "gs_wrong")
    assert complete("why ") == []


def test_a_broken_file_of_contexts_offers_nothing(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "groundswell" / "contexts.json").write_text("{")
    assert complete("context use ") == ["local"]
    assert complete("why ") == []


def test_a_service_that_does_not_answer_is_not_waited_for(
    complete: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # so the library wants it
            never.wait()

    monkeypatch.setattr(completing, "SECONDS", 0.05)
    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("GROUNDSWELL_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            assert complete("why ") == []
        finally:
            never.set()
            server.shutdown()
            thread.join()


def test_what_came_in_time_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        def pages(self, *_: object, **__: object) -> Iterator[dict[str, str]]:
            yield {"name": "first", "owner": "o"}
            threading.Event().wait(60)  # until the alarm

    monkeypatch.setattr(completing, "SECONDS", 0.05)
    monkeypatch.setattr(chosen, "quick", lambda _: Slow())
    context = typer.Context(typer.main.get_command(main.app))
    assert completing.images(context, "") == [("first", "o")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_can_be_set_up(shell: str, tmp_path: Path) -> None:
    (tmp_path / ".zshrc").touch()
    environment = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    program = "import sys; from groundswell.cli.main import main; sys.argv[0] = 'groundswell'; main()"
    command = [sys.executable, "-c", program]
    shown = subprocess.run(
        [*command, "--show-completion", shell],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "_GROUNDSWELL_COMPLETE" in shown.stdout
    subprocess.run([*command, "--install-completion", shell], env=environment, check=True, timeout=60)
    installed = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any("_GROUNDSWELL_COMPLETE" in file.read_text() for file in installed)
