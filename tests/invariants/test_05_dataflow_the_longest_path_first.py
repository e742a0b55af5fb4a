"""Invariant 5: a dependant starts when its last base is promoted, the longest path first, within the limit."""

import pytest

from groundswell.cascade import meaning, schedule
from groundswell.cascade.model import Outcome, Rebuild
from groundswell.cascade.status import Status
from tests.invariants.mutations import Check, MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, ref, registration, workload


def nobody_waits_for_more_than_its_bases(make_world: MakeWorld) -> None:
    """`after` stands on `fast`: neither `slow`, of the same level, nor the rollout of `fast` holds it up."""
    world = make_world(
        registration("fast", BASE, deployments=[workload("web")]),
        registration("slow", BASE),
        registration("after", ref("fast")),
    )
    world.slow.add("web")
    world.takes = {"slow": 10_000}
    world.push_base()
    world.drive(until=120)
    assert world.statuses() == {"fast": "deploying", "slow": "building", "after": "done"}


def the_longest_path_is_built_first(make_world: MakeWorld) -> None:
    world = make_world(
        registration("alone", BASE),
        registration("also", BASE),
        registration("long", BASE),
        registration("longer", ref("long")),
        registration("longest", ref("longer")),
        slots=1,
    )
    world.push_base()
    world.drive()
    built = [request.repository for request in world.builder.requests]
    # While "long" is verified, scanned and promoted the slot is free for another; then "longer" goes first again.
    assert built == ["long", "alone", "longer", "also", "longest"]


def no_more_build_than_there_are_slots(make_world: MakeWorld) -> None:
    world = make_world(*(registration(f"image{number}", BASE) for number in range(9)), slots=3)
    world.takes = {f"image{number}": 3 for number in range(9)}
    most, deliver = 0, world.deliver

    def looked(name: str, body: str) -> None:
        nonlocal most
        deliver(name, body)
        most = max(most, building(world))

    world.deliver = looked  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert most == 3, "all of the slots, and not one more"


def building(world: World) -> int:
    return sum(status == "building" for status in world.statuses().values()) if world.cascades else 0


def rollouts_are_waited_for(patch: pytest.MonkeyPatch) -> None:
    outcome = meaning.outcome

    def late(state: Rebuild) -> Outcome:
        return Outcome.PENDING if state.status is Status.DEPLOYING else outcome(state)

    patch.setattr(meaning, "outcome", late)


def paths_do_not_count(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(schedule, "row", lambda cascade, image, priority: f"{cascade}/{image}")
    patch.setattr(
        "groundswell.cascade.plan.remaining_paths", lambda dependants, seconds: dict.fromkeys(seconds, 1.0)
    )


def one_slot_more(patch: pytest.MonkeyPatch) -> None:
    grant = schedule.grant
    patch.setattr(schedule, "grant", lambda pool, slots, front, **rest: grant(pool, slots + 1, front, **rest))


def one_slot_only(patch: pytest.MonkeyPatch) -> None:
    grant = schedule.grant
    patch.setattr(schedule, "grant", lambda pool, slots, front, **rest: grant(pool, 1, front, **rest))


CHECKS = [
    (nobody_waits_for_more_than_its_bases, rollouts_are_waited_for),
    (nobody_waits_for_more_than_its_bases, one_slot_only),
    (the_longest_path_is_built_first, paths_do_not_count),
    (no_more_build_than_there_are_slots, one_slot_more),
    (no_more_build_than_there_are_slots, one_slot_only),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS))
def test_it_holds(make_world: MakeWorld, check: Check) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "mutation"), CHECKS)
def test_it_can_fail(make_world: MakeWorld, check: Check, mutation: Mutation) -> None:
    fails_when(mutation, check, make_world)
