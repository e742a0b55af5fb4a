"""From a push seen to one that is planned.

A webhook is a hint: the digest is read back from the registry, and that is what counts. Every push ends in one line
of the push log, whatever became of it. A push that is new waits for its settle window, so that those related to it
go into the same cascade; an urgent one does not wait.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from graph.reference import InvalidReferenceError, Reference
from groundswell.cascade import newer, unreadable
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.candidates import seen
from groundswell.cascade.engine import PUSHES, Engine
from groundswell.cascade.gathering import Gathered, Gathering
from groundswell.cascade.observing import observer
from groundswell.cascade.planning import Planner
from groundswell.cascade.push import Push, Result, queue
from groundswell.cascade.status import Status
from groundswell.clock import Clock, inverted
from groundswell.errors import NewerError, NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.registry.port import Registry
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put, Record, Store

logger = logging.getLogger(__name__)

_TABLE, _PARTITION = "pushes", "pushes"
_MAX_TRIES, _MAX_BACKOFF = 20, 300.0


class Intake:
    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        catalog: Catalog,
        bases: BaseBook,
        gathering: Gathering,
        planner: Planner,
        registry: Registry,
        settle: Callable[[str], float],
        clock: Clock,
    ) -> None:
        """`settle` gives the settle window of a base, in seconds."""
        self._store = store
        self._engine = engine
        self._catalog = catalog
        self._bases = bases
        self._gathering = gathering
        self._planner = planner
        self._registry = registry
        self._settle = settle
        self._clock = clock

    def handle(self, text: str) -> Result:
        """Deal with a queued push. Raises TemporaryError only when not even a later look could be queued."""
        try:
            return self._handle(Push.from_text(text))
        except NewerError as exc:
            newer.leave(self._store, PUSHES, text, why=exc)
            return Result.SETTLING

    def _handle(self, push: Push) -> Result:
        if seen(self._engine, push.tag):
            return Result.CANDIDATE  # its rebuild's history tells of it
        push = push if push.seen_at else replace(push, seen_at=self._clock())
        with observer().dealing(push) as dealt:
            try:
                result, cascade = self._deal(push)
            except NewerError:
                raise
            except TemporaryError as exc:
                if push.tries + 1 < _MAX_TRIES:
                    self._again(push, exc)
                    return Result.GAVE_UP
                result, cascade = Result.GAVE_UP, ""
                logger.exception("push given up; the reconcile timer will see it", extra=_fields(push))
            self._log(push, result, cascade)
            dealt(result)
        return result

    def poisoned(self, text: str) -> None:
        """A push that no delivery could deal with: it is logged as given up, for people to see."""
        try:
            push = Push.from_text(text)
        except NewerError as exc:
            newer.leave(self._store, PUSHES, text, why=exc)
            return
        except PermanentError as exc:
            unreadable.record(self._store, text, what="a push", why=exc, clock=self._clock)
            return
        logger.error("push gave up", extra=_fields(push))
        observer().gave_up(PUSHES)
        self._log(push, Result.GAVE_UP, "")

    def _again(self, push: Push, error: TemporaryError) -> None:
        delay = max(error.delay, min(_MAX_BACKOFF, 2.0**push.tries))
        logger.warning("push put off", extra={**_fields(push), "delay": delay, "why": str(error)})
        queue(self._store, replace(push, tries=push.tries + 1), delay=delay)

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
        name = str(reference)
        with self._catalog.lineage() as lineage:
            followed, pinned = bool(lineage.direct(name)), any(lineage.held(name))
            publisher = lineage.publisher(name)
        if not followed and not pinned:
            return Result.UNKNOWN, ""
        base = self._entered(reference, publisher, push)
        if base is None:
            return Result.MISSING, ""
        if base.planned:
            return _told(base, push), base.cascade
        if not followed:
            self._bases.planned(name, digest=base.digest, cascade=base.cascade)
            return Result.PINNED, ""
        return self._gather(push, name, base)

    def _entered(self, reference: Reference, publisher: str | None, push: Push) -> Base | None:
        """The base as registry and book both have it; None when there is no such tag.

        What was entered is read back once more: somebody may have entered a newer digest between our reading and
        our entering, and of all that do this, whoever enters last sees the newest.
        """
        digest = self._registry.digest(reference)
        if publisher is not None and digest is not None:
            self._wait_for_promotion(str(reference), publisher, digest)
        while digest is not None:
            base = self._bases.claim(str(reference), digest=digest, push=push.id)
            if base.planned:
                return base  # nothing was entered
            read, digest = digest, self._registry.digest(reference)
            if digest == read:
                return base
        return None

    def _wait_for_promotion(self, reference: str, image: str, digest: str) -> None:
        """Raises TemporaryError while we are about to move the tag: what it was at before is no news.

        The book is written before the registry, and says already what will be there.
        """
        known = self._bases.get(reference)
        if known is None or not known.cascade or known.digest == digest:
            return
        try:
            state = self._engine.records.rebuild(known.cascade, image).value
        except NotFoundError:
            return
        if state.status is Status.PROMOTING and state.candidate == known.digest:
            raise TemporaryError(f"{reference} is being promoted by cascade {state.cascade}")

    def _gather(self, push: Push, reference: str, base: Base) -> tuple[Result, str]:
        """Let the push wait for its window; plan it when that has passed."""
        now = self._clock()
        window = 0.0 if push.urgent else self._settle(reference)
        wanted = Gathered(
            reference=reference,
            digest=base.digest,
            source=push.source,
            seen_at=base.seen_at,
            due=now + window,
            urgent=push.urgent,
            forced=push.force,
            trace=push.trace,
        )
        known = self._gathering.waiting(reference)
        due = wanted.due if known is None else min(known.due, wanted.due)
        if due > now and not push.waited:
            if known is not None and known.is_the_same_as(wanted):
                return Result.KNOWN, ""
            # Sent first: where a push is seen to wait, somebody is on the way to plan it.
            queue(self._store, replace(push, waited=True, tries=0), delay=due - now)
            self._gathering.add(wanted)
            return Result.SETTLING, ""
        self._gathering.add(wanted)
        cascade = self._planner.plan(reference)
        told = cascade or self._bases.claim(reference, digest=base.digest).cascade
        return (_told(base, push), told) if told else (Result.UNKNOWN, "")

    def _log(self, push: Push, result: Result, cascade: str) -> None:
        """One line a push: what becomes of it later takes the place of what was said first."""
        at = push.seen_at or self._clock()
        logger.info("push dealt with", extra={**_fields(push), "result": result.value, "cascade": cascade})
        told = {key: value for key, value in asdict(push).items() if key != "trace"}
        value = {**told, "at": at, "result": result.value, "cascade": cascade}
        self._store.commit(_TABLE, _PARTITION, [Put(row=f"{inverted(at)}-{push.id}"[:200], value=value, etag=ANY)])

    def log(self, limit: int = 100) -> list[Mapping[str, Any]]:
        """The newest pushes first, each with its `result`."""
        return [record.value for record in self._store.scan(_TABLE, _PARTITION, limit=limit)]

    def logged(self, *, after: str = "") -> Iterator[Record]:
        """The same lines with their rows, those that sort after `after`, read as the caller goes on."""
        return logged(self._store, after)

    def forget(self, before: float, *, most: int = MAX_COMMIT) -> int:
        """Drop lines of the log that are as old as `before` or older, at most `most` of them; returns how many."""
        old = self._store.scan(_TABLE, _PARTITION, after=inverted(before), limit=most)
        writes = [Delete(row=record.row, etag=ANY) for record in old]
        self._store.commit(_TABLE, _PARTITION, writes)
        return len(writes)


def logged(store: Documents, after: str = "") -> Iterator[Record]:
    """The lines of the push log that sort after `after`, with their rows, the newest first."""
    return store.scan(_TABLE, _PARTITION, after=after)


def _told(base: Base, push: Push) -> Result:
    """Of all that tell a digest, the push that entered it is the one that went into a cascade."""
    return Result.CASCADE if push.waited or push.id == base.push else Result.KNOWN


def _fields(push: Push) -> dict[str, object]:
    return {"push": push.id, "registry": push.registry, "repository": push.repository, "tag": push.tag}
