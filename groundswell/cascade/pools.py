"""The pools of build slots as stored: for each, one small record and a row per waiting rebuild, in one partition.

Every change is one commit that holds the record's ETag, so two instances cannot take the same slot, and a row and
what the record says of its line never part. Only the front of a line is read: a change costs the same however many
wait. The rules are in `schedule.py`.

The record and the fronts are remembered as this process left them. They are true while the record's ETag is: nobody
joins a line, or gets a slot, without a new one. (Who leaves a line does; one that is given a slot after that gives
it back, because the turn it was given to has passed.)
"""

import threading
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groundswell.cascade import schedule
from groundswell.cascade.schedule import DEFAULT, Entry, Line, Pool
from groundswell.clock import Clock
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Json, Put, Record, Write

_TABLE, _HEAD, _LINE = "pools", "pool", "line:"
_MOST = MAX_COMMIT - 1
"""Rows written in one commit, beside the record: each slot granted takes one away, who joins adds one."""
_PAGE = 50
"""Rows that are read ahead of need."""


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
        self._known: dict[str, _Known] = {}
        self._building: dict[str, Mapping[str, Entry]] = {}  # by pool; read without the lock

    @property
    def named(self) -> bool:
        """Whether there are others than the default pool."""
        return len(self._slots) > 1

    def name(self, agent_pool: str | None) -> str:
        """The pool that a rebuild counts in."""
        return agent_pool if agent_pool is not None and agent_pool in self._slots else DEFAULT

    def admit(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Put rebuilds in line, MAX_COMMIT / 2 at most. Returns who got a slot by it; each is told once."""
        granted: list[Entry] = []
        for name in dict.fromkeys(entry.pool for entry in entries):
            joins = [entry for entry in entries if entry.pool == name]
            granted += self._admit(name, joins) or ()
        return tuple(granted)

    def _admit(self, name: str, entries: Sequence[Entry]) -> tuple[Entry, ...] | None:
        def change(pool: Pool) -> tuple[Pool, Sequence[Entry]] | None:
            joins = [entry for entry in entries if not schedule.holds(pool, entry)]
            for entry in joins:
                pool = schedule.admit(pool, entry)
            return (pool, joins) if joins else None

        return self._change(name, change)

    def release(self, cascade: str, image: str, *, up_to: int) -> tuple[Entry, ...] | None:
        """Take back the slot of a rebuild's turn `up_to` or an earlier one; None when it has no slot at all."""
        place = schedule.key(cascade, image)

        def change(pool: Pool) -> tuple[Pool, Sequence[Entry]] | None:
            return (schedule.release(pool, cascade, image, up_to=up_to), ()) if place in pool.running else None

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
                with attempt, self._lock:
                    self._known.pop(name, None)
                    record = self._store.get(_TABLE, name, row)
                    if record is not None and _entry(name, record.value["entry"]).turn <= up_to:
                        self._store.commit(_TABLE, name, [Delete(row=row, etag=record.etag)])

    def in_line(self, cascade: str, image: str, *, priority: float) -> bool:
        row = _LINE + schedule.row(cascade, image, priority)
        return any(self._store.get(_TABLE, name, row) is not None for name in self._slots)

    def room(self, name: str) -> bool:
        """Whether a pool has a free slot that nobody waits for."""
        taken = len(_pool(name, self._store.get(_TABLE, name, _HEAD)).running)
        return taken < self._slots[name] and not any(self._store.scan(_TABLE, name, prefix=_LINE, limit=1))

    def places(self) -> Places:
        running: dict[str, Entry] = {}
        waiting: dict[str, Entry] = {}
        for name in self._slots:
            running.update(_pool(name, self._store.get(_TABLE, name, _HEAD)).running)
            for record in self._store.scan(_TABLE, name, prefix=_LINE):
                entry = _entry(name, record.value["entry"])
                waiting[schedule.key(entry.cascade, entry.image)] = entry
        return Places(running=running, waiting=waiting)

    def running(self, *, anew: bool = False) -> Iterator[Entry]:
        """Who builds: as this process saw it last, or, `anew`, as it is."""
        for name in self._slots:
            if anew or name not in self._building:
                self._building[name] = self._load(name).pool.running
            yield from self._building[name].values()

    def _change(
        self, name: str, change: Callable[[Pool], tuple[Pool, Sequence[Entry]] | None]
    ) -> tuple[Entry, ...] | None:
        """Change a pool and fill what slots are free; None: nothing to change.

        `change` returns the pool as it shall be and who joins its lines by that.
        """
        with self._lock:
            for attempt in retry_conflicts():
                with attempt:
                    # Forgotten until it is written: whether a write that fails is stored, nobody knows.
                    remembered = self._known.pop(name, None)
                    known = remembered or self._load(name)
                    changed = change(known.pool)
                    if changed is None and remembered is not None:
                        known = self._load(name)  # it may have changed since
                        changed = change(known.pool)
                    if changed is None:
                        self._known[name] = known
                        return None
                    granted = self._fill(name, known, *changed)
                    self._known[name] = known
        return granted

    def _load(self, name: str) -> "_Known":
        head = self._store.get(_TABLE, name, _HEAD)
        return _Known(etag=head.etag if head else None, pool=_pool(name, head))

    def _fill(self, name: str, known: "_Known", pool: Pool, joins: Sequence[Entry]) -> tuple[Entry, ...]:
        limit = min(self._slots[name], len(pool.running) + _MOST - len(joins))
        after, granted = schedule.grant(
            pool, limit, lambda cascade: self._line(name, known, cascade, joins), now=self._clock()
        )
        waiting = [entry for entry in joins if entry not in granted]
        stored = {_row(entry) for front in known.fronts.values() for entry in front.entries}
        writes: list[Write] = [Delete(row=_row(e), etag=ANY) for e in granted if _row(e) in stored]
        writes += [Put(row=_row(entry), value={"entry": _cells(entry)}, etag=ANY) for entry in waiting]
        if writes or after != known.pool:
            writes.append(Put(row=_HEAD, value=_document(after), etag=known.etag))
            known.etag = self._store.commit(_TABLE, name, writes)[-1]
        known.moved(after, granted, waiting)
        self._building[name] = after.running
        return granted

    def _line(self, name: str, known: "_Known", cascade: str, joins: Iterable[Entry]) -> Iterator[Entry]:
        """A cascade's line, those who join it among those who stand in it."""
        joining = sorted((entry for entry in joins if entry.cascade == cascade), key=_row, reverse=True)
        for entry in self._stored(name, known, cascade):
            while joining and _row(joining[-1]) < _row(entry):
                yield joining.pop()
            # One who joins again takes the place of its former turn.
            yield joining.pop() if joining and _row(joining[-1]) == _row(entry) else entry
        yield from reversed(joining)

    def _stored(self, name: str, known: "_Known", cascade: str) -> Iterator[Entry]:
        front = known.front(cascade)
        position = 0
        while position < len(front.entries) or not front.whole:
            if position == len(front.entries):
                prefix, after = f"{_LINE}{cascade}/", _row(front.entries[-1]) if front.entries else ""
                records = list(self._store.scan(_TABLE, name, prefix=prefix, after=after, limit=_PAGE))
                front.entries += [_entry(name, record.value["entry"]) for record in records]
                front.whole = len(records) < _PAGE
            else:
                yield front.entries[position]
                position += 1


@dataclass(slots=True)
class _Front:
    """The first in a cascade's line as stored, in the order of their rows; `whole` when nobody stands behind."""

    entries: list[Entry] = field(default_factory=list)
    whole: bool = False


@dataclass(slots=True)
class _Known:
    """A pool as it was last read or written: `etag` is its record's, None when there was none."""

    etag: str | None
    pool: Pool
    fronts: dict[str, _Front] = field(default_factory=dict)

    def front(self, cascade: str) -> _Front:
        if cascade not in self.fronts:
            self.fronts[cascade] = _Front(whole=cascade not in self.pool.lines)  # else nobody has a row
        return self.fronts[cascade]

    def moved(self, pool: Pool, granted: Iterable[Entry], waiting: Iterable[Entry]) -> None:
        """The pool was written, with rows for those who wait now and none for those who got a slot."""
        for entry in waiting:
            front = self.front(entry.cascade)
            front.entries = [known for known in front.entries if _row(known) != _row(entry)]
            if front.whole or (front.entries and _row(entry) < _row(front.entries[-1])):
                insort(front.entries, entry, key=_row)
            if len(front.entries) > 2 * _PAGE:
                front.entries, front.whole = front.entries[:_PAGE], False
        gone = {_row(entry) for entry in granted}
        for front in self.fronts.values():
            front.entries = [entry for entry in front.entries if _row(entry) not in gone]
        self.pool = pool
        self.fronts = {cascade: front for cascade, front in self.fronts.items() if cascade in pool.lines}


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
