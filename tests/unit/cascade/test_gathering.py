"""What waits for its window, and the plans, as stored."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.gathering import Gathered, Gathering, Plan
from groundswell.cascade.records import Phase
from groundswell.errors import ConflictError, TemporaryError
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, World, registration

type MakeWorld = Callable[..., World]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


def push(reference: str, digest: str = "sha256:1") -> Gathered:
    return Gathered(reference=reference, digest=digest, source="test", due=1.0, seen_at=1.0)


@pytest.mark.parametrize("strangers", [0, 100])
def test_near_is_the_repository_and_what_is_asked_for(store: SqliteStore, strangers: int) -> None:
    """However many are asked for, one by one or all at once."""
    gathering = Gathering(store)
    for reference in ("r.io/a:1", "r.io/a:2", "r.io/aa:1", "r.io/b:1", "r.io/c:1"):
        gathering.add(push(reference))
    plan = Plan(cascade="c", at=1.0, pushes=(push("r.io/a:2"),), joins={}, former={})
    gathering.take(gathering.begun(), plan)
    others = {"r.io/b:1", *(f"r.io/other{number}:1" for number in range(strangers))}
    assert set(gathering.near("r.io/a:1", others, gathering.begun())) == {"r.io/a:1", "r.io/b:1"}


def test_of_two_that_take_plans_at_once_one_looks_again(store: SqliteStore) -> None:
    gathering = Gathering(store)
    for reference in ("r.io/a:1", "r.io/b:1"):
        gathering.add(push(reference))
    seen = gathering.begun()
    plans = [Plan(cascade=r, at=1.0, pushes=(push(f"r.io/{r}:1"),), joins={}, former={}) for r in ("a", "b")]
    gathering.take(seen, plans[0])
    with pytest.raises(ConflictError):
        gathering.take(seen, plans[1])
    assert gathering.begun().plans == (plans[0],)


def test_a_newer_push_that_comes_as_the_older_one_is_dropped_stays(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathering = Gathering(store)
    gathering.add(push("r.io/a:1"))
    get = store.get

    def late(table: str, partition: str, row: str) -> object:
        found = get(table, partition, row)
        monkeypatch.setattr(store, "get", get)
        gathering.add(push("r.io/a:1", "sha256:2"))
        return found

    monkeypatch.setattr(store, "get", late)
    gathering.drop(push("r.io/a:1"))
    waits = gathering.waiting("r.io/a:1")
    assert waits is not None
    assert waits.digest == "sha256:2"


def test_a_digest_that_is_planned_is_not_given_to_an_older_ones_cascade(store: SqliteStore) -> None:
    bases = BaseBook(store, lambda: 1.0)
    bases.claim("r.io/a:1", digest="sha256:1")
    bases.note("r.io/a:1", digest="sha256:2", cascade="ours")
    bases.planned("r.io/a:1", digest="sha256:1", cascade="older")
    known = bases.get("r.io/a:1")
    assert known is not None
    assert (known.digest, known.cascade, known.planned) == ("sha256:2", "ours", True)


def test_a_push_waits_while_the_cascade_of_the_one_before_it_is_written_down(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE))
    world.takes = {"a": 10_000}
    world.push_base()
    world.drive(until=30)
    records = world.app.engine.records
    records.set_phase(records.header(world.cascade), Phase.PLANNING)
    world.app.bases.claim(BASE, digest="sha256:2")
    world.app.gathering.add(push(BASE, "sha256:2"))
    with pytest.raises(TemporaryError, match="still being planned"):
        world.app.planner.plan(BASE)
    assert world.app.gathering.waiting(BASE) is not None
