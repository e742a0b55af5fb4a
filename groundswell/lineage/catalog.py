"""The stored registrations, and the lineage made of them.

One record per image, changed only by its ETag. A revision record changes with every registration, so that whoever
holds a loaded lineage sees with one small read whether it is still true.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from graph.lineage import Lineage, LineageError
from groundswell import audit
from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError, NotFoundError
from groundswell.lineage.model import Registration, from_json, to_json
from groundswell.store.port import ANY, MAX_COMMIT, Documents, Put, Record

TABLE = "lineage"
IMAGES = "images"
_META, _REVISION = "meta", "revision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a registration would change about one image: the fields that differ, (before, after); all when new."""

    name: str
    new: bool
    fields: dict[str, tuple[Any, Any]]


class Catalog:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._loaded: tuple[str, Lineage] | None = None

    def registration(self, name: str) -> Registration:
        """Raises NotFoundError when no such image is registered."""
        record = self._store.get(TABLE, IMAGES, name)
        if record is None:
            raise NotFoundError(f"no image {name} is registered; see `groundswell lineage show`")
        return from_json(record.value)

    def registrations(self) -> tuple[Registration, ...]:
        return tuple(from_json(record.value) for record in self._store.scan(TABLE, IMAGES))

    def lineage(self) -> Lineage:
        """The graph of everything registered, kept until a registration changes something."""
        record = self._store.get(TABLE, _META, _REVISION)
        revision = record.value["revision"] if record else ""
        if self._loaded is None or self._loaded[0] != revision:
            self._loaded = (revision, Lineage(item.node for item in self.registrations()))
        return self._loaded[1]

    def changes(self, registrations: Iterable[Registration]) -> tuple[Change, ...]:
        """What registering these would change.

        Raises InputError when the lineage would contradict itself (a cycle, a tag published twice).
        """
        return self._compare(list(registrations))[0]

    def register(self, registrations: Iterable[Registration], *, who: str) -> tuple[Change, ...]:
        """Store these images; the others stay. Registering the same again changes nothing.

        Raises InputError as `changes` does, ConflictError when somebody else registered one of them meanwhile.
        """
        wanted = {registration.name: registration for registration in registrations}
        changes, stored = self._compare(list(wanted.values()))
        if not changes:
            return ()
        writes = [
            Put(
                row=change.name,
                value=to_json(wanted[change.name]),
                etag=stored[change.name].etag if change.name in stored else None,
            )
            for change in changes
        ]
        self._commit(writes)
        audit.record(
            self._store,
            at=self._clock(),
            who=who,
            action="register",
            subject=", ".join(change.name for change in changes)[:1000],
            why="",
            before={c.name: {f: v[0] for f, v in c.fields.items()} for c in changes[:50] if not c.new},
            after={c.name: {f: v[1] for f, v in c.fields.items()} for c in changes[:50]},
        )
        return changes

    def _compare(self, wanted: Sequence[Registration]) -> tuple[tuple[Change, ...], dict[str, Record]]:
        stored = {record.row: record for record in self._store.scan(TABLE, IMAGES)}
        after = {name: from_json(record.value) for name, record in stored.items()}
        changes = []
        for registration in wanted:
            record = stored.get(registration.name)
            old, new = dict(record.value) if record else {}, to_json(registration)
            fields = {
                field: (old.get(field), value)
                for field, value in new.items()
                if _plain(old.get(field)) != _plain(value)
            }
            if record is None or fields:
                changes.append(Change(name=registration.name, new=record is None, fields=fields))
            after[registration.name] = registration
        try:
            Lineage(item.node for item in after.values())
        except LineageError as exc:
            raise InputError(str(exc)) from exc
        return tuple(changes), stored

    def _commit(self, writes: Sequence[Put]) -> None:
        try:
            for start in range(0, len(writes), MAX_COMMIT):
                self._store.commit(TABLE, IMAGES, writes[start : start + MAX_COMMIT])
        except ConflictError as exc:
            raise ConflictError("somebody else registered one of these images meanwhile; run it again") from exc
        finally:
            revision = Put(row=_REVISION, value={"revision": uuid4().hex}, etag=ANY)
            self._store.commit(TABLE, _META, [revision])


def _plain(value: Any) -> Any:
    """As JSON has it: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
