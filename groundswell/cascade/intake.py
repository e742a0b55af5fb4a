"""From a push seen to a cascade under way.

A webhook is a hint: the digest is read back from the registry, and that is what counts. Every push ends in one line
of the push log, whatever became of it.
"""

import json
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from graph.impact import Impact, impact
from graph.reference import InvalidReferenceError, Reference
from groundswell.cascade import unreadable
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.candidates import seen
from groundswell.cascade.durations import Durations
from groundswell.cascade.engine import PUSHES, Engine
from groundswell.cascade.model import Followed, Status, Superseded
from groundswell.cascade.plan import Trigger, plan
from groundswell.cascade.records import Header, Phase
from groundswell.clock import Clock, inverted
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.registry.port import Registry
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, Put, Queues, Store

logger = logging.getLogger(__name__)

VERSION = 3
_TABLE, _PARTITION = "pushes", "pushes"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_EPOCH = 1_767_225_600  # 2026-01-01; ids count seconds from here
_MAX_TRIES, _MAX_BACKOFF = 20, 300.0


class Result(StrEnum):
    """What became of a push."""

    CASCADE = "cascade"  # it started one
    KNOWN = "known"  # this digest was seen before, or we promoted it ourselves
    CANDIDATE = "candidate"  # our own build, not yet promoted
    UNTAGGED = "untagged"  # nothing can stand on it by tag
    UNKNOWN = "unknown"  # no registered image stands on it
    MISSING = "missing"  # the registry has no such tag
    PINNED = "pinned"  # all that stands on it names a digest
    GAVE_UP = "gave up"  # the registry could not be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One observed fact, as queued. `digest` is what the event said, a hint only.

    What follows from an `urgent` one gets its build slots before others; `force` builds it in any case.
    """

    id: str
    registry: str
    repository: str
    tag: str
    digest: str
    source: str
    urgent: bool = False
    force: bool = False
    tries: int = 0

    def to_text(self) -> str:
        return json.dumps({"v": VERSION, **asdict(self)}, separators=(",", ":"))

    @staticmethod
    def from_text(text: str) -> "Push":
        """Raises PermanentError when the message is not a push."""
        try:
            document = json.loads(text)
            if document.pop("v") > VERSION:
                raise PermanentError("the push was queued by a newer program: upgrade this one first")
            return Push(**document)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise PermanentError(f"queue message is not a push: {exc}") from exc


def queue(queues: Queues, push: Push, *, delay: float = 0.0) -> None:
    """Put a push on its queue."""
    queues.send(PUSHES, push.to_text(), delay=delay)


class Intake:
    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        catalog: Catalog,
        bases: BaseBook,
        durations: Durations,
        registry: Registry,
        clock: Clock,
    ) -> None:
        self._store = store
        self._engine = engine
        self._catalog = catalog
        self._bases = bases
        self._registry = registry
        self._clock = clock
        self._durations = durations

    def handle(self, text: str) -> Result:
        """Deal with a queued push. Raises TemporaryError only when not even a later look could be queued."""
        push = Push.from_text(text)
        if seen(self._engine, push.tag):
            return Result.CANDIDATE  # its rebuild's history tells of it
        try:
            result, cascade = self._deal(push)
        except TemporaryError as exc:
            if push.tries + 1 < _MAX_TRIES:
                self._again(push, exc)
                return Result.GAVE_UP
            result, cascade = Result.GAVE_UP, ""
            logger.exception("push given up; the reconcile timer will see it", extra=_fields(push))
        self._log(push, result, cascade)
        return result

    def poisoned(self, text: str) -> None:
        """A push that no delivery could deal with: it is logged as given up, for people to see."""
        try:
            push = Push.from_text(text)
        except PermanentError as exc:
            unreadable.record(self._store, text, what="a push", why=exc, clock=self._clock)
            return
        logger.error("push gave up", extra=_fields(push))
        self._log(push, Result.GAVE_UP, "")

    def _again(self, push: Push, error: TemporaryError) -> None:
        delay = max(error.delay, min(_MAX_BACKOFF, 2.0**push.tries))
        logger.warning("push put off", extra={**_fields(push), "delay": delay, "why": str(error)})
        again = Push(**{**asdict(push), "tries": push.tries + 1})
        queue(self._store, again, delay=delay)

    def _deal(self, push: Push) -> tuple[Result, str]:
        if not push.tag:
            return Result.UNTAGGED, ""
        if push.tag.startswith("gs-"):
            return Result.CANDIDATE, ""
        reference = Reference(registry=push.registry, repository=push.repository, tag=push.tag, digest=None)
        try:
            Reference.parse(str(reference))
        except InvalidReferenceError as exc:
            logger.warning("push of an impossible reference", extra={**_fields(push), "why": str(exc)})
            return Result.UNKNOWN, ""
        with self._catalog.lineage() as lineage:
            found = impact(lineage, str(reference))
        if not found.images and not found.held:
            return Result.UNKNOWN, ""
        digest = self._registry.digest(reference)
        if digest is None:
            return Result.MISSING, ""
        base, before = self._bases.claim(str(reference), digest=digest, cascade=new_id(self._clock()))
        if base.planned:
            return Result.KNOWN, base.cascade
        if not found.images:
            self._bases.planned(str(reference), cascade=base.cascade)
            return Result.PINNED, ""
        # An entry that was there but is not planned is another worker's, or that of one which died: go on with it.
        resumed = before == base
        self._start(str(reference), base, None if resumed else before, found, push)
        return Result.KNOWN if resumed else Result.CASCADE, base.cascade

    def _start(self, reference: str, base: Base, before: Base | None, found: Impact, push: Push) -> None:
        """Write the cascade down, then set it going. Interrupted anywhere, the next delivery goes on."""
        # The time is the entry's, so that two workers who write the same cascade down write the same records.
        records, at = self._engine.records, base.seen_at
        for attempt in retry_conflicts():
            with attempt:
                records.enlist(base.cascade)
        images = [affected.image for affected in found.images]
        followed = self._followed(base.cascade, set(images))
        trigger = Trigger(
            cascade=base.cascade,
            base=reference,
            digest=base.digest,
            at=at,
            urgent=push.urgent,
            forced=push.force,
        )
        rebuilds = plan(trigger, found.images, seconds=self._durations.estimates(images), followed=followed)
        header = Header(
            id=base.cascade,
            base=reference,
            digest=base.digest,
            source=push.source,
            urgent=push.urgent,
            started_at=at,
            total=len(rebuilds),
            open=len(rebuilds),
            pinned=tuple((edge.image, edge.base) for edge in found.held),
        )
        records.create(header, rebuilds)
        for attempt in retry_conflicts():
            with attempt:
                stored = records.header(base.cascade)
                if stored.value.phase is Phase.PLANNING:
                    records.set_phase(stored, Phase.RUNNING)
        for image, cascades in followed.items():
            for cascade in cascades:
                self._engine.advance(cascade, image, Followed(at=at, by=base.cascade))
        if before is not None and before.cascade:
            self._supersede(before.cascade, base.cascade)
        begun = (state for state in records.rebuilds(base.cascade) if state.turn == 0)
        self._engine.admit(command for state in begun for command in state.outbox)
        self._bases.planned(reference, cascade=base.cascade)
        logger.info("cascade started", extra={"cascade": base.cascade, "base": reference, "images": len(rebuilds)})

    def _followed(self, cascade: str, images: set[str]) -> dict[str, list[str]]:
        """By image, the cascades that began earlier and have not settled it; one still planning is waited for."""
        records = self._engine.records
        followed: dict[str, list[str]] = {}
        order = records.open()
        for earlier in order[: order.index(cascade)]:
            try:
                header = records.header(earlier).value
            except NotFoundError as exc:
                raise TemporaryError(f"cascade {earlier} is still being planned", delay=1.0) from exc
            if header.phase is Phase.PLANNING:
                raise TemporaryError(f"cascade {earlier} is still being planned", delay=1.0)
            for state in records.rebuilds(earlier):
                if state.image in images and not state.status.settled:
                    followed.setdefault(state.image, []).append(earlier)
        return followed

    def _supersede(self, older: str, newer: str) -> None:
        """The same base moved on: what the older cascade has not promoted yet need not be finished there."""
        for state in list(self._engine.records.rebuilds(older)):
            if not state.status.settled or state.status is Status.BLOCKED:
                self._engine.advance(older, state.image, Superseded(at=self._clock(), by=newer))

    def _log(self, push: Push, result: Result, cascade: str) -> None:
        at = self._clock()
        logger.info("push dealt with", extra={**_fields(push), "result": result.value, "cascade": cascade})
        value = {**asdict(push), "at": at, "result": result.value, "cascade": cascade}
        self._store.commit(_TABLE, _PARTITION, [Put(row=f"{inverted(at)}-{push.id}"[:200], value=value, etag=ANY)])

    def log(self, limit: int = 100) -> list[Mapping[str, Any]]:
        """The newest pushes first, each with its `result`."""
        return [record.value for record in self._store.scan(_TABLE, _PARTITION, limit=limit)]


def new_id(at: float) -> str:
    """A short id that sorts by time: seconds, then chance ([0-9a-z], 10 characters)."""
    number, digits = max(0, int(at) - _EPOCH), []
    for _ in range(6):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits)) + "".join(secrets.choice(_ALPHABET) for _ in range(4))


def began(cascade: str) -> float:
    """When a cascade got its id, to the second."""
    number = 0
    for letter in cascade[:6]:
        number = number * 32 + _ALPHABET.index(letter)
    return float(_EPOCH + number)


def _fields(push: Push) -> dict[str, object]:
    return {"push": push.id, "registry": push.registry, "repository": push.repository, "tag": push.tag}
