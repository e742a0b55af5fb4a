"""Invariant 12: every change by a person is kept: who, when, why, before and after."""

from collections.abc import Callable

import pytest

from groundswell import audit
from groundswell.audit import entries
from groundswell.cascade.freezes import from_json
from groundswell.cascade.status import Stage
from tests.support.world import BASE, World, ref, registration, workload

type MakeWorld = Callable[..., World]

FREEZE = {
    "name": "fair",
    "environment": "other",
    "zone": "UTC",
    "days": ["mon-sun"],
    "from": "00:00",
    "until": "24:00",
    "why": "y",
}


def everything_a_person_does(make_world: MakeWorld) -> World:
    """Each by ann, for the reason y, a second apart."""
    world = make_world(registration("top", BASE, deployments=[workload("web")], approval="required"))
    operator = world.app.operator

    def ann(act: Callable[..., object], *subject: object, **rest: object) -> None:
        world.time += 1
        act(*subject, who="ann", why="y", **rest)
        world.drive()

    world.time += 1
    world.app.freezes.add(from_json(FREEZE), who="ann")
    ann(world.app.catalog.register, [registration("tool", ref("top"))])
    world.takes["top"] = 3
    world.push_base()
    world.drive(until=5)
    ann(operator.hold, world.cascade, "top")
    ann(operator.release, world.cascade, "top")
    ann(operator.hold_all, world.cascade)
    ann(operator.release_all, world.cascade)
    ann(operator.cancel, world.cascade, "top")
    ann(operator.replay, world.cascade, "top", stage=Stage.DEPLOY)
    ann(operator.approve, world.cascade, ["top"])
    ann(world.app.catalog.unregister, ["tool"])
    ann(world.app.freezes.remove, "fair")
    return world


def trail(world: World) -> list[tuple[str, str]]:
    found = [entry for entry in reversed(list(entries(world.app.store))) if entry["who"] == "ann"]
    assert {entry["why"] for entry in found} <= {"y"}
    assert [entry["at"] for entry in found] == sorted(entry["at"] for entry in found)
    assert all(entry["before"] != entry["after"] for entry in found)
    return [(entry["action"], entry["subject"].rpartition("/")[2]) for entry in found]


def test_everything_is_in_the_trail(make_world: MakeWorld) -> None:
    assert trail(everything_a_person_does(make_world)) == [
        ("freeze", "freeze fair"),
        ("register", "tool"),
        ("hold", "top"),
        ("release", "top"),
        ("hold", "top"),
        ("release", "top"),
        ("cancel", "top"),
        ("replay", "top"),
        ("approve", "top"),
        ("unregister", "tool"),
        ("unfreeze", "freeze fair"),
    ]


def test_without_the_trail_it_would_be_seen(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule taken away, to see that the test above can fail."""
    monkeypatch.setattr(audit, "record", lambda *_, **__: None)
    assert trail(everything_a_person_does(make_world)) == []
