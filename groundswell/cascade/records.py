"""Cascades as stored: a header, and one record per rebuild, all in one partition, so that both change together.

The list of open cascades is one record: its order says which of two cascades that want the same image came first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from groundswell.cascade.codec import rebuild_from_json, rebuild_to_json
from groundswell.cascade.model import Rebuild
from groundswell.clock import inverted
from groundswell.errors import ConflictError, NotFoundError
from groundswell.store.port import ANY, MAX_COMMIT, Documents, Put

_CASCADES = "cascades"
_HEADER, _IMAGE = "cascade", "image:"
_INDEX, _BY_TIME, _OPEN, _LIST = "index", "cascades", "open", "list"


class Phase(StrEnum):
    PLANNING = "planning"  # its records are being written
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A cascade as a whole. `open` counts the rebuilds that are not settled; `pinned` what pins hold back."""

    id: str
    base: str
    digest: str
    source: str
    started_at: float
    total: int
    open: int
    phase: Phase = Phase.PLANNING
    ended_at: float | None = None
    urgent: bool = False
    pinned: tuple[tuple[str, str], ...] = ()
    edges: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored[T]:
    value: T
    etag: str


class Records:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def header(self, cascade: str) -> Stored[Header]:
        """Raises NotFoundError when there is no such cascade."""
        record = self._store.get(_CASCADES, cascade, _HEADER)
        if record is None:
            raise NotFoundError(f"no cascade {cascade}; `groundswell cascades` lists them")
        return Stored(value=_header(record.value), etag=record.etag)

    def rebuild(self, cascade: str, image: str) -> Stored[Rebuild]:
        """Raises NotFoundError when the image is not in the cascade."""
        record = self._store.get(_CASCADES, cascade, _IMAGE + image)
        if record is None:
            raise NotFoundError(
                f"no image {image} in cascade {cascade}; `groundswell cascades {cascade}` lists them"
            )
        return Stored(value=rebuild_from_json(record.value), etag=record.etag)

    def rebuilds(self, cascade: str) -> Iterator[Rebuild]:
        """Every rebuild of a cascade, by image name."""
        for record in self._store.scan(_CASCADES, cascade, prefix=_IMAGE):
            yield rebuild_from_json(record.value)

    def create(self, header: Header, rebuilds: Sequence[Rebuild]) -> None:
        """Write a cascade's first records; what is there already stays, so an interrupted creation can go on."""
        self._insert(header.id, [Put(row=_HEADER, value=asdict(header), etag=None)])
        puts = [Put(row=_IMAGE + item.image, value=rebuild_to_json(item), etag=None) for item in rebuilds]
        for start in range(0, len(puts), MAX_COMMIT):
            self._insert(header.id, puts[start : start + MAX_COMMIT])
        row = f"{inverted(header.started_at)}-{header.id}"
        self._store.commit(_INDEX, _BY_TIME, [Put(row=row, value={"id": header.id}, etag=ANY)])

    def _insert(self, cascade: str, puts: Sequence[Put]) -> None:
        try:
            self._store.commit(_CASCADES, cascade, puts)
        except ConflictError:
            for put in puts:
                if self._store.get(_CASCADES, cascade, put.row) is None:
                    self._store.commit(_CASCADES, cascade, [put])

    def set_phase(self, stored: Stored[Header], phase: Phase) -> None:
        """Raises ConflictError when the header changed meanwhile."""
        header = replace(stored.value, phase=phase)
        self._store.commit(_CASCADES, header.id, [Put(row=_HEADER, value=asdict(header), etag=stored.etag)])

    def save(self, old: Stored[Rebuild], new: Rebuild, *, at: float) -> None:
        """Save a rebuild over the one that was loaded, the header with it when a rebuild settled or came back.

        Raises ConflictError when either changed meanwhile; then nothing is saved.
        """
        writes = [Put(row=_IMAGE + new.image, value=rebuild_to_json(new), etag=old.etag)]
        change = int(old.value.status.settled) - int(new.status.settled)
        if change:
            stored = self.header(new.cascade)
            header = replace(stored.value, open=stored.value.open + change)
            if header.open == 0:
                header = replace(header, phase=Phase.ENDED, ended_at=at)
            elif header.phase is Phase.ENDED:
                header = replace(header, phase=Phase.RUNNING, ended_at=None)
            writes.append(Put(row=_HEADER, value=asdict(header), etag=stored.etag))
        self._store.commit(_CASCADES, new.cascade, writes)

    def recent(self, limit: int) -> Iterator[Header]:
        """The newest cascades first."""
        for record in self._store.scan(_INDEX, _BY_TIME, limit=limit):
            yield self.header(record.value["id"]).value

    # The list of open cascades.

    def open(self) -> list[str]:
        """Ids of the cascades that have not ended (or ended a moment ago), in the order in which they began."""
        record = self._store.get(_INDEX, _OPEN, _LIST)
        return list(record.value["cascades"]) if record else []

    def enlist(self, cascade: str) -> None:
        """Put a cascade at the end of the open list. Raises ConflictError; repeating it is harmless."""
        self._edit(lambda ids: ids if cascade in ids else [*ids, cascade])

    def delist(self, cascade: str) -> None:
        self._edit(lambda ids: [known for known in ids if known != cascade])

    def _edit(self, change: Any) -> None:
        record = self._store.get(_INDEX, _OPEN, _LIST)
        before = list(record.value["cascades"]) if record else []
        after = change(before)
        if after != before:
            put = Put(row=_LIST, value={"cascades": after}, etag=record.etag if record else None)
            self._store.commit(_INDEX, _OPEN, [put])


def _header(document: Any) -> Header:
    return Header(
        **{
            **document,
            "phase": Phase(document["phase"]),
            "pinned": tuple((image, reference) for image, reference in document["pinned"]),
        }
    )
