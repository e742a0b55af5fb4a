"""Freezes that are put in one another's place, on a condition or without one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.audit import entries
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.freezes import Freeze, from_json
from groundswell.errors import ConflictError, NotFoundError
from groundswell.store.sqlite import SqliteStore


def freeze(**changes: Any) -> Freeze:
    written = {
        "name": "fair",
        "environment": "*",
        "zone": "UTC",
        "days": ["fri"],
        "from": "18:00",
        "until": "06:00",
    }
    return from_json({**written, "why": "the fair", **changes})


@pytest.fixture
def book(tmp_path: Path) -> Iterator[FreezeBook]:
    store = SqliteStore(tmp_path / "store.db")
    yield FreezeBook(store, lambda: 1_800_000_000.0)
    store.close()


def actions(book: FreezeBook) -> list[tuple[str, str]]:
    return [(entry["action"], entry["who"]) for entry in entries(book._store)]


def test_without_a_condition_the_last_one_wins(book: FreezeBook) -> None:
    book.put(freeze(), who="ann")
    etag = book.put(freeze(environment="prod"), who="bob")
    stored = book.stored("fair")
    assert (stored.freeze.environment, stored.etag) == ("prod", etag)
    assert sorted(actions(book)) == [("freeze", "ann"), ("freeze", "bob")]


def test_the_same_again_changes_nothing(book: FreezeBook) -> None:
    etag = book.put(freeze(), who="ann")
    assert book.put(freeze(), who="bob", etag=etag) == etag
    assert actions(book) == [("freeze", "ann")]


def test_on_a_condition_that_does_not_hold_nothing_is_done(book: FreezeBook) -> None:
    with pytest.raises(ConflictError):
        book.put(freeze(), who="ann", etag="seen")
    etag = book.put(freeze(), who="ann", etag=None)
    with pytest.raises(ConflictError):
        book.put(freeze(environment="prod"), who="ann", etag=None)
    with pytest.raises(ConflictError):
        book.remove("fair", who="ann", why="x", etag="seen")
    assert book.stored("fair").etag == etag
    book.remove("fair", who="ann", why="x", etag=etag)
    with pytest.raises(NotFoundError, match="no freeze fair"):
        book.stored("fair")
    assert sorted(actions(book)) == [("freeze", "ann"), ("unfreeze", "ann")]
