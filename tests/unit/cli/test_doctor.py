"""groundswell doctor, over both ways to the API, and what it says of the command itself."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundswell import wiring
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.cli import common, contexts, doctor, main
from groundswell.errors import InputError
from groundswell.scanners import Kind, ScannerSettings
from tests.support.served import served
from tests.support.world import HOST, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    image = f"{HOST}/tools/trivy@sha256:{'1' * 64}"
    world.app.settings = replace(
        world.app.settings, scanners={"trivy": ScannerSettings(kind=Kind.TRIVY, image=image)}
    )
    world.app.timers.ran("sweep")
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(common.console, "width", 160)
    yield world
    world.close()


@pytest.fixture
def service(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with served(create(world.app)) as url:
        monkeypatch.setenv("GROUNDSWELL_URL", url)
        yield url


def token(world: World, role: Role = Role.OPERATOR) -> str:
    return world.app.tokens.create("tests", roles=[role], seconds=86_400.0, who="test", why="test")[1]


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, ["doctor", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.output


def found(*words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    code, text = run("--json", *words)
    return code, {each["name"]: each for each in json.loads(text)["checks"]}


def test_over_the_store(world: World) -> None:
    code, text = run()
    assert code == 0, text
    assert "the store of the settings (no context is in use)" in text
    assert "written, read and deleted" in text
    assert "fix: name those that images are pushed to" in text


def test_over_http_it_is_the_same(world: World, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_TOKEN", token(world))
    code, checks = found()
    assert code == 0
    assert checks["token"]["says"] == "you are tests (operator)"
    assert checks["version"]["outcome"] in ("ok", "skipped")
    assert checks["context"]["says"] == f"{service} (GROUNDSWELL_URL)"
    assert checks["store"]["outcome"] == "ok"


def test_what_is_bad_ends_with_1(world: World) -> None:
    world.app.store.send("scans-poison", "x")
    code, text = run()
    assert code == 1
    assert "1 in scans-poison" in text


@pytest.mark.parametrize(("role", "code", "outcome"), [(Role.READER, 0, "warn"), (None, 1, "bad")])
def test_who_may_not_is_told_what_to_do(
    world: World, service: str, monkeypatch: pytest.MonkeyPatch, role: Role | None, code: int, outcome: str
) -> None:
    text = token(world, role) if role else "gs_0_0"
    monkeypatch.setenv("GROUNDSWELL_TOKEN", text)
    ended, checks = found()
    check = checks["service" if role else "token"]
    assert (ended, check["outcome"], bool(check["fix"])) == (code, outcome, True)
    assert text not in json.dumps(checks)


def test_a_service_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from groundswell.cli.client import time as waiting

    monkeypatch.setattr(waiting, "sleep", lambda _: None)
    monkeypatch.setenv("GROUNDSWELL_URL", "http://127.0.0.1:9")
    code, checks = found()
    assert (code, checks["service"]["outcome"]) == (1, "bad")
    assert "Connection refused" in checks["service"]["says"]


def test_settings_that_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise InputError("setting GROUNDSWELL_SLOTS must be a number, not 'x'")

    monkeypatch.setattr(wiring, "_app", wrong)
    code, checks = found()
    assert (code, checks["service"]["says"]) == (1, "setting GROUNDSWELL_SLOTS must be a number, not 'x'")


def test_a_context_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_CONTEXT", "nope")
    code, checks = found()
    assert (code, checks["context"]["outcome"]) == (1, "bad")


@pytest.mark.parametrize(
    ("left", "outcome", "says"),
    [
        (None, None, ""),
        (30 * 86_400, None, ""),
        (7300, "warn", "it expires in 2 h"),
        (-300, "bad", "it expired 5 min ago"),
    ],
)
def test_a_token_that_ends(left: float | None, outcome: str | None, says: str) -> None:
    end = None if left is None else time.time() + left
    contexts.keep_token("prod", contexts.Token(text="t", expires_at=end))
    checks = list(doctor._kept("prod"))
    assert [(check.outcome.value, check.says) for check in checks] == ([(outcome, says)] if outcome else [])


@pytest.mark.parametrize(("theirs", "outcome"), [("unknown", "skipped"), ("9.9.9", "warn")])
def test_versions(theirs: str, outcome: str) -> None:
    assert doctor._versions(theirs).outcome == outcome
