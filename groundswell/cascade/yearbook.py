"""The yearbook: a summary of each cascade that has ended (`statistics.py`), by the month in which it began.

A summary is made when a cascade has ended, and made anew when one that was replayed ends again. Those that ended
before there was a yearbook are entered a few at a time, from their records or from the archive. A summary stays as
long as the archive keeps cascades, whether or not there is one.

A month is a partition, and what is each team's is one of its own: whoever asks reads what is asked for and no more.
The whole is written last and deleted last: it names the teams.
"""

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from groundswell.cascade.archive import Archive, month_of, months
from groundswell.cascade.durations import Durations
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Header, Phase, Records, index_row
from groundswell.cascade.statistics import Month, Part, month, summed_up, to_json
from groundswell.clock import Clock, inverted
from groundswell.lineage.catalog import Catalog
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put, Record
from groundswell.store.recent import Recent

_TABLE = "yearbook"
_STATE, _OLDER = "state", "older"
_VERSION = 1
_SETTLING = 86_400.0
"""Seconds before a cascade began in which its first push is looked for: far more than any settle window."""
_LINES = 1000
"""Lines of the push log that are looked through for it."""
_OLD_AT_ONCE = 20
_REMEMBERED = 500
"""Months that this process need not work out again while nothing is entered: by team, a few kB each."""
_CHANGE = "change"
"""The row of a month that is another after each write to it; it sorts after those of its cascades."""


class Yearbook:
    """`pushes` has the lines of the push log that sort after a row."""

    def __init__(
        self,
        *,
        store: Documents,
        records: Records,
        archive: Archive,
        catalog: Catalog,
        durations: Durations,
        pushes: Callable[[str], Iterator[Record]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = records
        self._archive = archive
        self._catalog = catalog
        self._durations = durations
        self._pushes = pushes
        self._clock = clock
        self._complete = False
        self._told: Recent[str, tuple[str, Month]] = Recent(_REMEMBERED)

    # Writing.

    def enter(self, header: Header, states: Mapping[str, Rebuild]) -> None:
        """Sum up a cascade that has ended; twice is harmless."""
        row, name = index_row(header), month_of(header.started_at)
        whole, parts = summed_up(
            states.values(),
            pushed=self._pushed(header),
            owners=self._owners(states.values()),
            usual=self._durations.usual(image for image, state in states.items() if state.run),
        )
        known = self._store.get(_TABLE, name, row)
        self._drop(name, row, set(known.value["owners"] if known else ()) - parts.keys())
        for owner, part in parts.items():
            put = Put(row=row, value={"v": _VERSION, "part": to_json(part)}, etag=ANY)
            self._store.commit(_TABLE, _of(name, owner), [put, _changed()])
        value = {"v": _VERSION, "part": to_json(whole), "owners": list(parts)}
        self._store.commit(_TABLE, name, [Put(row=row, value=value, etag=ANY), _changed()])

    def _drop(self, name: str, row: str, owners: Iterable[str]) -> None:
        for owner in owners:
            self._store.commit(_TABLE, _of(name, owner), [Delete(row=row, etag=ANY), _changed()])

    def _pushed(self, header: Header) -> float:
        """When the first push of a cascade was first dealt with, as the push log says, or else went into it."""
        went_in = header.went_in[0].at
        lines = islice(self._pushes(inverted(header.started_at + 1)), _LINES)
        for line in lines:
            at = line.value["at"]
            if at < header.started_at - _SETTLING:
                break
            if line.value["cascade"] == header.id:
                went_in = min(went_in, at)
        return went_in

    def _owners(self, states: Iterable[Rebuild]) -> dict[str, str]:
        """As each was built; of what was not built, or is archived, as it is registered now."""
        owners: dict[str, str] = {}
        missing: list[str] = []
        for state in states:
            if "owner" in state.spec:
                owners[state.image] = state.spec["owner"]
            else:
                missing.append(state.image)
        return owners | {item.name: item.owner for item in self._catalog.registrations(missing)}

    def catch_up(self, also: Callable[[Header, Mapping[str, Rebuild]], None]) -> int:
        """Enter a few of the cascades that ended before there was a yearbook; returns how many it looked at.

        Those whose records are still there are handed to `also`.
        """
        if self._complete:
            return 0
        record = self._store.get(_TABLE, _STATE, _OLDER)
        after, part = (record.value["after"], record.value["part"]) if record else ("", "records")
        if part == "done":
            self._complete = True
            return 0
        looked = 0
        for row, header in self._older(part, after):
            if looked == _OLD_AT_ONCE:
                break
            looked, after = looked + 1, row
            if header is not None and self._store.get(_TABLE, month_of(header.started_at), row) is None:
                source = self._records if part == "records" else self._archive
                states = {state.image: state for state in source.rebuilds(header.id)}
                if part == "records":
                    also(header, states)
                self.enter(header, states)
        else:
            after, part = "", "archive" if part == "records" else "done"
        value = {"after": after, "part": part}
        self._store.commit(_TABLE, _STATE, [Put(row=_OLDER, value=value, etag=ANY)])
        return looked

    def _older(self, part: str, after: str) -> Iterator[tuple[str, Header | None]]:
        if part == "archive":
            for header in self._archive.recent(now=self._clock(), after=after):
                yield index_row(header), header
            return
        for listed in self._records.listed(after=after):
            ended = listed.header is not None and listed.header.value.phase is Phase.ENDED
            yield listed.row, listed.header.value if listed.header is not None and ended else None

    def forget(self, before: float) -> int:
        """Drop summaries of cascades that began before `before`, as many as a commit holds; returns how many."""
        for name in months(before):
            old = self._store.scan(_TABLE, name, after=inverted(before), limit=MAX_COMMIT - 1)
            records = [record for record in old if record.row != _CHANGE]
            for record in records:
                self._drop(name, record.row, record.value["owners"])
            if records:
                writes = [Delete(row=record.row, etag=ANY) for record in records]
                self._store.commit(_TABLE, name, [*writes, _changed()])
                return len(writes)
        return 0

    # Reading.

    def told(self, count: int, *, owner: str = "") -> list[Month]:
        """This month and those before it, the newest first; with an `owner`, that team's part in them."""
        return [
            self._month(name, _of(name, owner) if owner else name) for name in islice(months(self._clock()), count)
        ]

    def _month(self, name: str, partition: str) -> Month:
        """What a month comes to; worked out again when something was entered since, as its change says.

        The change is read first: what is entered while the rest is read is counted, and is looked at once more.
        """
        record = self._store.get(_TABLE, partition, _CHANGE)
        change = record.value["id"] if record else ""
        known = self._told.get(partition)
        if known is not None and known[0] == change:
            return known[1]
        records = (each for each in self._store.scan(_TABLE, partition) if each.row != _CHANGE)
        told = month(name, (Part(**each.value["part"]) for each in records))
        self._told.put(partition, (change, told))
        return told


def _of(name: str, owner: str) -> str:
    """The partition of a team's parts in a month: a name may be of any length."""
    return f"{name}:{hashlib.sha256(owner.encode()).hexdigest()[:32]}"


def _changed() -> Put:
    return Put(row=_CHANGE, value={"id": uuid.uuid4().hex}, etag=ANY)
