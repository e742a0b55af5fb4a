"""`groundswell verify` and `groundswell key`, as a person meets them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, NotFoundError
from tests.support.signing import FakeSigner
from tests.support.world import BASE, World, ref, registration


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE))
    vars(world.app).update(signer=FakeSigner())
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_a_promoted_image_is_verified(world: World, tmp_path: Path) -> None:
    world.push_base()
    world.drive()
    shown = run("verify", ref("top"))
    digest = world.registry.tags[ref("top")]
    assert shown.exit_code == 0
    assert shown.output.splitlines()[0] == f"{ref('top')}@{digest}: verified"
    assert [line.split()[0] for line in shown.output.splitlines()[2:]] == [
        *("signature", "attestation", "attestation", "artifact", "artifact")
    ]
    key = tmp_path / "key.pub"
    key.write_text(run("key").output)
    assert key.read_bytes() == FakeSigner().public_key()
    assert run("verify", f"{ref('top')}@{digest}", "--key", str(key)).exit_code == 0


def test_one_that_is_not_ours_is_not(world: World, tmp_path: Path) -> None:
    world.push_base()
    world.drive()
    key = tmp_path / "other.pub"
    key.write_bytes(FakeSigner(secret=7).public_key())
    shown = run("verify", ref("top"), "--key", str(key), "--json")
    assert shown.exit_code == 1
    document = json.loads(shown.output)
    assert document["verified"] is False
    assert document["attached"][0]["why"] == "not by this key, or not of this image"
    bare = run("verify", BASE)
    assert (bare.exit_code, bare.output.count("\n")) == (1, 1)
    assert bare.output.endswith(": not verified\n")


def test_without_a_key_it_shows_what_there_is(world: World) -> None:
    world.push_base()
    world.drive()
    vars(world.app).update(signer=None)
    shown = run("verify", ref("top"))
    assert shown.exit_code == 1
    assert " yes" not in shown.output
    failed = run("key")
    assert isinstance(failed.exception, NotFoundError)
    assert "GROUNDSWELL_SIGNING_KEY names no key" in str(failed.exception)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["A B"], InputError, "invalid reference format"),
        (["acr.example.com/nothing:1"], NotFoundError, "is not in its registry"),
        ([BASE, "--key", "/nowhere/key.pub"], InputError, "/nowhere/key.pub cannot be read: No such file"),
    ],
)
def test_bad_input(world: World, arguments: list[str], error: type[Exception], says: str) -> None:
    failed = run("verify", *arguments)
    assert isinstance(failed.exception, error)
    assert says in str(failed.exception)
