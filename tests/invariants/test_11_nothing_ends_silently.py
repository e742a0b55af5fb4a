"""Invariant 11: poison messages, exhausted retries and timeouts become failed rebuilds, which can be replayed."""

import pytest

from groundswell.cascade import deadlines
from groundswell.cascade.engine import REBUILDS, Engine
from groundswell.cascade.events import Overdue, StageFailed
from groundswell.cascade.model import Command, Rebuild
from groundswell.errors import TemporaryError
from tests.invariants.mutations import Check, MakeWorld, Mutation, fails_when, replace_rule
from tests.support.world import BASE, World, registration

DAY = 86_400.0


def a_poisoned_message_is_a_failure(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    bodies: list[str] = []
    while not bodies:
        world.time += 1
        bodies = [message.body for message in world.app.store.receive(REBUILDS, limit=32, lease=600)]
    for body in bodies:
        world.app.engine.poisoned(body)
    failed_visibly_and_comes_back(world, "the message to observe it failed again and again")


def exhausted_retries_are_a_failure(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.builder.down = TemporaryError("the build service is away")
    world.push_base()
    world.drive()
    failed_visibly_and_comes_back(world, "gave up after 12 tries: the build service is away")


def a_run_without_an_end_is_a_failure(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.takes = {"top": 10_000_000}
    world.push_base()
    world.drive(until=3600)
    world.time += DAY
    world.app.sweep.run()
    world.drive(until=3600)
    failed_visibly_and_comes_back(world, "still building after 2 h: given up")


def failed_visibly_and_comes_back(world: World, why: str) -> None:
    state = world.states()["top"]
    assert state.status.value == "failed", state.reason
    assert state.reason.startswith(why)
    world.builder.down = None
    world.takes.clear()
    world.app.operator.replay(world.cascade, "top", who="ann", why="mended")
    world.drive()
    assert world.statuses() == {"top": "done"}


def failures_are_ignored(patch: pytest.MonkeyPatch) -> None:
    replace_rule(patch, StageFailed, lambda state, event: None)


def poison_is_dropped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "poisoned", lambda self, text: None)


def what_is_given_up_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    def quiet(self: Engine, command: Command, error: TemporaryError) -> list[Command]:
        return []

    patch.setattr(Engine, "_later", quiet)


def deadlines_do_not_count(patch: pytest.MonkeyPatch) -> None:
    def ever(state: Rebuild, now: float) -> str:
        return ""

    patch.setattr(deadlines, "overdue", ever)


def what_is_overdue_is_left(patch: pytest.MonkeyPatch) -> None:
    replace_rule(patch, Overdue, lambda state, event: None)


CHECKS = [
    (a_poisoned_message_is_a_failure, failures_are_ignored),
    (a_poisoned_message_is_a_failure, poison_is_dropped),
    (exhausted_retries_are_a_failure, failures_are_ignored),
    (exhausted_retries_are_a_failure, what_is_given_up_is_forgotten),
    (a_run_without_an_end_is_a_failure, deadlines_do_not_count),
    (a_run_without_an_end_is_a_failure, what_is_overdue_is_left),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS))
def test_it_holds(make_world: MakeWorld, check: Check) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "mutation"), CHECKS)
def test_it_can_fail(make_world: MakeWorld, check: Check, mutation: Mutation) -> None:
    fails_when(mutation, check, make_world)
