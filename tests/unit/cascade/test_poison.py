"""What no delivery could deal with ends where people see it."""

import json
from collections.abc import Callable

import pytest

from groundswell import audit
from groundswell.cascade.codec import command_to_text
from groundswell.cascade.model import Command, Kind
from groundswell.cascade.status import Stage
from groundswell.errors import TemporaryError
from tests.support.world import BASE, World, ref, registration, workload

type MakeWorld = Callable[..., World]

STAGES = {
    Kind.ADMIT: Stage.BUILD,
    Kind.BUILD: Stage.BUILD,
    Kind.OBSERVE: Stage.BUILD,
    Kind.VERIFY: Stage.VERIFY,
    Kind.SCAN: Stage.SCAN,
    Kind.PROMOTE: Stage.PROMOTE,
    Kind.DEPLOY: Stage.DEPLOY,
    Kind.WATCH: Stage.DEPLOY,
}


def stop_at(world: World, kind: Kind) -> str:
    """Drive until this kind of step comes, and is put off; the message that says so, off its queue."""
    caught: list[str] = []
    later: list[tuple[str, str]] = []
    engine, handled = world.app.engine, world.deliver

    def fail(*_: object, **__: object) -> None:
        raise TemporaryError("not now")

    def deliver(name: str, body: str) -> None:
        if caught:
            later.append((name, body))
        elif json.loads(body).get("kind") == kind:
            caught.append(body)
        else:
            handled(name, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "deliver", deliver)
        patch.setitem(engine._works, kind, fail)  # type: ignore[arg-type]
        patch.setattr(engine._pools, "admit", fail if kind is Kind.ADMIT else engine._pools.admit)
        patch.setattr(engine._pools, "release", fail if kind is Kind.RELEASE else engine._pools.release)
        world.drive(until=60)
    for name, body in later:
        world.app.store.send(name, body)
    return caught[0]


@pytest.mark.parametrize("kind", STAGES)
def test_the_rebuild_fails_where_it_was_and_can_be_replayed(make_world: MakeWorld, kind: Kind) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("w")]), registration("app", ref("top")))
    world.push_base()
    poison = stop_at(world, kind)
    for _ in range(2):
        world.app.engine.poisoned(poison)
    world.drive()
    top = world.states()["top"]
    assert (top.status.value, top.failed_stage) == ("failed", STAGES[kind])
    assert f"the message to {kind} it failed again and again" in top.reason
    assert world.statuses()["app"] == ("done" if STAGES[kind] is Stage.DEPLOY else "blocked")
    assert world.app.engine.pool().running == {}
    world.app.operator.replay(world.cascade, "top", stage=None, who="ann", why="mended")
    world.drive()
    assert set(world.statuses().values()) <= {"done", "unchanged"}


@pytest.mark.parametrize("kind", STAGES)
def test_one_of_an_earlier_turn_changes_nothing(make_world: MakeWorld, kind: Kind) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("w")]), registration("app", ref("top")))
    world.push_base()
    poison = stop_at(world, kind)
    world.app.engine.handle(poison)
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    before = world.states()
    world.app.engine.poisoned(poison)
    world.drive()
    assert world.states() == before
    assert world.app.engine.pool().running == {}


def test_a_lost_release_or_stop_fails_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), slots=1)
    world.push_base()
    poison = stop_at(world, Kind.RELEASE)
    world.app.engine.poisoned(poison)
    stop = Command(kind=Kind.CANCEL, cascade=world.cascade, image="top", turn=99, data={"run": "r0"})
    world.app.engine.poisoned(command_to_text(stop))
    world.drive()
    assert world.statuses() == {"top": "done"}
    world.app.sweep.slots()
    assert world.app.engine.pool().running == {}


def test_one_for_a_rebuild_that_is_gone_is_let_go(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.app.engine.poisoned(command_to_text(Command(kind=Kind.SCAN, cascade="none", image="x", turn=1)))
    assert [entry["action"] for entry in audit.entries(world.app.store)] == ["register"]


@pytest.mark.parametrize("text", ["rubbish", "", "\x1b[31m{\udcff", '{"v":1,"kind":"\x1b[2J"}'])
@pytest.mark.parametrize("what", ["a command", "a push"])
def test_what_cannot_be_read_is_in_the_audit_trail_without_its_words(
    make_world: MakeWorld, text: str, what: str
) -> None:
    world = make_world(registration("top", BASE))
    world.time += 1
    (world.app.engine if what == "a command" else world.app.intake).poisoned(text)
    entry = next(audit.entries(world.app.store))
    assert (entry["who"], entry["action"], entry["subject"]) == ("groundswell", "drop message", what)
    assert entry["why"].isprintable()
    assert set(entry["before"]) == {"bytes", "sha256"}
    assert world.results() == []


def test_a_store_that_is_away_lets_the_poison_come_again(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))

    def away(*_: object) -> None:
        raise TemporaryError("the store is away")

    monkeypatch.setattr(world.app.store, "commit", away)
    with pytest.raises(TemporaryError):
        world.app.engine.poisoned("rubbish")
