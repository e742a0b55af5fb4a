"""`groundswell drift`, and what `cascades` and `why` tell of rings."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, NotFoundError
from tests.support.world import BASE, HOST, World, registration
from tests.unit.cascade.test_rings import BAKED, DEV, EU

HAND = f"{HOST}/top@sha256:by-hand"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    asked = (BAKED[0], {"environment": "prod-*", "approval": "required"})
    world = World(tmp_path, registration("top", BASE, deployments=[DEV, EU], rings=asked))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 300)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def roll_out(world: World, layer: str) -> None:
    world.push_base(layer)
    world.drive()
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()


def test_drift_is_listed_and_released(world: World) -> None:
    assert run("drift", "list").output.startswith("no drift: every workload")
    roll_out(world, "sha256:base1")
    world.deployer.running[str(DEV)] = HAND
    assert run("drift", "list").output.startswith("no drift")  # nobody has looked since
    assert f"{DEV}  top" in run("drift", "list", "--look").output
    roll_out(world, "sha256:base2")
    listed = run("drift", "list").output
    assert all(word in listed for word in (str(DEV), HAND, world.cascade))
    (entry,) = json.loads(run("drift", "list", "--json").output)
    assert (entry["workload"], entry["image"], entry["runs"]) == (str(DEV), "top", HAND)
    del world.deployer.running[str(EU)]
    looked = run("drift", "list", "--look")
    assert (HAND in looked.stdout, looked.stderr) == (True, f"not looked at: {EU} does not exist\n")
    assert isinstance(run("drift", "release", str(DEV), "--reason", " ").exception, InputError)
    assert isinstance(run("drift", "release", "nope", "--reason", "x").exception, NotFoundError)
    released = run("drift", "release", str(DEV), "--reason", "the fix is in")
    assert released.output == f"{DEV}: released; the next rollout of top moves it\n"
    assert json.loads(run("drift", "release", str(EU), "--reason", "x", "--json").output) == {
        "workload": str(EU),
        "image": "top",
        "released": True,
    }
    assert f"workload {DEV}" in run("audit").output


def test_rings_are_shown_and_what_they_wait_for(world: World) -> None:
    world.slow.add("d")
    world.push_base()
    world.drive(until=60)
    assert "dev (1800 s bake): deploying: of 1 workload, 1 moved" in run("cascades", world.cascade, "top").output
    assert "ring dev is deploying: of 1 workload, 1 moved" in run("why", "top").output
    world.slow.clear()
    world.drive(until=60)
    shown = run("cascades", world.cascade, "top").output
    assert "rings      dev (1800 s bake): baking" in shown
    assert "prod-* (approval): held" in shown
    said = run("why", "top").output
    assert "prod-* waits for approval; dev bakes until 2027-01-15 08:3" in said
    assert "`groundswell approve" in said
    assert "and the end of the bake" in said
    rings = json.loads(run("cascades", world.cascade, "top", "--json").output)["rings"]
    assert [(ring["ring"], ring["state"]) for ring in rings] == [("dev", "baking"), ("prod-*", "held")]
    world.unhealthy.add("d")
    world.drive()
    shown = run("cascades", world.cascade, "top").output
    assert "dev (1800 s bake): failed: of 1 workload, 1 returned" in shown
    assert "prod-* (approval): not begun" in shown
    assert ": returned (crash loop)" in shown
