"""`groundswell wait` as a pipeline's step meets it: what it prints, and its exit code."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cascade.engine import PUSHES
from groundswell.cli import main, wait
from groundswell.errors import InputError, NotFoundError, TemporaryError
from tests.support.world import BASE, World, ref, registration


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE), registration("app", ref("top")), registration("web", BASE))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, ["wait", *args])


def begin(world: World) -> None:
    """Push the base, and deal with the push alone."""
    world.push_base()
    for message in world.app.store.receive(PUSHES):
        world.deliver(PUSHES, message.body)
        world.app.store.delete(PUSHES, message)


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> list[float]:
    """What happens at the first pause; returns the pauses."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            happens()

    monkeypatch.setattr(wait.time, "sleep", sleep)
    return pauses


def test_it_ends_when_the_cascade_has(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(world)
    pauses = meanwhile(monkeypatch, world.drive)
    result = run(world.cascade)
    assert result.exit_code == 0
    assert pauses == [wait._PAUSE]
    assert f"{world.cascade}: 3 of 3 as asked" in result.output


def test_what_failed_is_told_and_is_an_exit_code_of_its_own(world: World) -> None:
    world.broken.add("top")
    world.push_base()
    world.drive()
    result = run(world.cascade)
    assert result.exit_code == wait.OTHERWISE
    assert "top is failed: run r" in result.output
    assert "app is blocked: blocked by top" in result.output
    assert "1 of 3 as asked" in result.output
    assert run(world.cascade, "--until", "ended").exit_code == 0
    assert run(world.cascade, "--image", "web").exit_code == 0
    assert run(world.cascade, "--image", "app").exit_code == wait.OTHERWISE


def test_what_the_gate_alone_stopped_is_another(world: World) -> None:
    world.vulnerable.add("top")
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "rejected", "app": "blocked", "web": "done"}
    assert run(world.cascade).exit_code == wait.REJECTED
    assert run(world.cascade, "--image", "top").exit_code == wait.REJECTED
    assert run(world.cascade, "--image", "app").exit_code == wait.OTHERWISE  # its own record does not tell why
    assert run(world.cascade, "--until", "ended").exit_code == 0


def test_the_gate_is_no_excuse_for_what_failed_beside_it(world: World) -> None:
    world.vulnerable.add("top")
    world.broken.add("web")
    world.push_base()
    world.drive()
    assert run(world.cascade).exit_code == wait.OTHERWISE


def test_json(world: World) -> None:
    world.push_base()
    world.drive()
    told = json.loads(run(world.cascade, "--image", "web", "--json").output)
    why = "promoted; nothing runs it"
    images = [{"image": "web", "status": "done", "why": why}]
    assert told == {"cascade": world.cascade, "as_asked": True, "images": images}


def test_one_image_need_not_wait_for_the_others(world: World) -> None:
    world.takes["top"] = 10_000
    world.push_base()
    world.drive(until=60.0)
    assert world.statuses()["top"] == "building"
    assert run(world.cascade, "--image", "web", "--timeout", "0").exit_code == 0


def test_when_the_time_is_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(world)
    pauses = meanwhile(monkeypatch, lambda: None)
    result = run(world.cascade, "--timeout", "0.05")
    assert isinstance(result.exception, TemporaryError)
    assert "has not ended after 0.05 s" in str(result.exception)
    assert all(0 < pause <= 0.05 for pause in pauses)


def test_a_push_is_followed_to_its_cascade(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    push = CliRunner().invoke(main.app, ["push", BASE, "--reason", "lost", "--json"])
    meanwhile(monkeypatch, world.drive)
    result = run(json.loads(push.output)["push"])
    assert result.exit_code == 0
    assert f"{world.cascade}: 3 of 3 as asked" in result.output


def settling(world: World) -> None:
    """Pushes wait a while for others from now on."""
    vars(world.app)["settings"] = replace(world.app.settings, settle_seconds=30.0)


def test_a_push_is_followed_while_it_settles(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    settling(world)
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    push = CliRunner().invoke(main.app, ["push", BASE, "--reason", "built", "--json"])
    world.drive(until=2)
    meanwhile(monkeypatch, world.drive)
    result = run(json.loads(push.output)["push"])
    assert (result.exit_code, f"{world.cascade}: 3 of 3 as asked" in result.output) == (0, True)


@pytest.mark.parametrize("until", [2.0, 86_400.0])
def test_a_push_that_the_registry_told_first_is_followed_to_where_that_went(
    world: World, monkeypatch: pytest.MonkeyPatch, until: float
) -> None:
    """As in a pipeline that has just pushed a base: the webhook comes before its own word."""
    settling(world)
    begin(world)
    push = CliRunner().invoke(main.app, ["push", BASE, "--reason", "built", "--json"])
    world.drive(until=until)
    assert [entry["result"] for entry in world.app.intake.log(10) if entry["source"] == "by hand"] == ["known"]
    meanwhile(monkeypatch, world.drive)
    result = run(json.loads(push.output)["push"])
    assert (result.exit_code, f"{world.cascade}: 3 of 3 as asked" in result.output) == (0, True)


def test_a_push_of_what_was_there_before_starts_nothing(world: World) -> None:
    push = CliRunner().invoke(main.app, ["push", BASE, "--reason", "a try", "--json"])
    world.drive()
    result = run(json.loads(push.output)["push"])
    assert isinstance(result.exception, InputError)
    assert "started no cascade: known" in str(result.exception)


def test_a_push_that_started_nothing(world: World) -> None:
    push = CliRunner().invoke(main.app, ["push", f"{BASE}-slim", "--reason", "a try", "--json"])
    world.drive()
    result = run(json.loads(push.output)["push"])
    assert isinstance(result.exception, InputError)
    assert "started no cascade: unknown" in str(result.exception)


@pytest.mark.parametrize("arguments", [("nosuch",), ("CASCADE", "--image", "nosuch")])
def test_what_is_not_there(world: World, arguments: tuple[str, ...]) -> None:
    world.push_base()
    world.drive()
    result = run(*(text.replace("CASCADE", world.cascade) for text in arguments))
    assert isinstance(result.exception, NotFoundError)
    assert "nosuch" in str(result.exception)
