"""The freezes that are in the store, one record each; who adds or removes one is in the audit trail."""

from groundswell import audit
from groundswell.cascade.freezes import Freeze, from_json, to_json
from groundswell.clock import Clock
from groundswell.errors import InputError, NotFoundError, PermanentError
from groundswell.store.port import ANY, Delete, Documents, Json, Put

VERSION = 1
_TABLE, _PARTITION = "freezes", "freezes"


class FreezeBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def rules(self) -> tuple[Freeze, ...]:
        """Every rule, by name, those included whose time is over.

        Raises PermanentError when one cannot be understood: then nobody may say that nothing is frozen.
        """
        return tuple(_read(record.value) for record in self._store.scan(_TABLE, _PARTITION))

    def add(self, freeze: Freeze, *, who: str) -> None:
        """Raises InputError when there is one of this name."""
        if self._store.get(_TABLE, _PARTITION, freeze.name) is not None:
            raise InputError(f"there is a freeze {freeze.name} already; remove it first, or take another name")
        self._audit("freeze", freeze.name, who=who, why=freeze.why, before={}, after=to_json(freeze))
        value = {"v": VERSION, **to_json(freeze)}
        self._store.commit(_TABLE, _PARTITION, [Put(row=freeze.name, value=value, etag=None)])

    def remove(self, name: str, *, who: str, why: str) -> None:
        """End a freeze, also one that cannot be understood. Raises NotFoundError, InputError without a reason."""
        if not why.strip():
            raise InputError("removing a freeze needs a reason: --reason TEXT")
        record = self._store.get(_TABLE, _PARTITION, name) if name else None
        if record is None:
            raise NotFoundError(f"no freeze {name}; `groundswell freeze list` lists them")
        self._audit("unfreeze", name, who=who, why=why, before=record.value, after={})
        self._store.commit(_TABLE, _PARTITION, [Delete(row=name, etag=ANY)])

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


def _read(document: Json) -> Freeze:
    if document["v"] > VERSION:
        raise PermanentError(f"freeze {document['name']} was added by a newer program: upgrade this one first")
    return from_json(document)
