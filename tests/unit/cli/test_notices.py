"""`groundswell notices`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, NotFoundError, PermanentError
from tests.support.notices import channel, deliver, listen
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 300)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, ["notices", *args])


def test_they_are_listed_and_sent_again(world: World) -> None:
    assert "GROUNDSWELL_NOTIFY names no channel" in run("list").output
    sender = listen(world, chat=channel(url="https://chat/hidden"))
    sender.down["https://chat/hidden"] = PermanentError("it answered 404")
    told = run("test", "chat", "--reason", "new").output
    ident = told.split()[0]
    assert "groundswell notices list --channel chat" in told
    deliver(world.app)
    listed = run("list", "--state", "dead").output
    assert ident in listed
    assert "it answered 404" in listed
    assert "hidden" not in listed
    assert run("list", "--channel", "other").output.startswith("no notices")
    sender.down.clear()
    again = json.loads(run("resend", ident, "chat", "--reason", "it is back", "--json").output)
    assert (again["id"], again["state"]) == (ident, "waiting")
    deliver(world.app)
    (entry,) = json.loads(run("list", "--json").output)
    assert (entry["state"], entry["kind"], entry["channel"]) == ("sent", "test", "chat")


def test_what_is_wrong_is_said(world: World) -> None:
    listen(world, chat=channel())
    assert isinstance(run("list", "--state", "lost").exception, InputError)
    assert isinstance(run("test", "other", "--reason", "x").exception, NotFoundError)
    assert isinstance(run("test", "chat", "--reason", " ").exception, InputError)
    assert isinstance(run("resend", f"n{0:025}", "chat", "--reason", "x").exception, NotFoundError)
