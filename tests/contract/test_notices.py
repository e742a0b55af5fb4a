"""Notices over both stores: what is remembered and what is sent are written together, and found again."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundswell.channels import Kind
from groundswell.errors import ConflictError
from groundswell.notify.box import Box, Cursor
from groundswell.notify.decide import TOGETHER, new_id
from groundswell.notify.delivery import Delivery, State
from groundswell.notify.notice import Notice, Seen, Topic
from groundswell.notify.notice import State as Stands
from groundswell.store.azure import AzureStore
from groundswell.store.port import Documents
from groundswell.store.sqlite import SqliteStore
from tests.support import azurite as azurite_support

azurite = azurite_support.azurite
NOW = 1_800_000_000.0


class Apart:
    """A store of which one partition is ours: the emulator is shared."""

    def __init__(self, store: Documents) -> None:
        self._store, self._mine = store, uuid.uuid4().hex

    def get(self, table, partition, row):  # type: ignore[no-untyped-def]  # as the port has it
        return self._store.get(table, f"{partition}{self._mine}", row)

    def scan(self, table, partition, **bounds):  # type: ignore[no-untyped-def]  # as above
        return self._store.scan(table, f"{partition}{self._mine}", **bounds)

    def commit(self, table, partition, writes):  # type: ignore[no-untyped-def]  # as above
        return self._store.commit(table, f"{partition}{self._mine}", writes)


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.stack)])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    if request.param == "sqlite":
        store: SqliteStore | AzureStore = SqliteStore(tmp_path / "store.db")
    else:
        store = AzureStore.from_connection_string(request.getfixturevalue("azurite").connection_string)
    yield Box(Apart(store))
    store.close()


def topic(number: int, key: str = "image shop/web") -> Topic:
    seen = Seen(key=f"{key}{number}", kind=Kind.FAILED, state=Stands.STANDS, subject="s" * 300, text="t" * 3000)
    return Topic(seen=seen, state=Stands.STANDS, since=NOW)


def delivery(number: int = 0, channel: str = "all") -> Delivery:
    at = NOW + number
    ident = new_id(at, str(number))
    notice = Notice(
        id=ident, kind=Kind.FAILED, title="t", text="é" * 3000, at=at, since=at, subjects=("s",), count=1
    )
    return Delivery(notice=notice, channel=channel, due=at, changed_at=at)


def test_the_most_that_a_round_writes_at_once(box: Box) -> None:
    topics = [topic(number) for number in range(TOGETHER)]
    sent = [delivery(channel=f"c{number}") for number in range(20)]
    box.remember([(each, None) for each in topics], (), sent)
    assert {key: each.value for key, each in box.topics().items()} == {each.key: each for each in topics}
    assert sorted(box.waiting()) == sorted(each.row for each in sent)
    assert [each for _, each in box.deliveries()] == sorted(sent, key=lambda each: each.row)


def test_all_or_nothing(box: Box) -> None:
    box.remember([(topic(1), None)])
    with pytest.raises(ConflictError):
        box.remember([(topic(2), None), (topic(1), None)], (), [delivery()])
    assert list(box.topics()) == ["image shop/web1"]
    assert list(box.waiting()) == []
    known = box.topics()["image shop/web1"]
    box.remember([(replace(known.value, told_at=NOW), known.etag)])
    with pytest.raises(ConflictError):
        box.remember([], [(known.value.key, known.etag)], [delivery()])
    assert list(box.waiting()) == []


@pytest.mark.parametrize(
    "key", ["drift c/n/deployment/web[app]", "alert shop/web@sha256:" + "a" * 64, "é/\\#?%" * 60]
)
def test_keys_as_they_come(box: Box, key: str) -> None:
    assert box.topic(f"{key}1") is None
    box.remember([(topic(1, key), None), (topic(2, key), None)])
    for number in (1, 2):
        stored = box.topic(f"{key}{number}")
        assert stored is not None
        assert stored.value == topic(number, key)
    box.remember([], [(each.value.key, each.etag) for each in box.topics().values()])
    assert box.topics() == {}


def test_a_delivery_to_its_end(box: Box) -> None:
    first, second = delivery(1), delivery(2)
    etag = box.save(first, None)
    box.save(second, None)
    assert list(box.waiting()) == [second.row, first.row]
    box.save(replace(first, state=State.SENT), etag)
    assert list(box.waiting()) == [second.row]
    stored = box.delivery(first.row)
    assert stored is not None
    assert stored.value.state is State.SENT
    assert [row for row, _ in box.deliveries()] == [second.row, first.row]
    assert [row for row, _ in box.deliveries(after=second.row)] == [first.row]
    with pytest.raises(ConflictError):
        box.save(replace(first, state=State.DEAD), etag)


def test_what_is_old_goes(box: Box) -> None:
    for number in range(120):
        box.save(delivery(number), None)
    assert box.forget(NOW + 99.5) == 100
    assert len(list(box.deliveries())) == len(list(box.waiting())) == 20
    assert box.forget(NOW + 99.5) == 0


def test_the_cursor(box: Box) -> None:
    assert box.cursor() is None
    box.move(Cursor(at=NOW, books=NOW - 60))
    box.move(Cursor(at=NOW + 60, books=NOW))
    assert box.cursor() == Cursor(at=NOW + 60, books=NOW)
    assert box.topics() == {}
