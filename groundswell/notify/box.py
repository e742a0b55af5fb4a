"""Topics and deliveries as stored: in one partition, so that what is remembered and what is sent change together.

A delivery that waits has a second row, so that what a crash or a lost message left waiting is found without reading
what was sent long ago.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from groundswell.clock import inverted
from groundswell.notify.delivery import Delivery, State
from groundswell.notify.notice import Topic
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put, Write

_TABLE, _PARTITION = "notices", "notices"
_TOPIC, _DELIVERY, _WAITING, _CURSOR = "topic:", "delivery:", "waiting:", "cursor"
_LONGEST = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored[T]:
    value: T
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """When the last whole round began, and when it last looked at the books of alerts and drift."""

    at: float
    books: float = 0.0


class Box:
    def __init__(self, store: Documents) -> None:
        self._store = store

    # Topics.

    def topics(self) -> dict[str, Stored[Topic]]:
        """Every matter that is remembered, by its key."""
        found = self._store.scan(_TABLE, _PARTITION, prefix=_TOPIC)
        topics = (Stored(value=Topic.from_json(record.value), etag=record.etag) for record in found)
        return {each.value.key: each for each in topics}

    def topic(self, key: str) -> Stored[Topic] | None:
        record = self._store.get(_TABLE, _PARTITION, _topic_row(key))
        return Stored(value=Topic.from_json(record.value), etag=record.etag) if record else None

    def remember(
        self,
        topics: Iterable[tuple[Topic, str | None]],
        forgotten: Iterable[tuple[str, str]] = (),
        deliveries: Iterable[Delivery] = (),
    ) -> None:
        """Write topics over those that were read (None: a new one), with what is to be sent, in one commit.

        Raises ConflictError when somebody was faster.
        """
        writes: list[Write] = [
            Put(row=_topic_row(topic.key), value=topic.to_json(), etag=etag) for topic, etag in topics
        ]
        writes += [Delete(row=_topic_row(key), etag=etag) for key, etag in forgotten]
        for each in deliveries:
            writes += [*_rows(each, None)]
        if writes:
            self._store.commit(_TABLE, _PARTITION, writes)

    # The cursor.

    def cursor(self) -> Cursor | None:
        record = self._store.get(_TABLE, _PARTITION, _CURSOR)
        return Cursor(**record.value) if record else None

    def move(self, cursor: Cursor) -> None:
        value = {"at": cursor.at, "books": cursor.books}
        self._store.commit(_TABLE, _PARTITION, [Put(row=_CURSOR, value=value, etag=ANY)])

    # Deliveries.

    def delivery(self, row: str) -> Stored[Delivery] | None:
        record = self._store.get(_TABLE, _PARTITION, _DELIVERY + row)
        return Stored(value=Delivery.from_json(record.value), etag=record.etag) if record else None

    def save(self, delivery: Delivery, etag: str | None) -> str:
        """Write it over what was read (None: it is new). Raises ConflictError when somebody changed it."""
        return self._store.commit(_TABLE, _PARTITION, [*_rows(delivery, etag)])[0]

    def deliveries(self, *, after: str = "") -> Iterator[tuple[str, Delivery]]:
        """The newest first with their rows, those that sort after `after`, read as the caller goes on."""
        for record in self._store.scan(_TABLE, _PARTITION, prefix=_DELIVERY, after=_DELIVERY + after):
            yield record.row.removeprefix(_DELIVERY), Delivery.from_json(record.value)

    def waiting(self) -> Iterator[str]:
        """Rows of those that wait, the newest first."""
        for record in self._store.scan(_TABLE, _PARTITION, prefix=_WAITING):
            yield record.row.removeprefix(_WAITING)

    def forget(self, before: float) -> int:
        """Drop deliveries of notices that are as old as `before` or older; returns how many."""
        bound = _DELIVERY + inverted(before)
        gone = 0
        old = (record.row for record in self._store.scan(_TABLE, _PARTITION, prefix=_DELIVERY, after=bound))
        for part in batched(old, MAX_COMMIT // 2, strict=False):
            rows: Sequence[str] = [row.removeprefix(_DELIVERY) for row in part]
            writes = [Delete(row=prefix + row, etag=ANY) for row in rows for prefix in (_DELIVERY, _WAITING)]
            self._store.commit(_TABLE, _PARTITION, writes)
            gone += len(part)
        return gone


def _rows(delivery: Delivery, etag: str | None) -> Iterator[Write]:
    yield Put(row=_DELIVERY + delivery.row, value=delivery.to_json(), etag=etag)
    if delivery.state is State.WAITING:
        yield Put(row=_WAITING + delivery.row, value={}, etag=ANY)
    elif etag is not None:
        yield Delete(row=_WAITING + delivery.row, etag=ANY)


def _topic_row(key: str) -> str:
    """A key may be as long as the name of a workload is."""
    if len(key) <= _LONGEST:
        return _TOPIC + key
    return f"{_TOPIC}{key[:_LONGEST]}~{hashlib.sha256(key.encode()).hexdigest()[:20]}"
