"""What the timers find again: lost webhooks, lost messages, lost slots."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.cascade.engine import REBUILDS, SCANS
from groundswell.cascade.ids import began, new_id
from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.records import Header, Phase, Records
from groundswell.cascade.schedule import Entry
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.sweep import LONG_PATIENCE, PATIENCE, PLANNING
from groundswell.errors import NotFoundError
from groundswell.store.port import ANY, Delete
from tests.support.world import BASE, HOST, QUEUES, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]


def lose_everything(world: World) -> None:
    """Every message that is on its way now is gone."""
    world.time += 700
    for name in QUEUES:
        while messages := world.app.store.receive(name, limit=32, lease=600):
            for message in messages:
                world.app.store.delete(name, message)


def chain() -> tuple[object, ...]:
    return (
        registration("top", BASE, deployments=[workload("web")]),
        registration("app", ref("top")),
        registration("leaf", ref("app")),
    )


@pytest.mark.parametrize("rounds", range(1, 24))
def test_losing_every_message_at_any_moment_loses_nothing(make_world: MakeWorld, rounds: int) -> None:
    world = make_world(*chain())
    world.push_base()
    for _ in range(rounds):
        for name in QUEUES:
            for message in world.app.store.receive(name, limit=1, lease=600):
                world.deliver(name, message.body)
                world.app.store.delete(name, message)
    if not world.cascades:
        return  # the push itself was lost: that is the lost webhook, tested above
    lose_everything(world)
    for _ in range(12):
        world.time += LONG_PATIENCE
        world.app.sweep.run()
        world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert len(world.builder.requests) == 3
    assert world.app.engine.pool().running == {}


def test_a_rebuild_in_line_for_a_slot_is_not_nudged(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    world.takes = {"a": 10_000, "b": 10_000}
    world.push_base()
    world.drive(until=30)
    waiting = next(state for state in world.states().values() if state.status.value == "ready")
    world.time += PATIENCE + 1
    world.app.sweep.cascades()
    assert world.states()[waiting.image].turn == waiting.turn


def test_a_lost_release_does_not_keep_the_slot(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), slots=1)
    world.push_base()
    world.drive()
    ghost = Entry(cascade=world.cascade, image="a", turn=1, priority=1, since=0)
    gone = Entry(cascade="nope", image="x", turn=1, priority=1, since=0)
    for entry in (ghost, gone):
        world.app.engine._pools.admit([entry])
    world.app.sweep.slots()
    world.app.sweep.slots()
    assert world.app.engine.pool().running == {}


def test_an_ended_cascade_leaves_the_open_list(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.push_base()
    world.drive()
    assert world.app.engine.records.open() == [world.cascade]
    planned = new_id(world.time)
    world.app.engine.records.enlist(planned)
    world.app.sweep.cascades()
    assert world.app.engine.records.open() == [planned]


def test_what_a_follower_was_not_told_is_found(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    other = f"{HOST}/mirror/tools:1"
    world = make_world(registration("app", BASE, build=[other]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(other, image_of(["sha256:tools0"]))
    world.app.bases.note(other, digest=world.registry.tags[other])
    world.registry.on_push = world.webhook
    world.takes = {"app": 3}
    world.push_base()
    world.drive(until=2)
    world.push_base("sha256:tools1", other)
    world.drive(until=4)
    newest, oldest = world.cascades
    assert world.statuses(newest)["app"] == "waiting"
    world.time += PATIENCE + 1
    world.app.sweep.cascades()
    assert world.statuses(newest)["app"] == "waiting"  # the older one is still at it
    with monkeypatch.context() as patch:
        patch.setattr(world.app.engine, "_news", lambda command, again: ())
        world.drive()
    assert world.statuses(oldest)["app"] == "done"
    assert world.statuses(newest)["app"] == "waiting"
    world.time += PATIENCE + 1
    world.app.sweep.cascades()
    world.drive()
    assert world.statuses(newest)["app"] in ("done", "unchanged")


def test_a_crash_after_the_base_was_entered_loses_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    digest = world.push_base()
    base = world.app.bases.claim(BASE, digest=digest)
    assert (base.cascade, base.planned) == ("", False)
    world.drive()
    assert world.statuses() == {"top": "done"}
    known = world.app.bases.get(BASE)
    assert known is not None
    assert (known.cascade, known.planned) == (world.cascade, True)


def test_the_book_keeps_to_the_newest_entry(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    bases = world.app.bases
    bases.claim(BASE, digest="sha256:1")
    bases.planned(BASE, digest="sha256:1", cascade="one")
    bases.claim(BASE, digest="sha256:2")
    bases.planned(BASE, digest="sha256:1", cascade="late")
    known = bases.get(BASE)
    assert known is not None
    assert (known.digest, known.cascade, known.planned) == ("sha256:2", "late", False)
    bases.planned("never/seen:1", digest="sha256:1", cascade="one")
    assert bases.get("never/seen:1") is None
    assert Reference.parse(BASE).tag == "12"


def test_the_book_keeps_up_with_an_entry_that_changes_under_its_hand(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    bases, get = world.app.bases, world.app.store.get
    bases.claim(BASE, digest="sha256:1")

    def overtaken(*key: str) -> object:
        record = get(*key)
        monkeypatch.undo()
        bases.claim(BASE, digest="sha256:2")
        return record

    monkeypatch.setattr(world.app.store, "get", overtaken)
    bases.planned(BASE, digest="sha256:1", cascade="one")
    known = bases.get(BASE)
    assert known is not None
    assert (known.digest, known.cascade, known.planned) == ("sha256:2", "one", False)


def test_a_cascade_that_ran_while_its_push_was_delivered_again_stays_ended(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died after the cascade was set going, before the book said that it is planned."""
    world = make_world(registration("top", BASE))
    world.push_base()
    with monkeypatch.context() as patch:
        patch.setattr(world.app.bases, "planned", die)
        with pytest.raises(Killed):
            world.drive()
    for _ in range(30):  # others go on with what it set going
        world.time += 1.0
        for message in world.app.store.receive(REBUILDS) + world.app.store.receive(SCANS):
            world.deliver(REBUILDS, message.body)
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.ENDED
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    assert (header.phase, header.open, len(world.cascades)) == (Phase.ENDED, 0, 1)
    known = world.app.bases.get(BASE)
    assert known is not None
    assert known.planned


