"""Invariant 4: one active rebuild per image, none for inputs that were built and good, a diamond's bottom once."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from groundswell.cascade import decide, meaning, schedule
from groundswell.cascade.events import Replayed
from groundswell.cascade.inputs import Inputs
from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.pools import Pools
from groundswell.cascade.schedule import Entry, Pool
from groundswell.cascade.status import Stage
from tests.invariants.mutations import Check, MakeWorld, Mutation, fails_when, replace_rule, rule
from tests.support.world import BASE, HOST, World, image_of, ref, registration

TOOLS = f"{HOST}/mirror/tools:1"


def a_diamonds_bottom_is_rebuilt_once(make_world: MakeWorld) -> None:
    world = make_world(
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")]),
    )
    world.takes = {"right": 30}
    world.push_base()
    world.drive()
    built = [request.repository for request in world.builder.requests]
    assert sorted(built) == ["bottom", "left", "right", "top"]
    assert built[-1] == "bottom", "after all its affected bases"


def two_pushes_never_build_an_image_at_once(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[TOOLS]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    most = watch_builds(world)
    world.takes = {"app": 10}
    world.push_base()
    world.drive(until=20)
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    assert most() == 1
    assert {status for cascade in world.cascades for status in world.statuses(cascade).values()} <= {
        "done",
        "unchanged",
        "superseded",
    }


def watch_builds(world: World) -> Callable[[], int]:
    """The most builds of one image that were under way at once, looked at after each message."""
    deliver, most = world.deliver, 0

    def looked(name: str, body: str) -> None:
        nonlocal most
        deliver(name, body)
        states = [state for cascade in world.cascades for state in world.states(cascade).values()]
        images = [state.image for state in states if state.status.value == "building"]
        most = max(most, *(images.count(image) for image in images), 0)

    world.deliver = looked  # type: ignore[method-assign]
    return lambda: most


def a_pool_gives_an_image_one_slot(make_world: MakeWorld) -> None:
    """Whatever two cascades ask for."""
    world = make_world()
    pools = Pools(world.app.store, slots=4, agent_pools={}, clock=world.app.clock)
    entries = [Entry(cascade=cascade, image="app", turn=1, priority=1.0, since=0.0) for cascade in ("one", "other")]
    granted = pools.admit(entries)
    assert [entry.image for entry in granted] == ["app"]


def what_was_built_and_good_is_not_built_again(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    operator = world.app.operator
    operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="once more")
    world.drive()
    assert len(world.builder.requests) == 1
    operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="I insist", force=True)
    world.drive()
    assert len(world.builder.requests) == 2, "a person may force it"


def pending_bases_are_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    standing = meaning.standing

    def hasty(waits: dict[str, Wait]) -> object:
        pending = {base: wait for base, wait in waits.items() if wait.outcome is Outcome.PENDING}
        ready = {base: wait for base, wait in waits.items() if base not in pending}
        return standing(ready if ready and len(pending) < len(waits) else waits)

    patch.setattr(meaning, "standing", hasty)


def the_same_image_elsewhere_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """Neither when a cascade is planned, nor when slots are granted."""
    begin = decide.begin

    def alone(state: Rebuild, *, at: float) -> object:
        others = {base for base in state.waits if base.endswith(f"/{state.image}")}
        return begin(replace(state, waits={b: wait for b, wait in state.waits.items() if b not in others}), at=at)

    patch.setattr("groundswell.cascade.plan.begin", alone)
    slots_are_granted_twice(patch)


def slots_are_granted_twice(patch: pytest.MonkeyPatch) -> None:
    grant = schedule.grant

    def apart(
        pool: Pool, slots: int, front: Callable[[str], Iterable[Entry]], *, now: float
    ) -> tuple[Pool, tuple[Entry, ...]]:
        """Each cascade's images have names of their own."""
        names: dict[str, Entry] = {}

        def renamed(entry: Entry) -> Entry:
            other = replace(entry, image=f"{entry.image} of {entry.cascade}")
            names[other.image] = entry
            return other

        running = {key: renamed(entry) for key, entry in pool.running.items()}
        after, granted = grant(
            replace(pool, running=running), slots, lambda cascade: map(renamed, front(cascade)), now=now
        )
        entries = [names[entry.image] for entry in after.running.values()]
        known = {schedule.key(entry.cascade, entry.image): entry for entry in entries}
        return replace(after, running=known), tuple(names[entry.image] for entry in granted)

    patch.setattr(schedule, "grant", apart)


def every_build_has_a_key_of_its_own(patch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(1000))
    patch.setattr(Inputs, "key", property(lambda self: f"{next(numbers):064d}"))


def nobody_can_insist(patch: pytest.MonkeyPatch) -> None:
    replayed = rule(Replayed)
    replace_rule(patch, Replayed, lambda state, event: replayed(state, replace(event, force=False)))


CHECKS = [
    (a_diamonds_bottom_is_rebuilt_once, pending_bases_are_not_waited_for),
    (two_pushes_never_build_an_image_at_once, the_same_image_elsewhere_is_not_looked_at),
    (a_pool_gives_an_image_one_slot, slots_are_granted_twice),
    (what_was_built_and_good_is_not_built_again, every_build_has_a_key_of_its_own),
    (what_was_built_and_good_is_not_built_again, nobody_can_insist),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS))
def test_it_holds(make_world: MakeWorld, check: Check) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "mutation"), CHECKS)
def test_it_can_fail(make_world: MakeWorld, check: Check, mutation: Mutation) -> None:
    fails_when(mutation, check, make_world)
