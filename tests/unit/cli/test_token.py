"""`groundswell token`, as a person meets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.access.principal import UnauthenticatedError
from groundswell.cli import common, main
from groundswell.errors import InputError
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr("time.time", lambda: world.time)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, ["token", *args])


def test_a_token_from_its_making_to_its_end(world: World) -> None:
    assert "token create" in run("list").output
    words = ("--role", "registrar", "--role", "reader", "--team", "shop", "--days", "1", "--reason", "r")
    made = run("create", "ci", *words)
    text, said = made.output.splitlines()
    principal = world.app.tokens.principal(text)
    id_ = principal.id.removeprefix("token:")
    assert said == f"{id_}: reader, registrar of shop, until 2027-01-16 08:00:00Z; it is not shown again"
    listed = run("list").output
    assert all(part in listed for part in (id_, "ci", "reader, registrar of shop", "valid", "ann"))
    assert text not in listed
    assert run("revoke", id_, "--reason", "over").output == f"{id_} (ci): revoked\n"
    with pytest.raises(UnauthenticatedError):
        world.app.tokens.principal(text)
    assert "revoked" in run("list").output


def test_as_json(world: World) -> None:
    made = json.loads(run("create", "ci", "--role", "admin", "--reason", "r", "--json").output)
    assert world.app.tokens.principal(made["token"]).name == "ci"
    (listed,) = json.loads(run("list", "--json").output)
    assert (listed["id"], listed["state"], listed["roles"]) == (made["id"], "valid", ["admin"])
    assert "token" not in listed
    assert json.loads(run("revoke", made["id"], "--reason", "r", "--json").output)["revoked_at"] == world.time


def test_what_is_wrong_is_said(world: World) -> None:
    assert run("create", "ci", "--reason", "r").exit_code == 2
    assert run("create", "ci", "--role", "root", "--reason", "r").exit_code == 2
    assert isinstance(run("create", "ci", "--role", "registrar", "--reason", "r").exception, InputError)
