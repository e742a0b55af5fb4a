"""The build that follows a rebase: once, when there is room, and never in anybody's way."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from groundswell.audit import entries
from groundswell.cascade.model import Rebuild
from groundswell.cascade.operate import Operator
from groundswell.cascade.owed import WHO, WHY
from groundswell.cascade.status import Status
from groundswell.errors import InputError
from groundswell.lineage.model import REBASE, REBASE_THEN_REBUILD, Registration
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]


def top(*, name: str = "top", runtime: str = BASE, strategy: str = REBASE_THEN_REBUILD) -> Registration:
    return registration(name, runtime, strategy=strategy, deployments=[workload(name)])


def rebase_all(world: World) -> None:
    """Build everything once, and then rebase it."""
    for layer in ("sha256:base1", "sha256:base2"):
        world.push_base(layer)
        world.drive()


def sweep(world: World, rounds: int = 1) -> None:
    for _ in range(rounds):
        world.time += 60.0
        world.app.sweep.run()
        world.drive()


def built(world: World) -> Sequence[str]:
    return [request.repository for request in world.builder.requests]


def open_cascades(world: World) -> list[str]:
    return world.app.engine.records.open()


def test_it_follows_when_the_cascade_has_ended_and_that_is_all(make_world: MakeWorld) -> None:
    world = make_world(top())
    world.push_base("sha256:base1")
    world.drive()
    sweep(world)
    assert (built(world), open_cascades(world)) == (["top"], [])
    world.push_base("sha256:base2")
    world.drive()
    before = world.states()["top"]
    assert (before.status, before.run, built(world)) == (Status.DONE, "", ["top"])
    world.sources["top"] = "1b"  # a build makes another image of it, as real ones do
    sweep(world)
    after = world.states()["top"]
    assert (after.status, after.run, after.attempt, built(world)) == (Status.DONE, "r1", 2, ["top", "top"])
    assert after.promoted != before.promoted
    assert world.deployer.running[str(workload("top"))].endswith(after.promoted)
    assert f"replayed from build by {WHO}: {WHY}" in [moment.reason for moment in after.history]
    (entry,) = (each for each in entries(world.app.store) if each["action"] == "replay")
    assert (entry["who"], entry["why"]) == (WHO, WHY)
    sweep(world, 5)
    assert (built(world), open_cascades(world)) == (["top", "top"], [])


def test_a_build_that_fails_is_not_tried_again(make_world: MakeWorld) -> None:
    world = make_world(top())
    rebase_all(world)
    stable = world.registry.tags[ref("top")]
    world.broken.add("top")
    sweep(world, 4)
    assert world.statuses() == {"top": "failed"}
    assert built(world) == ["top", "top"]
    assert world.registry.tags[ref("top")] == stable
    assert open_cascades(world) == []


def test_what_was_to_be_rebased_only_is_left(make_world: MakeWorld) -> None:
    world = make_world(top(strategy=REBASE))
    rebase_all(world)
    sweep(world, 3)
    assert (built(world), open_cascades(world)) == (["top"], [])


@pytest.mark.parametrize("anew", [REBASE, ""], ids=["registered anew", "unregistered"])
def test_who_is_registered_otherwise_by_then_owes_nothing(make_world: MakeWorld, anew: str) -> None:
    world = make_world(top())
    rebase_all(world)
    if anew:
        world.app.catalog.register([top(strategy=anew)], who="ann")
    else:
        world.app.catalog.unregister(["top"], who="ann", why="gone")
    sweep(world, 3)
    assert (built(world), open_cascades(world)) == (["top"], [])


def test_while_slots_are_taken_it_waits(make_world: MakeWorld) -> None:
    other = f"{HOST}/mirror/other:1"
    world = make_world(top(), slots=1)
    world.registry.put(other, image_of(["sha256:other0"]))
    world.register(registration("slow", other))
    rebase_all(world)
    owing = world.cascade
    assert world.states()["top"].run == ""
    world.takes["slow"] = 1000
    world.registry.put(other, image_of(["sha256:other1"]))
    world.drive(until=30.0)
    assert world.statuses() == {"slow": "building"}
    for _ in range(3):
        world.time += 60.0
        world.app.sweep.cascades()
    assert world.states(owing)["top"].run == ""
    assert owing in open_cascades(world)
    world.takes["slow"] = 0
    world.drive()
    sweep(world, 2)
    assert world.states(owing)["top"].run != ""
    assert built(world) == ["top", "slow", "top"]


def test_one_in_line_goes_first(make_world: MakeWorld) -> None:
    pools = make_world(top(), slots=2).app.engine
    assert pools.room("top")
    world = make_world(*(registration(f"i{number}", BASE) for number in range(3)), slots=2)
    world.takes.update({f"i{number}": 1000 for number in range(3)})
    world.push_base("sha256:base1")
    world.drive(until=30.0)
    assert not world.app.engine.room("i0")


def test_bases_are_built_first_and_each_once(make_world: MakeWorld) -> None:
    world = make_world(top(), top(name="app", runtime=ref("top")))
    rebase_all(world)
    assert built(world) == ["top", "app"]
    world.sources |= {"top": "1b", "app": "1b"}
    sweep(world, 6)
    states = world.states()
    assert {state.status for state in states.values()} == {Status.DONE}
    assert built(world).count("top") == 2
    assert all("rebased" not in state.inputs for state in states.values())
    app = world.registry.images[states["app"].promoted].platforms[0].diff_ids
    assert app[:2] == world.registry.images[states["top"].promoted].platforms[0].diff_ids
    assert open_cascades(world) == []


def test_what_a_newer_cascade_has_is_left_to_that_one(make_world: MakeWorld) -> None:
    world = make_world(top())
    world.push_base("sha256:base1")
    world.drive()
    for layer in ("sha256:base2", "sha256:base3"):
        world.time += 7200.0
        world.push_base(layer)
        world.drive()
    newer, older = world.cascades[:2]
    sweep(world, 3)
    assert world.states(older)["top"].run == ""
    assert world.states(newer)["top"].run == "r1"
    assert open_cascades(world) == []


def test_somebody_who_replays_it_this_moment(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(top())
    rebase_all(world)

    def busy(self: Operator, cascade: str, image: str, **_: object) -> Rebuild:
        raise InputError(f"{image} is building: wait until it has ended")

    with monkeypatch.context() as patch:
        patch.setattr(Operator, "replay", busy)
        sweep(world)
    assert world.cascade in open_cascades(world)
    sweep(world, 2)
    assert built(world) == ["top", "top"]


def test_a_rebase_that_changed_nothing_owes_nothing(make_world: MakeWorld) -> None:
    world = make_world(top())
    world.push_base("sha256:base1")
    world.drive()
    base = image_of(["sha256:base1"])
    world.registry.put(BASE, replace(base, digest="sha256:" + "7" * 64))
    world.drive()
    assert world.statuses() == {"top": "unchanged"}
    sweep(world, 3)
    assert built(world) == ["top"]
