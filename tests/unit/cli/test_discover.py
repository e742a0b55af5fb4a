"""`groundswell lineage discover` as a person meets it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.cli.discover import discover
from groundswell.errors import InputError, NotFoundError, TemporaryError
from tests.support.world import BASE, HOST, World, image_of, ref, registration


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE), registration("app", ref("top")))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(common.console, "width", 250)
    world.registry.put(ref("extra"), image_of(["sha256:base0", "sha256:extra"]))
    world.registry.put(BASE, image_of(["sha256:base1"]))
    yield world
    world.close()


def run(*args: str) -> Result:
    app = typer.Typer()
    app.command()(discover)
    return CliRunner().invoke(app, list(args))


def test_table(world: World) -> None:
    more = registration("lost", BASE), registration("flat", BASE, build=[ref("top"), ref("never")])
    world.app.catalog.register(more, who="test")
    world.registry.put(ref("flat"), image_of(["sha256:flat"]))
    result = run(HOST)
    assert result.exit_code == 0, result.output
    assert "app:1    top:1" in result.output
    assert "proven" in result.output
    assert "Registered, and not proven or not up to date:" in result.output
    assert "proven, stale" in result.output
    assert "squashed base" in result.output
    assert "never:1 (build)" in result.output
    assert "top:1 (build)" not in result.output
    assert "Not registered, and standing on something:" in result.output
    assert "note: lost is registered" in result.output
    assert "images in 5 repositories" in result.output


def test_json(world: World) -> None:
    result = run(HOST, "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document) == ["registry", "counts", "images", "registered", "unregistered", "missing", "unreadable"]
    assert document["counts"] == {
        "repositories": 4,
        "tags": 4,
        "images": 4,
        "candidates": 0,
        "artifacts": 0,
        "unreadable": 0,
    }
    app = next(image for image in document["images"] if image["image"] == ref("app"))
    assert app["tags"] == [ref("app")]
    assert app["platforms"] == ["linux/amd64"]
    assert app["stands_on"] == [
        {
            "base": ref("top"),
            "kind": "runtime",
            "sureness": "proven",
            "basis": "layers",
            "place": "here",
            "stale": False,
            "base_digest": world.registry.tags[ref("top")],
            "current_digest": world.registry.tags[ref("top")],
            "platforms": ["linux/amd64"],
            "why": "its layers begin with the base's",
        }
    ]
    top = next(edge for edge in document["registered"] if edge["image"] == "top")
    assert (top["base"], top["sureness"], top["stale"]) == (BASE, "proven", True)
    (extra,) = document["unregistered"]
    assert (extra["image"], extra["reaches"], extra["sibling"]) == (ref("extra"), False, None)


def test_options(world: World) -> None:
    document = json.loads(run(HOST, "--repository", "app", "--repository", "to*", "--tags", "1", "--json").stdout)
    assert [image["image"] for image in document["images"]] == [ref("app"), ref("top")]
    assert run(HOST, "--tags", "0").exit_code == 2


def test_errors(world: World) -> None:
    assert isinstance(run("nowhere").exception, InputError)
    assert isinstance(run(HOST, "--repository", "nothing").exception, NotFoundError)
    world.registry.down = TemporaryError("it is away", delay=0)
    error = run(HOST).exception
    assert isinstance(error, TemporaryError)
    assert main.exit_code(error) == 5
