"""Cascades as stored: a header, and one record per rebuild, all in one partition, so that both change together.

What was written last is remembered with its ETag (`recent.py`), so that the next move of a rebuild needs no read.
The list of open cascades is one record: its order says which of two cascades that want the same image came first.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, fields, replace
from itertools import batched
from typing import Any

from groundswell.cascade.codec import rebuild_from_json, rebuild_to_json
from groundswell.cascade.header import Header as Header  # noqa: PLC0414  # records are asked for with it
from groundswell.cascade.header import Phase as Phase  # noqa: PLC0414  # as above
from groundswell.cascade.header import Pushed as Pushed  # noqa: PLC0414  # as above
from groundswell.cascade.holders import Holders
from groundswell.cascade.model import Rebuild
from groundswell.cascade.outline import Outline
from groundswell.clock import inverted
from groundswell.errors import ConflictError, NotFoundError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put
from groundswell.store.recent import Recent

CASCADES = "cascades"
_HEADER, _IMAGE = "cascade", "image:"
_INDEX, _BY_TIME, _OPEN, _LIST = "index", "cascades", "open", "list"
_REMEMBERED = 10_000
"""Rebuilds under way; one that has not been built yet takes some 2 kB."""
ARCHIVE, ARCHIVED = "archive", "cascade"
"""Where `archive.py` keeps what is left of an old cascade: the table, and the row in the cascade's partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored[T]:
    value: T
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A cascade as the index lists it; no header is left of one whose removal was begun."""

    id: str
    row: str
    header: Stored[Header] | None


class Records:
    def __init__(self, store: Documents) -> None:
        self._store = store
        self.holders = Holders(store)
        self._rebuilds: Recent[tuple[str, str], Stored[Rebuild]] = Recent(_REMEMBERED)
        self._settled: Recent[tuple[str, str], int] = Recent(_REMEMBERED)  # the turn of each
        self._headers: Recent[str, Stored[Header]] = Recent(100)
        self._turns = threading.Lock()  # threads that change a header wait here, instead of meeting its ETag

    def header(self, cascade: str) -> Stored[Header]:
        """Raises NotFoundError when there is no such cascade."""
        record = self._store.get(CASCADES, cascade, _HEADER)
        if record is None:
            raise NotFoundError(self._gone(cascade))
        return Stored(value=header_from_json(record.value), etag=record.etag)

    def has(self, cascade: str) -> bool:
        return self._store.get(CASCADES, cascade, _HEADER) is not None

    def _gone(self, cascade: str) -> str:
        if self._store.get(ARCHIVE, cascade, ARCHIVED) is None:
            return f"no cascade {cascade}; `groundswell cascades` lists them"
        return (
            f"cascade {cascade} is in the archive, and nothing more can be done to it; "
            f"`groundswell cascades {cascade}` shows what is kept of it"
        )

    def rebuild(self, cascade: str, image: str) -> Stored[Rebuild]:
        """The rebuild as it is now. Raises NotFoundError when the image is not in the cascade."""
        record = self._store.get(CASCADES, cascade, _IMAGE + image)
        if record is None:
            raise NotFoundError(
                f"no image {image} in cascade {cascade}; `groundswell cascades {cascade}` lists them"
            )
        stored = Stored(value=rebuild_from_json(record.value), etag=record.etag)
        self._remember(stored)
        return stored

    def remembered(self, cascade: str, image: str) -> Stored[Rebuild] | None:
        """The rebuild as this process saw it last, if it remembers; one that is stale cannot be saved over."""
        return self._rebuilds.get((cascade, image))

    def passed(self, cascade: str, image: str, turn: int) -> bool:
        """Whether a turn is known to be over. Turns only grow, so this is never wrong; False: it is not known."""
        return self._settled.get((cascade, image), -1) > turn

    def rebuilds(self, cascade: str, *, after: str = "") -> Iterator[Rebuild]:
        """Every rebuild of a cascade whose image sorts after `after`, by image name."""
        for record in self._store.scan(CASCADES, cascade, prefix=_IMAGE, after=_IMAGE + after):
            yield rebuild_from_json(record.value)

    def outlines(self, cascade: str) -> Iterator[Outline]:
        """As `rebuilds`, in less than half the time: nothing of them is decoded before it is asked for."""
        for record in self._store.scan(CASCADES, cascade, prefix=_IMAGE):
            yield Outline(record.value)

    def create(self, header: Header, rebuilds: Sequence[Rebuild]) -> None:
        """Write a cascade's first records; what is there already stays, so an interrupted creation can go on.

        It is listed first: whatever is left of one that nobody goes on with is shown, and removed in the end. The
        header counts each rebuild in the commit that writes it: whoever goes on may know of others by then.
        """
        put = Put(row=index_row(header), value={"id": header.id}, etag=ANY)
        self._store.commit(_INDEX, _BY_TIME, [put])
        with suppress(ConflictError):
            first = Put(row=_HEADER, value=_document(replace(header, total=0, open=0)), etag=None)
            self._store.commit(CASCADES, header.id, [first])
        self.extend(header.id, rebuilds, at=header.started_at)

    def note(self, cascade: str, pushes: Sequence[Pushed]) -> list[int]:
        """Note pushes that go into a cascade under way; returns the turn of each (from 1). Repeats are harmless."""
        for attempt in retry_conflicts():
            with attempt:
                stored = self.header(cascade)
                known = stored.value.pushes
                after = (*known, *(push for push in pushes if push not in known))
                if after != known:
                    self._put_header(stored, replace(stored.value, pushes=after))
        return [1 + after.index(push) for push in pushes]

    def extend(self, cascade: str, rebuilds: Sequence[Rebuild], *, at: float) -> None:
        """Add rebuilds to a cascade, the header's count with them; what is there already stays."""
        for some in batched(rebuilds, MAX_COMMIT - 1, strict=False):
            missing: Sequence[Rebuild] = some  # but for a conflict
            for attempt in retry_conflicts():
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        missing = [item for item in some if not self._has(item)]
                    if not missing:
                        continue
                    new = [Put(row=_IMAGE + item.image, value=rebuild_to_json(item), etag=None) for item in missing]
                    unsettled = sum(not item.status.settled for item in missing)  # one may come in blocked
                    with self._turns:
                        stored = self.header(cascade)
                        counted = self._count(stored, unsettled, at)
                        header = replace(counted, total=counted.total + len(new))
                        etags = self._put_header(stored, header, new)[1:]
                    for item, etag in zip(missing, etags, strict=True):
                        self._remember(Stored(value=item, etag=etag))

    def _has(self, item: Rebuild) -> bool:
        return self._store.get(CASCADES, item.cascade, _IMAGE + item.image) is not None

    def _put_header(self, stored: Stored[Header], header: Header, more: Sequence[Put] = ()) -> list[str]:
        self._headers.drop(header.id)
        put = Put(row=_HEADER, value=_document(header), etag=stored.etag)
        return self._store.commit(CASCADES, header.id, [put, *more])

    def set_phase(self, stored: Stored[Header], phase: Phase) -> None:
        """Raises ConflictError when the header changed meanwhile."""
        self._put_header(stored, replace(stored.value, phase=phase))

    def save(self, cascade: str, moves: Sequence[tuple[Stored[Rebuild], Rebuild]], *, at: float) -> None:
        """Save rebuilds over those that were loaded, in one commit; the header with them when its count changes.

        Raises ConflictError when one of them changed meanwhile; then nothing is saved, and all are read again.
        """
        if not moves:
            return
        writes = [Put(row=_IMAGE + new.image, value=rebuild_to_json(new), etag=old.etag) for old, new in moves]
        change = sum(int(old.value.status.settled) - int(new.status.settled) for old, new in moves)
        with self._turns if change else nullcontext():
            header = self._counted(cascade, change, at) if change else None
            # Not remembered while it is being written: whether a write that fails is stored, nobody knows.
            if change:
                self._headers.drop(cascade)
            for _, new in moves:
                self._rebuilds.drop((cascade, new.image))
            if header is not None:
                writes.append(Put(row=_HEADER, value=_document(header.value), etag=header.etag))
            etags = self._store.commit(CASCADES, cascade, writes)
            if header is not None:
                self._headers.put(cascade, replace(header, etag=etags[-1]))
        for (_, new), etag in zip(moves, etags, strict=False):
            self._remember(Stored(value=new, etag=etag))

    def _remember(self, stored: Stored[Rebuild]) -> None:
        key = stored.value.cascade, stored.value.image
        if stored.value.status.settled:  # of what is asked for again, the turn is all that matters
            self._rebuilds.drop(key)
            self._settled.put(key, stored.value.turn)
        else:
            self._rebuilds.put(key, stored)

    def _counted(self, cascade: str, change: int, at: float) -> Stored[Header]:
        """The header as it will be when `change` more rebuilds (or fewer) are open, with the ETag it has now."""
        stored = self._headers.get(cascade) or self.header(cascade)
        return replace(stored, value=self._count(stored, change, at))

    @staticmethod
    def _count(stored: Stored[Header], change: int, at: float) -> Header:
        header = replace(stored.value, open=stored.value.open + change)
        if header.open == 0:
            return replace(header, phase=Phase.ENDED, ended_at=at)
        if header.phase is Phase.ENDED:
            return replace(header, phase=Phase.RUNNING, ended_at=None)
        return header

    def recent(self, limit: int) -> Iterator[Header]:
        """The newest cascades first."""
        for listed in self._listed(limit=limit):
            if listed.header is not None:
                yield listed.header.value

    def listed(self, *, after: str = "") -> Iterator[Listed]:
        """The newest cascades first, those whose `row` sorts after `after`, read as the caller goes on."""
        return self._listed(after=after)

    # Removing.

    def begun_before(self, at: float) -> Iterator[Listed]:
        """The cascades that began before `at`, the newest of them first, read as the caller goes on."""
        return self._listed(after=inverted(at))

    def _listed(self, *, after: str = "", limit: int | None = None) -> Iterator[Listed]:
        for record in self._store.scan(_INDEX, _BY_TIME, after=after, limit=limit):
            cascade = record.value["id"]
            header = self._store.get(CASCADES, cascade, _HEADER)
            stored = Stored(value=header_from_json(header.value), etag=header.etag) if header else None
            yield Listed(id=cascade, row=record.row, header=stored)

    def remove(self, listed: Listed) -> None:
        """Delete a cascade. Interrupted anywhere, the next call goes on.

        The header goes first and decides: whoever replays a rebuild of a cascade that has ended writes it too, so
        one of the two finds the other's change. The entry in the index goes last, for by it the rest is found
        again. Raises ConflictError when the header changed since it was listed; then nothing is deleted.
        """
        if listed.header is not None:
            self._headers.drop(listed.id)
            self._store.commit(CASCADES, listed.id, [Delete(row=_HEADER, etag=listed.header.etag)])
        images = self._store.scan(CASCADES, listed.id, prefix=_IMAGE)
        for part in batched(images, MAX_COMMIT, strict=False):
            self.holders.leave(listed.id, [record.row.removeprefix(_IMAGE) for record in part])
            self._store.commit(CASCADES, listed.id, [Delete(row=record.row, etag=ANY) for record in part])
        self._store.commit(_INDEX, _BY_TIME, [Delete(row=listed.row, etag=ANY)])

    # The list of open cascades.

    def open(self) -> list[str]:
        """Ids of the cascades that have not ended (or ended a moment ago), in the order in which they began."""
        record = self._store.get(_INDEX, _OPEN, _LIST)
        return list(record.value["cascades"]) if record else []

    def holding(self, *images: str, but: str) -> list[str]:
        """Those on the list, other than `but`, that may have one of the images; of many, those that have one."""
        others = [cascade for cascade in self.open() if cascade != but]
        if len(others) <= len(images):
            return others  # it costs no more to look into each
        found = self.holders.of(images, since=min(others))
        return [cascade for cascade in others if cascade in found]

    def enlist(self, cascade: str) -> None:
        """Put a cascade at the end of the open list. Raises ConflictError; repeating it is harmless."""
        self._edit(lambda ids: ids if cascade in ids else [*ids, cascade])

    def delist(self, cascade: str) -> None:
        self._edit(lambda ids: [known for known in ids if known != cascade])

    # After a restore.

    def put_right(self, cascade: str, *, at: float) -> bool:
        """Count a cascade's rebuilds again, and list it: they were read one after another. Whether it is open."""
        stored = self.header(cascade)
        images, unsettled = [], 0
        for state in self.rebuilds(cascade):
            images.append(state.image)
            unsettled += not state.status.settled
        header = replace(stored.value, total=len(images), open=unsettled)
        if header.phase is not Phase.PLANNING:
            header = self._count(replace(stored, value=header), 0, stored.value.ended_at or at)
        if header != stored.value:
            self._put_header(stored, header)
        self._store.commit(_INDEX, _BY_TIME, [Put(row=index_row(header), value={"id": header.id}, etag=ANY)])
        self.holders.enter(cascade, images)
        return header.phase is not Phase.ENDED

    def enlist_all(self, cascades: Iterable[str]) -> None:
        """Put these on the open list, which is in the order of their ids then: that of their beginnings."""
        self._edit(lambda ids: sorted({*ids, *cascades}))

    def _edit(self, change: Any) -> None:
        record = self._store.get(_INDEX, _OPEN, _LIST)
        before = list(record.value["cascades"]) if record else []
        after = change(before)
        if after != before:
            put = Put(row=_LIST, value={"cascades": after}, etag=record.etag if record else None)
            self._store.commit(_INDEX, _OPEN, [put])


def _document(header: Header) -> dict[str, Any]:
    cells = {field.name: getattr(header, field.name) for field in fields(header)}
    return {**cells, "pushes": [asdict(push) for push in header.pushes]}


def index_row(header: Header) -> str:
    """Sorts the newest cascade first."""
    return f"{inverted(header.started_at)}-{header.id}"


def header_from_json(document: Any) -> Header:
    return Header(
        **{
            **document,
            "phase": Phase(document["phase"]),
            "pinned": tuple((image, reference) for image, reference in document["pinned"]),
            "pushes": tuple(Pushed(**push) for push in document.get("pushes", ())),
        }
    )
