"""The freezes that are in the store, one record each; who adds or removes one is in the audit trail."""

from dataclasses import dataclass

from groundswell import audit
from groundswell.cascade.freezes import Freeze, from_json, to_json
from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError
from groundswell.store.port import ANY, Delete, Documents, Json, Put

VERSION = 1
_TABLE, _PARTITION = "freezes", "freezes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A freeze with the ETag under which it is stored."""

    freeze: Freeze
    etag: str


class FreezeBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def rules(self) -> tuple[Freeze, ...]:
        """Every rule, by name, those included whose time is over.

        Raises PermanentError when one cannot be understood: then nobody may say that nothing is frozen.
        """
        return tuple(_read(record.value) for record in self._store.scan(_TABLE, _PARTITION))

    def stored(self, name: str) -> Stored:
        """Raises NotFoundError when there is no such freeze, PermanentError when it cannot be understood."""
        record = self._store.get(_TABLE, _PARTITION, name)
        if record is None:
            raise NotFoundError(_none(name))
        return Stored(freeze=_read(record.value), etag=record.etag)

    def put(self, freeze: Freeze, *, who: str, etag: str | None = ANY) -> str:
        """Add a freeze, or put it in the place of the one of its name; returns its new ETag.

        `etag` is what the caller saw: None for no such freeze, ANY for whatever is there. Raises ConflictError when
        it is otherwise.
        """
        record = self._store.get(_TABLE, _PARTITION, freeze.name)
        if etag not in (ANY, record.etag if record else None):
            raise ConflictError(f"freeze {freeze.name} is not as you saw it; look at it, then decide again")
        value = {"v": VERSION, **to_json(freeze)}
        if record is not None and record.value == value:
            return record.etag
        before = record.value if record else {}
        self._audit("freeze", freeze.name, who=who, why=freeze.why, before=before, after=to_json(freeze))
        return self._store.commit(_TABLE, _PARTITION, [Put(row=freeze.name, value=value, etag=etag)])[0]

    def add(self, freeze: Freeze, *, who: str) -> None:
        """Raises InputError when there is one of this name."""
        if self._store.get(_TABLE, _PARTITION, freeze.name) is not None:
            raise InputError(f"there is a freeze {freeze.name} already; remove it first, or take another name")
        self._audit("freeze", freeze.name, who=who, why=freeze.why, before={}, after=to_json(freeze))
        value = {"v": VERSION, **to_json(freeze)}
        self._store.commit(_TABLE, _PARTITION, [Put(row=freeze.name, value=value, etag=None)])

    def remove(self, name: str, *, who: str, why: str, etag: str = ANY) -> None:
        """End a freeze, also one that cannot be understood.

        Raises NotFoundError, InputError without a reason, ConflictError when its ETag is not `etag`.
        """
        if not why.strip():
            raise InputError("removing a freeze needs a reason: --reason TEXT")
        record = self._store.get(_TABLE, _PARTITION, name) if name else None
        if record is None:
            raise NotFoundError(_none(name))
        if etag not in (ANY, record.etag):
            raise ConflictError(f"freeze {name} is not as you saw it; look at it, then decide again")
        self._audit("unfreeze", name, who=who, why=why, before=record.value, after={})
        self._store.commit(_TABLE, _PARTITION, [Delete(row=name, etag=etag)])

    def _audit(self, action: str, name: str, *, who: str, why: str, before: Json, after: Json) -> None:
        at = self._clock()
        audit.record(
            self._store,
            at=at,
            who=who,
            action=action,
            subject=f"freeze {name}",
            why=why,
            before=before,
            after=after,
        )


def _none(name: str) -> str:
    return f"no freeze {name}; `groundswell freeze list` lists them"


def _read(document: Json) -> Freeze:
    if document["v"] > VERSION:
        raise PermanentError(f"freeze {document['name']} was added by a newer program: upgrade this one first")
    return from_json(document)
