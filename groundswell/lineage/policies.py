"""The policy beyond an image's own: one document for everybody and for each team, kept in the store.

It is registered as a whole, so that what is in force is what stands in one file under review, and each change is in
the audit trail. What an image is held to in the end is merged from it by `groundswell/scan/policy.py`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from groundswell import audit
from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError
from groundswell.lineage.model import Registration
from groundswell.scan.policy import Level, Merged, Policy, merge, policy
from groundswell.store.port import ANY, Documents, Put, Record

type Document = Mapping[str, Any]
"""As stored: `version`, `global`, `teams`, `vex` (each `file`, `expires` and the OpenVEX `document`), `rings`."""

_TABLE, _PARTITION, _ROW = "policies", "policies", "policy"
_RINGS_AGE = 30.0
_NONE: Document = {"version": 1, "global": {}, "teams": {}, "vex": []}


class Policies:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._read: tuple[Document, float] = (_NONE, -math.inf)  # what was in force, and when it was read

    def stored(self) -> Document:
        """The document in force; an empty one when none was ever set."""
        return self.seen()[0]

    def seen(self) -> tuple[Document, str | None]:
        """The document in force and its ETag; None with an empty one when none was ever set."""
        record = self._record()
        return (record.value, record.etag) if record else (_NONE, None)

    def set(self, document: Document, *, who: str, why: str, etag: str | None = ANY) -> bool:
        """Put `document` in force; False when it is already. The audit trail is written first.

        `etag` is what the caller saw (ANY: whatever is there). Raises InputError without a reason, ConflictError
        when somebody else set one meanwhile, PermanentError when it is too large to store.
        """
        if not why.strip():
            raise InputError("setting a policy needs a reason: --reason TEXT")
        record = self._record()
        if etag not in (ANY, record.etag if record else None):
            raise ConflictError("the policy is not as you saw it; look at it, then set yours again")
        if record is not None and record.value == document:
            return False
        audit.record(
            self._store,
            at=self._clock(),
            who=who,
            action="policy",
            subject="policy",
            why=why,
            before=_told(record.value) if record else {},
            after=_told(document),
        )
        put = Put(row=_ROW, value=document, etag=record.etag if record else None)
        try:
            self._store.commit(_TABLE, _PARTITION, [put])
        except ConflictError as exc:
            raise ConflictError("somebody else set a policy meanwhile; look at it, then set yours again") from exc
        self._read = (_NONE, -math.inf)
        return True

    def merged(self, image: Registration, *, age: float = 0.0) -> Merged:
        """What `image` is held to, and where each value comes from.

        What was in force up to `age` seconds ago will do where the caller says so; then the store is hardly asked.
        """
        document = self._in_force(age)
        levels = [Level(name="global", gate={**document["global"], **_vex_of(document)})]
        if team := document["teams"].get(image.owner):
            levels.append(Level(name=f"team {image.owner}", gate=team))
        return merge([*levels, Level(name=f"image {image.name}", gate=image.gate)])

    def rings(self, image: Registration) -> Sequence[Mapping[str, Any]]:
        """The rings that an image's rollouts go through: its own, or else those of everybody, half a minute ago."""
        return image.rings or self._in_force(_RINGS_AGE).get("rings", ())

    def policy(self, image: Registration, *, age: float = 0.0) -> Policy:
        return policy(self.merged(image, age=age).gate)

    def _in_force(self, age: float) -> Document:
        document, read_at = self._read
        now = self._clock()
        if not 0 <= now - read_at < age:  # below 0 the clock was put back
            document = self.stored()
            self._read = (document, now)
        return document

    def _record(self) -> Record | None:
        return self._store.get(_TABLE, _PARTITION, _ROW)


def _vex_of(document: Document) -> dict[str, Any]:
    return {"vex": document["vex"]} if document["vex"] else {}


def _told(document: Document) -> dict[str, Any]:
    """For the audit trail: of the OpenVEX documents only which, and how much they say."""
    vex = [
        {
            "file": each["file"],
            "expires": each["expires"],
            "statements": len(each["document"].get("statements", ())),
        }
        for each in document["vex"]
    ]
    return {**document, "vex": vex}
