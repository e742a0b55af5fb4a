"""`groundswell alerts` and `groundswell rebuild`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.errors import InputError, NotFoundError, PermanentError
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    images = [registration(name, BASE, deployments=[workload(name)]) for name in ("bad", "dark")]
    world = World(tmp_path, *images)
    for name in ("bad", "dark"):
        world.deployer.running[str(workload(name))] = f"{HOST}/{name}@{world.registry.tags[ref(name)]}"
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 300)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def rounds(world: World) -> None:
    world.time += 86_400.0
    world.app.rescan.take_stock()
    world.app.rescan.scan()


def test_alerts_are_listed_with_what_may_mend_them(world: World) -> None:
    assert run("alerts").output.startswith("no alerts: ")
    world.vulnerable.add("bad")
    rounds(world)
    listed = run("alerts").output
    assert "CVE-1 CRITICAL in p 1" in listed
    assert "dark" not in listed
    assert "bad: a build may bring newer packages: groundswell rebuild bad --reason CVE-1" in listed
    (entry,) = json.loads(run("alerts", "--json").output)
    assert (entry["image"], entry["kind"], entry["open"]) == ("bad", "refused", True)
    assert "clean" in run("alerts", "--all").output
    world.vulnerable.clear()
    world.scanner.down = PermanentError("no such system")
    rounds(world)
    listed = run("alerts").output
    assert listed.count("no such system") == 2
    assert "unscannable" in listed
    world.scanner.down = None
    rounds(world)
    assert run("alerts").output.startswith("no alerts: ")
    assert "refused, resolved" in run("alerts", "--all").output


def test_a_rebuild_begun_by_policy_is_named(world: World) -> None:
    gate = {"on_new_finding": "rebuild"}
    world.app.catalog.register([registration("bad", BASE, deployments=[workload("bad")], gate=gate)], who="ann")
    world.vulnerable.add("bad")
    rounds(world)
    assert f"(cascade {world.cascade} was begun for it)" in run("alerts").output


def test_what_a_build_does_not_mend_has_no_command(world: World) -> None:
    world.vulnerable.add("bad")
    world.registry.put(ref("bad"), image_of(["sha256:newer"]))
    rounds(world)
    listed = run("alerts").output
    assert "bad: its stable tag has moved on to sha256:" in listed
    assert "groundswell rebuild" not in listed


def test_who_runs_it_is_told_with_a_few_names(world: World) -> None:
    many = [workload(f"w{number}") for number in range(5)]
    world.app.catalog.register([registration("bad", BASE, deployments=many)], who="ann")
    for target in many:
        world.deployer.running[str(target)] = f"{HOST}/bad@{world.registry.tags[ref('bad')]}"
    world.vulnerable.add("bad")
    rounds(world)
    assert f"{many[2]}; and 2 more" in run("alerts").output


def test_a_person_begins_a_rebuild(world: World) -> None:
    assert isinstance(run("rebuild", "bad", "--reason", " ").exception, InputError)
    assert isinstance(run("rebuild", "nope", "--reason", "x").exception, NotFoundError)
    begun = run("rebuild", "bad", "--reason", "CVE-1").output
    assert begun.startswith(f"bad: begun as cascade {world.cascade}; ")
    world.drive()
    assert "bad" in run("cascades").output
    again = json.loads(run("rebuild", "bad", "--reason", "once more", "--json").output)
    assert again == {"image": "bad", "cascade": world.cascade}
    assert "once more" in run("audit").output