def test_records_that_a_crash_left_half_written_are_completed_and_none_is_written_twice(
    make_world: MakeWorld,
) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base()
    world.drive()
    records, states = world.app.engine.records, world.states()
    header = records.header(world.cascade).value
    half = replace(header, id="half", phase=Phase.PLANNING)
    begun, moved = replace(states["app"], cascade="half", turn=0), replace(states["app"], cascade="half", turn=9)
    records.create(half, [moved])
    records.create(half, [begun, replace(states["top"], cascade="half")])
    assert {state.image: state.turn for state in records.rebuilds("half")} == {
        "app": 9,
        "top": states["top"].turn,
    }


def test_what_has_just_moved_is_left_in_peace(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    before = world.states()["top"]
    world.time = before.updated_at + PATIENCE - 1
    depth = world.app.store.depth(REBUILDS)
    world.app.sweep.cascades()
    assert (world.states()["top"], world.app.store.depth(REBUILDS)) == (before, depth)


def test_a_follower_does_not_wait_for_a_record_that_is_gone(make_world: MakeWorld) -> None:
    other = f"{HOST}/mirror/tools:1"
    world = make_world(registration("app", BASE, build=[other]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(other, image_of(["sha256:tools0"]))
    world.app.bases.note(other, digest=world.registry.tags[other])
    world.registry.on_push = world.webhook
    world.takes = {"app": 1000}
    world.push_base()
    world.drive(until=20)
    older = world.cascade
    world.time += 1
    world.push_base("sha256:tools1", other)
    world.drive(until=20)
    newer = world.cascade
    assert world.statuses(newer) == {"app": "waiting"}
    world.app.store.commit("cascades", older, [Delete(row="image:app", etag=ANY)])
    world.time += PATIENCE + 1
    world.app.sweep.cascades()
    assert world.states(newer)["app"].waits[f"{older}/app"].outcome is Outcome.UNCHANGED
    assert world.statuses(newer) == {"app": "ready"}


# What was begun and never planned must not be waited for for ever.


def test_a_mistyped_replay_stops_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    with pytest.raises(NotFoundError):
        world.app.operator.replay("nosuch", "top", stage=Stage.BUILD, who="ann", why="typo")
    world.push_base()
    world.drive(until=3600)
    assert world.statuses() == {"top": "done"}


@pytest.mark.parametrize("open_still", [False, True])
def test_news_of_a_replayed_base_is_found_by_those_that_had_ended(make_world: MakeWorld, open_still: bool) -> None:
    """A worker died between saving the base's promotion and telling of it."""
    world = make_world(registration("top", BASE), registration("app", ref("top")), registration("slow", BASE))
    world.push_base()
    world.drive()
    world.sources["top"] = world.sources["slow"] = "2"
    if open_still:
        world.takes["slow"] = 10_000
        world.app.operator.replay(world.cascade, "slow", stage=Stage.BUILD, who="ann", why="again")
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="mended")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.app.engine, "_news", lambda command, *, again: [])
        world.drive(until=60)
    promoted = world.states()["top"].promoted
    assert world.states()["app"].built_on["top"] != promoted
    world.time += PATIENCE
    world.app.sweep.cascades()
    world.drive(until=60)
    assert world.states()["app"].built_on["top"] == promoted
    assert world.statuses()["app"] == "done"
    world.takes["slow"] = 0
    world.drive()
    for _ in range(2):
        world.app.sweep.cascades()
    assert world.app.engine.records.open() == []


class Killed(BaseException):
    pass


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.mark.parametrize("where", ["create", "set_phase"])
def test_a_cascade_that_a_crash_left_half_planned_is_gone_on_with_by_the_next_push(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base("sha256:base1")
    with monkeypatch.context() as patch:
        patch.setattr(Records, where, die)
        with pytest.raises(Killed):
            world.drive()
    (half,) = world.app.engine.records.open()
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert world.cascades == [half]
    assert world.statuses() == {"top": "done", "app": "done"}
    assert world.states()["top"].proof["base_digest"] == world.registry.tags[BASE]


@pytest.mark.parametrize("where", ["create", "set_phase"])
def test_the_sweep_goes_on_with_a_plan_that_everybody_forgot(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base()
    with monkeypatch.context() as patch:
        patch.setattr(Records, where, die)
        with pytest.raises(Killed):
            world.drive()
    world.app.sweep.cascades()
    assert world.app.planner.planning()  # its worker may be alive
    lose_everything(world)
    world.app.sweep.cascades()
    assert not world.app.planner.planning()
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}


def test_a_cascade_that_nobody_plans_holds_nobody_up_for_ever(make_world: MakeWorld) -> None:
    """An older program left it: there is no plan to go on with."""
    world = make_world(registration("top", BASE))
    records, ghost, empty = world.app.engine.records, new_id(world.time), new_id(world.time)
    state = Rebuild(cascade=ghost, image="top", status=Status.WAITING, waits={BASE: Wait(outcome=Outcome.PENDING)})
    header = Header(id=ghost, base=BASE, digest="sha256:1", source="test", started_at=world.time, total=1, open=1)
    records.create(header, [state])
    records.enlist(ghost)
    records.enlist(empty)
    world.push_base()
    world.drive(until=60)
    world.app.sweep.cascades()
    assert records.open()[:2] == [ghost, empty]
    world.time += PLANNING
    world.app.sweep.cascades()
    assert ghost not in records.open()
    assert empty not in records.open()
    world.drive(until=7200)
    assert world.statuses(world.cascades[0]) == {"top": "done"}
    assert world.statuses(ghost) == {"top": "superseded"}
    assert records.header(ghost).value.phase is Phase.ENDED


@pytest.mark.parametrize("writes", range(1, 6))
def test_what_a_crash_left_of_a_plan_is_listed_and_removed_like_all_others(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base("sha256:base1")
    commit, calls = world.app.store.commit, 0

    def dies(table: str, *args: Any) -> list[str]:
        nonlocal calls
        calls += 1
        if calls > writes:
            raise Killed
        return commit(table, *args)

    with monkeypatch.context() as patch:
        patch.setattr(world.app.store, "commit", dies)
        with pytest.raises(Killed):
            world.drive()
    open_ones = world.app.engine.records.open()
    world.push_base("sha256:base2")
    world.drive(until=60)
    world.time += PLANNING
    world.app.sweep.cascades()
    world.drive(until=7200)
    assert world.statuses() == {"top": "done", "app": "done"}
    for ghost in open_ones:
        if world.app.engine.records.has(ghost):
            assert ghost in world.cascades
    world.push_base("sha256:base3")  # the book names no older one
    world.drive(until=7200)
    world.app.sweep.cascades()
    world.time += 91 * 86_400.0
    world.app.retention.run()
    assert world.cascades == [world.cascade]
    for ghost in open_ones:
        assert list(world.app.store.scan("cascades", ghost)) == []


@pytest.mark.parametrize("at", [1_767_225_600.0, 1_800_000_000.0, 1_767_225_600.0 + 32**6 - 1])
def test_a_cascade_knows_from_its_id_when_it_began(at: float) -> None:
    assert began(new_id(at)) == at
