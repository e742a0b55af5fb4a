"""`groundswell backup` and `restore`, as a person meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import audit, wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, PermanentError
from tests.support.world import BASE, World, registration


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[World, World]]:
    made = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        made.append(World(tmp_path / name, *([registration("top", BASE)] if name == "old" else [])))
    monkeypatch.setattr(wiring, "_app", lambda: made[0].app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield made[0], made[1]
    for world in made:
        world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, [*args, "--reason", "r"], catch_exceptions=True)


def test_there_and_back(worlds: tuple[World, World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = worlds
    old.push_base()
    old.drive()
    file = tmp_path / "state.gz"
    said = run("backup", str(file))
    assert said.exit_code == 0, said.exception
    assert "documents as of 2027-01-15 08:00:" in said.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["state.gz"]
    entry = next(audit.entries(old.app.store))
    assert (entry["who"], entry["action"], entry["why"]) == ("ann", "backup", "r")
    monkeypatch.setattr(wiring, "_app", lambda: new.app)
    checked = json.loads(run("restore", str(file), "--check", "--json").output)
    assert new.app.store.tables() == []
    restored = json.loads(run("restore", str(file), "--json").output)
    assert restored == checked
    assert restored["tables"]["cascades"] == 2
    assert new.statuses() == {"top": "done"}
    refused = run("restore", str(file))
    assert isinstance(refused.exception, InputError)
    assert "the store is not empty" in str(refused.exception)
    assert run("restore", str(file), "--force").exit_code == 0


def test_nothing_is_written_over_and_nothing_half_is_left(
    worlds: tuple[World, World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.gz"
    file.write_text("mine")
    refused = run("backup", str(file))
    assert isinstance(refused.exception, InputError)
    assert file.read_text() == "mine"

    def broken() -> list[str]:
        raise PermanentError("no tables")

    monkeypatch.setattr(worlds[0].app.store, "tables", broken)
    assert isinstance(run("backup", str(tmp_path / "other.gz")).exception, PermanentError)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["state.gz"]
