"""The pools as stored: the rules hold between instances, and a change costs the same however many wait."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.impact import impact
from graph.lineage import Lineage
from groundswell.cascade.codec import command_from_text
from groundswell.cascade.engine import REBUILDS
from groundswell.cascade.model import Command, Kind
from groundswell.cascade.plan import Trigger, plan
from groundswell.cascade.pools import _HEAD, _TABLE, Pools
from groundswell.cascade.records import Header
from groundswell.cascade.schedule import DEFAULT, Entry, key
from groundswell.errors import InputError
from groundswell.lineage.document import parse
from groundswell.store.port import Put, Record, Write
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, World, registration

type MakeWorld = Callable[..., World]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def pools(store: SqliteStore, *, slots: int = 2, **agent_pools: int) -> Pools:
    return Pools(store, slots=slots, agent_pools=agent_pools, clock=lambda: 0.0)


def entry(image: str, *, cascade: str = "c", turn: int = 1, priority: float = 1.0, pool: str = DEFAULT) -> Entry:
    return Entry(cascade=cascade, image=image, turn=turn, priority=priority, since=0.0, pool=pool)


def images(entries: tuple[Entry, ...] | None) -> list[str]:
    return [each.image for each in entries or ()]


def test_a_slot_is_granted_once_and_passed_on(store: SqliteStore) -> None:
    found = pools(store, slots=1)
    assert images(found.admit([entry("a")])) == ["a"]
    assert images(found.admit([entry("a")])) == []
    assert images(found.admit([entry("b", priority=2)])) == []
    assert images(found.admit([entry("c", priority=3)])) == []
    assert images(found.admit([entry("c", priority=3)])) == []
    assert set(found.places().waiting) == {"c/b", "c/c"}
    assert images(found.release("c", "a", up_to=1)) == ["c"]
    assert found.release("c", "a", up_to=1) is None
    assert found.release("c", "c", up_to=0) == (), "a late message must not free the slot of a newer turn"
    assert images(found.release("c", "c", up_to=1)) == ["b"]
    assert images(found.release("c", "b", up_to=1)) == []
    assert (found.places().running, found.places().waiting) == ({}, {})


def test_a_newer_turn_gets_in_line_again(store: SqliteStore) -> None:
    found = pools(store, slots=1)
    found.admit([entry("a")])
    found.admit([entry("b", priority=9)])
    assert images(found.admit([entry("a", turn=3)])) == ["b"]
    assert found.places().waiting == {"c/a": entry("a", turn=3)}


def test_who_leaves_the_line_is_not_called(store: SqliteStore) -> None:
    found = pools(store, slots=1)
    for each in (entry("a"), entry("b", turn=4), entry("c")):
        found.admit([each])
    assert found.in_line("c", "b", priority=1.0)
    found.leave("c", "b", priority=1.0, up_to=3)
    assert found.in_line("c", "b", priority=1.0), "a late message must not take a newer turn out"
    found.leave("c", "b", priority=1.0, up_to=4)
    assert not found.in_line("c", "b", priority=1.0)
    assert images(found.release("c", "a", up_to=1)) == ["c"]


def test_a_late_message_does_not_take_a_newer_turn_out_of_the_line(store: SqliteStore) -> None:
    pool = pools(store, slots=1)
    pool.admit([entry("a")])
    pool.admit([entry("b", turn=5)])
    pool.leave("c", "b", priority=1.0, up_to=4)
    assert pool.in_line("c", "b", priority=1.0)
    pool.leave("c", "b", priority=1.0, up_to=5)
    assert not pool.in_line("c", "b", priority=1.0)


def test_who_joins_takes_its_place_in_a_line_that_another_cascade_holds_up(store: SqliteStore) -> None:
    pool = pools(store, slots=2)
    pool.admit([entry("a", cascade="d")])
    assert images(pool.admit([entry("a", priority=5.0)])) == []  # "d" builds it already
    assert images(pool.admit([entry("a", priority=5.0, turn=2)])) == []  # in its own place again
    assert images(pool.admit([entry("first", priority=9.0)])) == ["first"]
    pool.release("c", "first", up_to=1)
    assert images(pool.admit([entry("last", priority=1.0)])) == ["last"]
    (waiting,) = pool.places().waiting.values()
    assert (waiting.image, waiting.turn) == ("a", 2)


def test_agent_pools_have_limits_of_their_own(store: SqliteStore) -> None:
    found = pools(store, slots=1, large=2)
    assert (found.name("large"), found.name("unknown"), found.name("")) == ("large", DEFAULT, DEFAULT)
    assert (found.named, pools(store).named) == (True, False)
    granted = [image for k in range(3) for image in images(found.admit([entry(f"l{k}", pool="large")]))]
    granted += [image for k in range(3) for image in images(found.admit([entry(f"d{k}")]))]
    assert granted == ["l0", "l1", "d0"]
    assert found.places().running["c/l1"].pool == "large"
    assert images(found.release("c", "l0", up_to=1)) == ["l2"]


def test_more_slots_than_one_commit_can_grant_are_filled_as_builds_end(store: SqliteStore) -> None:
    narrow = pools(store, slots=1)
    for number in range(230):
        narrow.admit([entry(f"i{number:03}")])
    wide = pools(store, slots=200)
    for number in range(3):
        wide.release("c", f"i{number:03}", up_to=1)
    assert len(wide.places().running) == 200


def test_several_who_join_at_once_stand_among_those_in_line(store: SqliteStore) -> None:
    narrow = pools(store, slots=1)
    for name, priority in (("a", 9.0), ("d", 4.0), ("b", 2.0)):
        narrow.admit([entry(name, priority=priority)])
    wide = pools(store, slots=4)
    joined = wide.admit([entry("c", priority=5.0), entry("e", priority=3.0), entry("b", turn=7, priority=2.0)])
    assert images(joined) == ["c", "d", "e"]
    assert wide.places().waiting == {"c/b": entry("b", turn=7, priority=2.0)}
    assert images(wide.release("c", "a", up_to=1)) == ["b"]
    assert wide.places().waiting == {}


def test_fifty_join_a_long_line_in_one_commit(store: SqliteStore) -> None:
    found = pools(store, slots=1)
    for start in range(0, 300, 50):
        found.admit([entry(f"i{number:03}", priority=float(number)) for number in range(start, start + 50)])
    assert len(found.places().waiting) == 299
    order = ["i049"]  # the longest of those who were there when the slot was given
    while granted := found.release("c", order[-1], up_to=1):
        order += images(granted)
    assert order[1:] == sorted((f"i{number:03}" for number in range(300) if number != 49), reverse=True)


def test_what_another_instance_did_is_seen(tmp_path: Path) -> None:
    one, other = (SqliteStore(tmp_path / "store.db") for _ in range(2))
    mine, theirs = pools(one, slots=1), pools(other, slots=1)
    assert images(mine.admit([entry("a")])) == ["a"]
    assert images(theirs.release("c", "a", up_to=1)) == []
    assert images(theirs.admit([entry("b")])) == ["b"]
    assert images(mine.admit([entry("a", turn=2)])) == []
    assert images(mine.release("c", "b", up_to=1)) == ["a"], "admitted there, released here"
    assert images(theirs.admit([entry("c")])) == []
    theirs.leave("c", "c", priority=1.0, up_to=1)
    assert images(mine.release("c", "a", up_to=2)) == []
    assert [each.image for each in mine.running()] == []
    for store in (one, other):
        store.close()


def test_a_change_costs_the_same_however_many_wait(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pools(store, slots=64)
    calls: list[str] = []
    sizes: list[int] = []
    get, scan, commit = store.get, store.scan, store.commit

    def read(table: str, partition: str, row: str) -> Record | None:
        calls.append("get")
        return get(table, partition, row)

    def looked(*args: str, **kwargs: Any) -> Iterator[Record]:
        calls.append("scan")
        return scan(*args, **kwargs)

    def counted(table: str, partition: str, writes: list[Write]) -> list[str]:
        calls.append("commit")
        sizes.append(sum(len(json.dumps(write.value)) for write in writes if isinstance(write, Put)))
        return commit(table, partition, writes)

    for name, call in (("get", read), ("scan", looked), ("commit", counted)):
        monkeypatch.setattr(store, name, call)
    for number in range(1_000):
        found.admit([entry(f"team{number % 211}/service-{number}", priority=float(number))])
    assert calls == ["get", *["commit"] * 1_000]
    calls.clear()
    for number in range(64):
        assert len(found.release("c", f"team{number % 211}/service-{number}", up_to=1) or ()) == 1
    assert calls.count("commit") == 64
    assert len(calls) <= 64 + 2, "the front of the line is read some way ahead"
    assert max(sizes) < 8_000


def test_two_instances_never_exceed_the_limit(tmp_path: Path) -> None:
    """Each on a connection of its own, several threads in each; what is granted is granted once."""
    stores = [SqliteStore(tmp_path / "store.db") for _ in range(2)]
    found = [pools(store, slots=3) for store in stores]
    granted: list[str] = []

    def work(number: int) -> None:
        mine = found[number % 2]
        waiting = list(mine.admit([entry(f"i{number}", cascade=f"c{number % 3}", priority=number)]))
        while waiting:
            each = waiting.pop()
            assert len(mine.places().running) <= 3
            granted.append(each.image)
            waiting += mine.release(each.cascade, each.image, up_to=each.turn) or ()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(40)))
    assert sorted(granted) == sorted(f"i{number}" for number in range(40))
    assert found[0].places().running == {}
    for store in stores:
        store.close()


_STEPS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2"]), st.sampled_from("abcd"), st.integers(1, 4), st.booleans()), max_size=25
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_STEPS, st.integers(1, 3))
def test_rows_and_record_never_part(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int, bool]], slots: int
) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("pools") / "store.db")
    found = pools(store, slots=slots)
    for cascade, image, turn, leave in steps:
        if leave and found.release(cascade, image, up_to=turn) is None:
            found.leave(cascade, image, priority=1.0, up_to=turn)
        elif not leave:
            found.admit([entry(image, cascade=cascade, turn=turn)])
        places = found.places()
        head = store.get(_TABLE, DEFAULT, _HEAD)
        lines = set(head.value["lines"]) if head else set()
        assert len(places.running) <= slots
        assert {each.cascade for each in places.waiting.values()} <= lines
        built = [each.image for each in places.running.values()]
        assert len(built) == len(set(built))
        if len(built) < slots:
            assert {each.image for each in places.waiting.values()} <= set(built)
    for _ in steps:
        for each in list(found.places().running.values()):
            found.release(each.cascade, each.image, up_to=each.turn)
    assert (found.places().running, found.places().waiting) == ({}, {})
    store.close()


# Through the engine.


def _until_building(world: World) -> None:
    world.takes = {"a": 10_000, "b": 10_000}
    world.push_base()
    world.drive(until=30)


def test_a_doubled_build_message_does_not_free_the_slot(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    bodies: list[str] = []
    deliver = world.deliver

    def noted(name: str, body: str) -> None:
        bodies.append(body)
        deliver(name, body)

    monkeypatch.setattr(world, "deliver", noted)
    _until_building(world)
    build = next(
        body
        for body in bodies
        if json.loads(body).get("kind") == "build" and command_from_text(body).kind is Kind.BUILD
    )
    before = world.app.engine.pool()
    world.deliver(REBUILDS, build)
    assert world.app.engine.pool() == before
    assert len(before.running) == 1


def test_a_slot_granted_to_one_that_was_just_cancelled_comes_back(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    _until_building(world)
    waiting = next(state for state in world.states().values() if state.status.value == "ready")
    world.app.operator.cancel(world.cascade, waiting.image, who="test", why="not now")
    world.drive(until=30)
    late = entry(waiting.image, cascade=world.cascade, turn=waiting.turn)
    world.takes.clear()
    world.drive()
    # It was being admitted while it was cancelled: the slot is granted after all, and nobody needs it.
    assert images(world.app.engine._pools.admit([late])) == [waiting.image]
    grant = Command(kind=Kind.BUILD, cascade=world.cascade, image=waiting.image, turn=waiting.turn)
    world.app.engine.send([grant])
    world.drive()
    assert world.app.engine.pool().running == {}
    assert len(world.builder.requests) == 1


def test_a_cancelled_rebuild_leaves_the_line(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    _until_building(world)
    waiting = next(state for state in world.states().values() if state.status.value == "ready")
    assert world.app.engine.in_line(waiting)
    world.app.operator.cancel(world.cascade, waiting.image, who="test", why="not now")
    world.drive(until=30)
    assert not world.app.engine.in_line(waiting)
    assert key(world.cascade, waiting.image) not in world.app.engine.pool().waiting


def test_an_image_builds_in_its_agent_pool(make_world: MakeWorld) -> None:
    images = [replace(registration(name, BASE), agent_pool="large") for name in ("a", "b", "c")]
    world = make_world(*images, registration("d", BASE), registration("e", BASE), slots=1)
    vars(world.app)["settings"] = replace(world.app.settings, agent_pools={"large": 2})
    world.takes = dict.fromkeys("abcde", 10)
    world.push_base()
    world.drive(until=30)
    running = world.app.engine.pool().running.values()
    assert sorted(each.pool for each in running) == [DEFAULT, "large", "large"]
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    pools = {request.repository: request.pool for request in world.builder.requests}
    assert pools == {"a": "large", "b": "large", "c": "large", "d": None, "e": None}
    assert world.app.engine.pool().running == {}


def test_an_urgent_cascade_asks_for_its_slots_as_such(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    _until_building(world)
    (waiting,) = world.app.engine.pool().waiting.values()
    assert not waiting.urgent
    lineage = Lineage([registration("c", BASE).node])
    trigger = Trigger(base=BASE, digest="sha256:new", urgent=True)
    found = impact(lineage, BASE).images
    (rebuild,) = plan([trigger], found, cascade="zzzzzzzzzz", at=world.time, seconds={"c": 1.0})
    header = Header(
        id=rebuild.cascade, base=BASE, digest="sha256:new", source="test", started_at=world.time, total=1, open=1
    )
    world.app.engine.records.create(header, [rebuild])
    world.app.engine.send(rebuild.outbox)
    world.drive(until=5)
    assert [each.image for each in world.app.engine.pool().waiting.values() if each.urgent] == ["c"]


def test_a_lineage_file_names_the_agent_pool() -> None:
    text = """
version: 1
registry: contoso.azurecr.io
source: {git: "https://github.com/contoso/shop.git"}
images:
  - {name: web, tags: ["1"], agent_pool: large}
  - {name: api, tags: ["1"]}
"""
    assert [item.registration.agent_pool for item in parse(text)] == ["large", None]
    with pytest.raises(InputError, match="agent_pool"):
        parse(text.replace("large", "no_such name"))
