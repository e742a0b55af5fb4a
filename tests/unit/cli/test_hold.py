"""`groundswell hold`, `release`, `approve` and `freeze`, as a person meets them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, freeze, main
from groundswell.errors import InputError, NotFoundError
from tests.support.world import BASE, World, ref, registration, workload


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(
        tmp_path,
        registration("top", BASE, deployments=[workload("web")], approval="required"),
        registration("app", ref("top")),
    )
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(freeze.time, "time", lambda: world.time)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def freeze_now(world: World, name: str = "fair", *rest: str) -> Result:
    begin, end = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (world.time, world.time + 7200)
    )
    words = ("--zone", "UTC", "--from", begin, "--until", end, "--reason", "the fair")
    return run("freeze", "add", name, *words, *rest)


def test_an_image_is_held_and_released(world: World) -> None:
    world.takes["top"] = 3
    world.push_base()
    world.drive(until=5)
    held = run("hold", world.cascade, "top", "--reason", "look first")
    assert held.output == "top: building: run r0; to be held by ann: look first, before its promotion\n"
    world.drive()
    shown = run("cascades", world.cascade).output
    assert "before its promotion: held by ann: look first" in shown
    assert "waits for top" in shown
    again = run("hold", world.cascade, "top", "--reason", "x")
    assert isinstance(again.exception, InputError)
    document = json.loads(run("release", world.cascade, "top", "--reason", "looked", "--json").output)
    assert document == {
        "cascade": world.cascade,
        "image": "top",
        "status": "scanning",
        "reason": "released by ann: looked",
    }


def test_a_whole_cascade_is_held_and_released(world: World) -> None:
    world.takes["top"] = 3
    world.push_base()
    world.drive(until=5)
    shown = run("hold", world.cascade, "--reason", "look first").output
    assert "2 held, 0 left alone, 0 not done" in shown
    assert "to be held by ann: look first, when it could begin" in shown
    world.drive()
    assert world.statuses() == {"top": "held", "app": "waiting"}
    document = json.loads(run("release", world.cascade, "--reason", "looked", "--json").output)
    assert [(item["image"], item["status"]) for item in document["done"]] == [
        ("top", "scanning"),
        ("app", "waiting"),
    ]


def test_an_approval_is_asked_for_by_name_or_for_all(world: World) -> None:
    world.push_base()
    world.drive()
    result = run("approve", world.cascade, "app", "--reason", "x")
    assert (result.exit_code, "app does not wait for an approval: it is done" in result.output) == (1, True)
    for words in ([], ["top", "--all"]):
        refused = run("approve", world.cascade, *words, "--reason", "x")
        assert "approve what?" in str(refused.exception)
    result = run("approve", world.cascade, "--all", "--reason", "tried it")
    assert (result.exit_code, "1 approved, 0 left alone" in result.output) == (0, True)
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    assert "tried it" in run("audit").output


def test_an_urgent_one_goes_through_a_freeze(world: World) -> None:
    assert freeze_now(world).output.startswith(
        "fair: *, 2027-01-15T08:00 to 2027-01-15T10:00 UTC: in force until Fri"
    )
    world.push_base()
    world.drive()
    assert "c is frozen until Fri 2027-01-15 10:00 UTC (fair: the fair)" in run("cascades", world.cascade).output
    run("approve", world.cascade, "top", "--reason", "fine")
    world.drive()
    assert world.statuses()["top"] == "held"
    urgent = run("approve", world.cascade, "top", "--despite-freeze", "--reason", "CVE-2026-1", "--json")
    assert [item["image"] for item in json.loads(urgent.output)["done"]] == ["top"]
    world.drive()
    assert world.statuses()["top"] == "done"


def test_freezes_are_added_listed_and_removed(world: World) -> None:
    assert "no freezes" in run("freeze", "list").output
    assert "c is not frozen now" in run("freeze", "list", "--environment", "c").output
    freeze_now(world)
    weekly = run(
        *("freeze", "add", "nights", "--environment", "prod-*", "--zone", "Europe/Berlin", "--days", "mon-thu,sun"),
        *("--from", "18:00", "--until", "24:00", "--reason", "nobody is on call", "--json"),
    )
    document = json.loads(weekly.output)
    assert document == {
        "name": "nights",
        "environment": "prod-*",
        "zone": "Europe/Berlin",
        "days": ["mon", "tue", "wed", "thu", "sun"],
        "from": "18:00",
        "until": "00:00",
        "why": "nobody is on call",
        "in_force": False,
        "ends_at": None,
    }
    listed = json.loads(run("freeze", "list", "--json").output)
    assert [(rule["name"], rule["in_force"], rule["ends_at"]) for rule in listed] == [
        ("fair", True, 1_800_007_200.0),
        ("nights", False, None),
    ]
    shown = run("freeze", "list").output
    assert "mon,tue,wed,thu,sun 18:00 to 00:00 Europe/Berlin" in shown
    assert "in force until Fri 2027-01-15 10:00 UTC" in shown
    assert "not in force" in shown
    one = run("freeze", "list", "--environment", "c").output
    assert "c is frozen until Fri 2027-01-15 10:00 UTC (fair: the fair)" in one
    assert "nights" not in one
    assert run("freeze", "remove", "fair", "--reason", "over").output == "fair: removed\n"
    assert json.loads(run("freeze", "remove", "nights", "--reason", "over", "--json").output) == {
        "name": "nights",
        "removed": True,
    }
    assert isinstance(run("freeze", "remove", "nights", "--reason", "over").exception, NotFoundError)
    trail = json.loads(run("audit", "--json").output)
    assert {(entry["action"], entry["subject"], entry["who"], entry["why"]) for entry in trail} >= {
        ("freeze", "freeze fair", "ann", "the fair"),
        ("unfreeze", "freeze fair", "ann", "over"),
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--zone", "Mars", "--from", "2026-12-18T18:00", "--until", "2026-12-19T18:00"], "no time zone 'Mars'"),
        (["--zone", "UTC", "--from", "18:00", "--until", "06:00"], "must be a local date and time"),
        (["--zone", "UTC", "--days", "fr", "--from", "18:00", "--until", "06:00"], "'fr' is no day"),
    ],
)
def test_a_freeze_that_is_wrong_says_so(world: World, words: list[str], says: str) -> None:
    result = run("freeze", "add", "f", *words, "--reason", "x")
    assert isinstance(result.exception, InputError)
    assert says in str(result.exception)
