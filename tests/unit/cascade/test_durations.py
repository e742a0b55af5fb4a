"""Estimates of how long an image takes, from what was measured."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade import durations as module
from groundswell.cascade.durations import DEFAULT_SECONDS, Durations, measured
from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.status import Status
from groundswell.store.port import ANY, Put, Record
from groundswell.store.sqlite import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.db")
    yield store
    store.close()


@pytest.fixture
def durations(store: SqliteStore) -> Durations:
    return Durations(store)


def test_nothing_known_is_the_default(durations: Durations) -> None:
    assert durations.estimates(["a", "b"]) == {"a": DEFAULT_SECONDS, "b": DEFAULT_SECONDS}
    assert durations.estimates([]) == {}


def test_an_image_is_taken_to_last_as_its_last_builds_did(durations: Durations) -> None:
    for number, seconds in enumerate((500.0, 500.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0)):
        durations.learn(f"c{number}", {"a": seconds})
    assert durations.estimates(["a"]) == {"a": 13.0}


@pytest.mark.parametrize("builds", [(60.0, 3600.0), (3600.0, 60.0, 61.0), (60.0, 3600.0, 62.0, 61.0)])
def test_one_build_that_got_stuck_does_no_harm(durations: Durations, builds: tuple[float, ...]) -> None:
    for number, seconds in enumerate(builds):
        durations.learn(f"c{number}", {"a": seconds})
    assert 60.0 <= durations.estimates(["a"])["a"] <= 62.0


def test_a_cascade_is_learned_from_once(durations: Durations) -> None:
    durations.learn("c1", {"a": 10.0})
    durations.learn("c1", {"a": 30.0, "b": 5.0})
    assert durations.estimates(["a", "b"]) == {"a": 10.0, "b": 5.0}
    durations.learn("c2", {"a": 8.0})
    assert durations.estimates(["a"]) == {"a": 8.0}


def test_what_a_build_took_is_read_from_its_history() -> None:
    def built(image: str, *moments: tuple[Status, float]) -> Rebuild:
        history = tuple(Moment(status=status, at=at) for status, at in moments)
        return Rebuild(cascade="c", image=image, status=history[-1].status, waits={}, history=history)

    once = [(Status.READY, 0.0), (Status.BUILDING, 10.0), (Status.VERIFYING, 25.0), (Status.SCANNING, 25.0)]
    twice = [*once, (Status.READY, 30.0), (Status.BUILDING, 40.0), (Status.VERIFYING, 47.0)]
    failed = [(Status.READY, 0.0), (Status.BUILDING, 10.0), (Status.FAILED, 20.0)]
    rebuilds = (built("once", *once), built("twice", *twice), built("failed", *failed))
    assert measured(rebuilds) == {"once": 15.0, "twice": 7.0}


def test_a_stranger_is_taken_to_last_as_its_neighbours_do(durations: Durations) -> None:
    durations.learn("c", {"web/shop/a": 10, "web/shop/b": 20, "web/shop/c": 90, "web/x": 200, "base": 400})
    assert durations.estimates(["web/shop/new", "web/new", "web/other/new", "new", "data/new"]) == {
        "web/shop/new": 20.0,
        "web/new": 55.0,
        "web/other/new": 55.0,
        "new": 90.0,
        "data/new": 90.0,
    }


def test_a_folder_is_a_whole_name(durations: Durations) -> None:
    durations.learn("c", {"web/a": 10, "webshop/a": 30, "webshop/b": 30})
    assert durations.estimates(["web/b"]) == {"web/b": 10.0}


def test_ten_thousand_are_read_at_once(
    store: SqliteStore, durations: Durations, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"team{number % 97}/i{number}" for number in range(10_000)]
    for start in range(0, 5_000, 100):
        puts = [Put(row=name, value={"seconds": [1.0, 2.0, 3.0]}, etag=ANY) for name in names[start : start + 100]]
        store.commit(module._TABLE, module._PARTITION, puts)
    reads: list[str] = []
    scan = store.scan

    def counted(table: str, partition: str) -> Iterator[Record]:
        reads.append(table)
        return scan(table, partition)

    monkeypatch.setattr(store, "scan", counted)
    monkeypatch.setattr(store, "get", lambda *_: pytest.fail("one read for each image"))
    assert set(durations.estimates(names).values()) == {2.0}
    assert reads == [module._TABLE]


def test_a_few_are_read_by_themselves_unless_one_of_them_is_new(
    durations: Durations, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    durations.learn("c1", {f"team/i{number}": 8.0 for number in range(30)})
    scans: list[str] = []
    scan = store.scan

    def counted(table: str, partition: str) -> Iterator[Record]:
        scans.append(table)
        return scan(table, partition)

    monkeypatch.setattr(store, "scan", counted)
    assert durations.estimates(["team/i1", "team/i2"]) == {"team/i1": 8.0, "team/i2": 8.0}
    durations.learn("c2", {"team/i1": 10.0})
    assert scans == []
    assert durations.estimates(["team/i2", "team/new"]) == {"team/i2": 8.0, "team/new": 8.0}
    assert scans == [module._TABLE]


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=7))
def test_an_estimate_lies_among_what_was_measured(seconds: list[float]) -> None:
    assert module._usual(seconds) in seconds
    outlier = module._usual([*seconds, *seconds, 1e9])
    assert min(seconds) <= outlier <= max(seconds)
