"""`groundswell why`, replay and cancel of a whole cascade, as a person meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, NotFoundError
from tests.support.world import BASE, World, ref, registration


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE), registration("app", ref("top")))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_why_tells_the_answer_first_and_the_way_back(world: World) -> None:
    world.broken.add("top")
    world.push_base()
    world.drive()
    shown = run("why", "app").output.splitlines()
    assert shown[0] == f"app is blocked in cascade {world.cascade}: blocked by top"
    assert shown[1].startswith("  waits for  top (failed): at build, since 20")
    assert f"groundswell replay {world.cascade} top --reason TEXT" in shown[1]
    world.broken.clear()
    run("replay", world.cascade, "top", "--reason", "mended")
    world.drive()
    shown_text = run("why", "app", world.cascade).output
    assert "begins with its layers (" in shown_text
    assert "scan of " in shown_text
    assert f"{BASE} -runtime-> top -runtime-> app" in shown_text
    document = json.loads(run("why", "app", "--json").output)
    assert (document["status"], document["cascade"]) == ("done", world.cascade)
    assert isinstance(run("why", "nope").exception, NotFoundError)


def test_replay_of_all_that_failed(world: World) -> None:
    world.broken.add("top")
    world.push_base()
    world.drive()
    world.broken.clear()
    shown = run("replay", "--failed", world.cascade, "--reason", "mended").output
    assert "1 replayed, 1 left alone, 0 not done" in shown
    assert "it comes back by itself" in shown
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    again = json.loads(run("replay", "--all", world.cascade, "--from", "scan", "--reason", "x", "--json").output)
    assert [(item["image"], item["stage"]) for item in again["done"]] == [("top", "scan"), ("app", "scan")]
    world.drive()
    assert len(world.builder.requests) == 3  # one failed, and two that were built once each
    trail = json.loads(run("audit", "--json").output)
    assert sorted(entry["why"] for entry in trail if entry["action"] == "replay") == ["mended", "x", "x"]


def test_cancel_of_a_whole_cascade(world: World) -> None:
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    assert "2 cancelled, 0 left alone" in run("cancel", world.cascade, "--all", "--reason", "withdrawn").output
    assert set(world.statuses().values()) == {"cancelled"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["replay", "c"], "replay what?"),
        (["replay", "c", "top", "--failed"], "replay what?"),
        (["replay", "c", "--all"], "--all needs the stage"),
        (["cancel", "c"], "cancel what?"),
        (["cancel", "c", "top", "--all"], "cancel what?"),
    ],
)
def test_what_is_asked_for_must_be_clear(world: World, words: list[str], says: str) -> None:
    result = run(*words, "--reason", "x")
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)
