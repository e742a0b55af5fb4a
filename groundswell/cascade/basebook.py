"""The bases' book: which digest each base reference was last seen at, and which cascade that belongs to.

It tells a new push from one already known (a doubled webhook, our own promotion).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import batched

from groundswell.clock import Clock
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, MAX_COMMIT, Documents, Put
from groundswell.store.recent import Recent

_TABLE, _PARTITION = "bases", "bases"
_REMEMBERED = 1000
"""Tags that were moved, and whose announcement is still to come."""
MOVING = 300.0
"""Seconds from entering a promotion until its tag has moved, a crash between the two and the sweep included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """`planned` is false until the digest has gone into a cascade: `cascade` is the one before it then.

    `push` is the id of the push that told the digest.
    `before` is what the tag pointed to when a promotion of ours was entered, which is before the tag moves.
    """

    digest: str
    cascade: str
    seen_at: float
    planned: bool = True
    before: str = ""
    push: str = ""

    def knows(self, digest: str, now: float) -> bool:
        """Whether a tag that points to `digest` is no news: as entered, or about to move there by our own hand."""
        return self.digest == digest or (self.before == digest and now - self.seen_at < MOVING)


class BaseBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._own: Recent[str, str] = Recent(_REMEMBERED)

    def get(self, reference: str) -> Base | None:
        record = self._store.get(_TABLE, _PARTITION, reference)
        return Base(**record.value) if record else None

    def all(self) -> dict[str, Base]:
        """Every entry, by reference."""
        return {record.row: Base(**record.value) for record in self._store.scan(_TABLE, _PARTITION)}

    def claim(self, reference: str, *, digest: str, push: str = "") -> Base:
        """Enter a digest that a push told, if it is new, as one to be planned; returns what the book says now.

        Until that is done, the entry names the cascade that the digest before it went into.
        """
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, reference)
                known = Base(**record.value) if record else None
                if known is not None and known.knows(digest, self._clock()):
                    return known
                cascade = known.cascade if known else ""
                base = Base(digest=digest, cascade=cascade, seen_at=self._clock(), planned=False, push=push)
                put = Put(row=reference, value=asdict(base), etag=record.etag if record else None)
                self._store.commit(_TABLE, _PARTITION, [put])
        return base

    def note(self, reference: str, *, digest: str, cascade: str = "") -> None:
        """Enter a digest that starts nothing: what a base is at when it is first known."""
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, reference)
                if record is not None and record.value["digest"] == digest:
                    return
                base = Base(digest=digest, cascade=cascade, seen_at=self._clock())
                put = Put(row=reference, value=asdict(base), etag=record.etag if record else None)
                self._store.commit(_TABLE, _PARTITION, [put])

    def promoting(
        self, references: Iterable[str], *, before: str, digest: str, cascade: str, bases: Iterable[str]
    ) -> None:
        """These tags are about to move, by our own hand; of those that are `bases`, the book says so from now."""
        entry = asdict(Base(digest=digest, cascade=cascade, seen_at=self._clock(), before=before))
        puts = [Put(row=reference, value=entry, etag=ANY) for reference in bases]
        for some in batched(puts, MAX_COMMIT, strict=False):
            self._store.commit(_TABLE, _PARTITION, some)
        for reference in references:
            self._own.put(reference, digest)

    def own(self, reference: str, digest: str) -> bool:
        """Whether a push is one that this process made itself. Said once: each is announced once."""
        if self._own.get(reference) != digest:
            return False
        self._own.drop(reference)
        return True

    def planned(self, reference: str, *, digest: str, cascade: str, seen_at: float = 0.0) -> None:
        """The digest went into `cascade`; a newer one that is still to be planned comes after that.

        A tag may move on and back: `seen_at` says which entry of the digest is meant, 0 the one that there is.
        """
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, reference)
                if record is None:
                    return
                newest = record.value["digest"] == digest and seen_at in (0.0, record.value["seen_at"])
                if record.value["planned"] and not newest:
                    return
                after = {**record.value, "cascade": cascade, "planned": newest}
                if after != record.value:
                    put = Put(row=reference, value=after, etag=record.etag)
                    self._store.commit(_TABLE, _PARTITION, [put])
