"""Answers that were given, so that a request that is sent again under its Idempotency-Key is answered the same.

As in the IETF's draft "The Idempotency-Key HTTP Header Field". A key is one principal's and stands for one request;
with another one it is refused. It is claimed before anything is done. Who was stopped in between leaves the claim
behind, and after a minute the next one takes it over. So a request is done once unless we die in it; then again,
which does no harm, as everywhere here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError, TemporaryError
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put

KEPT = 86_400.0
"""Seconds that an answer is kept."""
CLAIMED = 60.0
"""Seconds that a claim without an answer keeps others away."""

_TABLE, _PARTITION = "answers", "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`body` is JSON. `shown_once` stands over it in the first answer, and is not kept."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    shown_once: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request under a key; `print` tells it from others (method, address, body)."""

    principal: str
    key: str
    print: str

    @property
    def row(self) -> str:
        return hashlib.sha256(f"{self.principal}\0{self.key}".encode()).hexdigest()


class UnderWayError(TemporaryError):
    """The same request is being answered now."""


class AnswerBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def claim(self, asked: Asked) -> Answer | None:
        """The answer that was given, or None: then it is the caller's to `keep` one, or to `release` the key.

        Raises InputError when the key stood for another request, UnderWayError while somebody else has claimed it.
        """
        now = self._clock()
        record = self._store.get(_TABLE, _PARTITION, asked.row)
        if record is not None and now - record.value["at"] < KEPT:
            known = record.value
            if known["print"] != asked.print:
                raise InputError("this key was used for another request; take a new one for each")
            if known["answer"] is not None:
                return Answer(**known["answer"])
            if now - known["at"] < CLAIMED:
                raise UnderWayError("this very request is being answered", delay=1.0)
        claim = {"at": now, "print": asked.print, "answer": None}
        put = Put(row=asked.row, value=claim, etag=record.etag if record else None)
        try:
            self._store.commit(_TABLE, _PARTITION, [put])
        except ConflictError as exc:
            raise UnderWayError("this very request is being answered", delay=1.0) from exc
        return None

    def find(self, principal: str, key: str) -> Answer | None:
        """What was answered under a key, None when nothing was, or long ago. Raises UnderWayError as `claim`."""
        record = self._store.get(_TABLE, _PARTITION, Asked(principal=principal, key=key, print="").row)
        if record is None or self._clock() - record.value["at"] >= KEPT:
            return None
        if (answer := record.value["answer"]) is not None:
            return Answer(**answer)
        if self._clock() - record.value["at"] < CLAIMED:
            raise UnderWayError("this very request is being answered", delay=1.0)
        return None

    def keep(self, asked: Asked, answer: Answer) -> None:
        given = {"status": answer.status, "body": answer.body, "headers": dict(answer.headers)}
        value = {"at": self._clock(), "print": asked.print, "answer": given}
        self._store.commit(_TABLE, _PARTITION, [Put(row=asked.row, value=value, etag=ANY)])

    def release(self, asked: Asked) -> None:
        """Nothing was done: the key may be tried again."""
        self._store.commit(_TABLE, _PARTITION, [Delete(row=asked.row, etag=ANY)])

    def forget(self) -> int:
        """Drop what is no longer kept; returns how many went."""
        before, gone = self._clock() - KEPT, 0
        records = self._store.scan(_TABLE, _PARTITION)
        old = (Delete(row=each.row, etag=each.etag) for each in records if each.value["at"] <= before)
        for part in batched(old, MAX_COMMIT, strict=False):
            try:
                self._store.commit(_TABLE, _PARTITION, part)
            except ConflictError:
                continue  # one of them was claimed again: the next night has the others
            gone += len(part)
        return gone
