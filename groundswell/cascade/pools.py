"""The pools of build slots as stored: for each, one small record and a row per waiting rebuild, in one partition.

Every change is one commit that holds the record's ETag, so two instances cannot take the same slot, and a row and
what the record says of its line never part. Only the front of a line is read: a change costs the same however many
wait. The rules are in `schedule.py`.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.cascade import schedule
from groundswell.cascade.schedule import DEFAULT, Entry, Line, Pool
from groundswell.clock import Clock
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Json, Put, Record, Write

_TABLE, _HEAD, _LINE = "pools", "pool", "line:"
_MOST = MAX_COMMIT - 2
"""Slots granted in one commit: each takes a row away; the record and a new row are written too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Who is in the pools, in slots and in line, by `CASCADE/IMAGE`."""

    running: Mapping[str, Entry]
    waiting: Mapping[str, Entry]


class Pools:
    """`slots` limits the builds at once in the default pool, `agent_pools` in each agent pool that it names."""

    def __init__(self, store: Documents, *, slots: int, agent_pools: Mapping[str, int], clock: Clock) -> None:
        self._store = store
        self._slots = {DEFAULT: slots} | dict(agent_pools) | {DEFAULT: slots}  # looked through in this order
        self._clock = clock
        self._lock = threading.Lock()  # threads wait here, instead of meeting each other's ETags

    @property
    def named(self) -> bool:
        """Whether there are others than the default pool."""
        return len(self._slots) > 1

    def name(self, agent_pool: str | None) -> str:
        """The pool that a rebuild counts in."""
        return agent_pool if agent_pool is not None and agent_pool in self._slots else DEFAULT

    def admit(self, entry: Entry) -> tuple[Entry, ...]:
        """Put a rebuild in line. Returns who got a slot by it, as all changes do; each is told once."""

        def change(pool: Pool) -> Pool | None:
            return None if schedule.holds(pool, entry) else schedule.admit(pool, entry)

        return self._change(entry.pool, change, joins=entry) or ()

    def release(self, cascade: str, image: str, *, up_to: int) -> tuple[Entry, ...] | None:
        """Take back the slot of a rebuild's turn `up_to` or an earlier one; None when it has no slot at all."""
        place = schedule.key(cascade, image)

        def change(pool: Pool) -> Pool | None:
            return schedule.release(pool, cascade, image, up_to=up_to) if place in pool.running else None

        for name in self._slots:  # wherever it was admitted: its registration may name another pool by now
            granted = self._change(name, change)
            if granted is not None:
                return granted
        return None

    def leave(self, cascade: str, image: str, *, priority: float, up_to: int) -> None:
        """Take a rebuild out of the line, with its turn `up_to` or an earlier one.

        The pool's record may go on to name a line that is empty by now, until somebody is looked for in it.
        """
        row = _LINE + schedule.row(cascade, image, priority)
        for name in self._slots:
            for attempt in retry_conflicts():
                with attempt:
                    record = self._store.get(_TABLE, name, row)
                    if record is not None and _entry(name, record.value["entry"]).turn <= up_to:
                        self._store.commit(_TABLE, name, [Delete(row=row, etag=record.etag)])

    def in_line(self, cascade: str, image: str, *, priority: float) -> bool:
        row = _LINE + schedule.row(cascade, image, priority)
        return any(self._store.get(_TABLE, name, row) is not None for name in self._slots)

    def places(self) -> Places:
        running: dict[str, Entry] = {}
        waiting: dict[str, Entry] = {}
        for name in self._slots:
            running.update(_pool(name, self._store.get(_TABLE, name, _HEAD)).running)
            for record in self._store.scan(_TABLE, name, prefix=_LINE):
                entry = _entry(name, record.value["entry"])
                waiting[schedule.key(entry.cascade, entry.image)] = entry
        return Places(running=running, waiting=waiting)

    def _change(
        self, name: str, change: Callable[[Pool], Pool | None], *, joins: Entry | None = None
    ) -> tuple[Entry, ...] | None:
        """Change a pool, with `joins` as new in line, and fill what slots are free; None: nothing to change."""
        with self._lock:
            for attempt in retry_conflicts():
                with attempt:
                    head = self._store.get(_TABLE, name, _HEAD)
                    before = _pool(name, head)
                    after = change(before)
                    if after is None:
                        return None
                    front = _Front(self._store, name, before, joins, self._slots[name] - len(after.running))
                    limit = min(self._slots[name], len(after.running) + _MOST)
                    after, granted = schedule.grant(after, limit, front.read, now=self._clock())
                    writes = front.writes(granted)
                    if writes or after != before:
                        writes.append(Put(row=_HEAD, value=_document(after), etag=head.etag if head else None))
                        self._store.commit(_TABLE, name, writes)
        return granted


class _Front:
    """The fronts of a pool's lines, as stored and with the one who joins; knows which rows it has seen."""

    def __init__(self, store: Documents, name: str, pool: Pool, joining: Entry | None, free: int) -> None:
        self._store = store
        self._name = name
        self._lines = pool.lines
        self._joining = joining
        self._page = max(1, free)
        self._seen: set[str] = set()

    def read(self, cascade: str) -> Iterator[Entry]:
        joining = self._joining if self._joining is not None and self._joining.cascade == cascade else None
        for record in self._stored(cascade):
            entry = _entry(self._name, record.value["entry"])
            self._seen.add(record.row)
            if joining is not None and _row(joining) <= record.row:
                yield joining
                if _row(joining) == record.row:
                    joining = None
                    continue
                joining = None
            yield entry
        if joining is not None:
            yield joining

    def _stored(self, cascade: str) -> Iterator[Record]:
        prefix, after = f"{_LINE}{cascade}/", ""
        full = cascade in self._lines  # else nobody has a row
        while full:
            records = list(self._store.scan(_TABLE, self._name, prefix=prefix, after=after, limit=self._page))
            yield from records
            full = len(records) == self._page
            after = records[-1].row if records else after

    def writes(self, granted: tuple[Entry, ...]) -> list[Write]:
        """The rows of those who got a slot go, that of the one who joined and got none comes."""
        writes: list[Write] = [Delete(row=_row(e), etag=ANY) for e in granted if _row(e) in self._seen]
        if self._joining is not None and self._joining not in granted:
            writes.append(Put(row=_row(self._joining), value={"entry": _cells(self._joining)}, etag=ANY))
        return writes


def _row(entry: Entry) -> str:
    return _LINE + schedule.row(entry.cascade, entry.image, entry.priority)


def _cells(entry: Entry) -> list[str | float | bool]:
    return [entry.cascade, entry.image, entry.turn, entry.priority, entry.since, entry.urgent]


def _entry(name: str, cells: Any) -> Entry:
    cascade, image, turn, priority, since, urgent = cells
    return Entry(cascade=cascade, image=image, turn=turn, priority=priority, since=since, urgent=urgent, pool=name)


def _document(pool: Pool) -> Json:
    return {
        "running": [_cells(entry) for entry in pool.running.values()],
        "lines": {cascade: [line.urgent, line.since] for cascade, line in pool.lines.items()},
    }


def _pool(name: str, record: Record | None) -> Pool:
    if record is None:
        return Pool()
    entries = [_entry(name, cells) for cells in record.value["running"]]
    return Pool(
        running={schedule.key(entry.cascade, entry.image): entry for entry in entries},
        lines={
            cascade: Line(urgent=urgent, since=since) for cascade, (urgent, since) in record.value["lines"].items()
        },
    )
