"""Looks at the records once a minute, and has told what follows. The engine knows nothing of it, and does no more.

What stands is read again and again, so nothing depends on an announcement that a crash could swallow. What is
remembered and what is to be sent are written in one commit, under the ETags of what was read: whoever dies before
has told nothing, whoever dies after has left it to `Post.again`, and of two that look at once one is refused.

Looked at are the cascades that are open, that began since the last round, that somebody did something to, and those
of which something is remembered. One that ended, and has not changed since this process looked, costs one read.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from groundswell import audit
from groundswell.cascade.alertbook import AlertBook
from groundswell.cascade.ids import began
from groundswell.cascade.records import Phase, Records
from groundswell.cascade.workloads import WorkloadBook
from groundswell.channels import Channel, Kind
from groundswell.clock import Clock
from groundswell.errors import ConflictError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.notify import look
from groundswell.notify.box import Box, Cursor, Stored
from groundswell.notify.decide import OLD, Batch, Rules, plan
from groundswell.notify.links import link
from groundswell.notify.notice import Seen, State, Topic
from groundswell.notify.post import Post
from groundswell.store.port import Store

logger = logging.getLogger(__name__)

OVERLAP = 900.0
"""Seconds before the last round that a cascade may have got its id, and be written only after that round."""
BOOKS = 300.0
"""Seconds between two looks at alerts and drift, which change by the hour."""
_OWNER_AGE = 60.0
_ACTS = frozenset({"replay", "cancel", "approve", "hold", "release"})
_OF_BOOKS = frozenset({Kind.DRIFT, Kind.REFUSED, Kind.UNSCANNABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where it looks."""

    records: Records
    catalog: Catalog
    alerts: AlertBook
    workloads: WorkloadBook


class Watch:
    def __init__(
        self,
        store: Store,
        *,
        sources: Sources,
        box: Box,
        post: Post,
        channels: Mapping[str, Channel],
        rules: Rules,
        public_url: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._sources = sources
        self._box = box
        self._post = post
        self._channels = channels
        self._rules = rules
        self._public_url = public_url
        self._clock = clock
        self._ended: dict[str, str] = {}  # cascades that had ended, with the header's ETag

    def run(self) -> None:
        """One round. Without channels there is nobody to tell: then nothing is read."""
        if not self._channels:
            return
        self._post.again()
        now = self._clock()
        cursor = self._box.cursor() or Cursor(at=now)
        stored = self._box.topics()
        topics = {key: each.value for key, each in stored.items()}
        books = now - cursor.books >= BOOKS
        cascades = self._cascades(topics, max(cursor.at, now - OLD))
        ended: dict[str, str] = {}
        seen = [*self._seen(cascades, topics, ended), *(self._books(topics) if books else ())]
        oldest = min(cascades, default="")
        try:
            for batch in plan(topics, seen, now=now, rules=self._rules, oldest=oldest):
                self._write(batch, stored)
        except ConflictError:
            logger.warning("notices are told by somebody else at this moment")
            return
        self._box.move(Cursor(at=now, books=now if books else cursor.books))
        self._ended = ended  # not before all of it is written: who did not come so far looks once more

    def _write(self, batch: Batch, stored: Mapping[str, Stored[Topic]]) -> None:
        notices = [each.with_link(link(self._public_url, each)) for each in batch.notices]
        deliveries = self._post.addressed(notices)
        etags = {key: each.etag for key, each in stored.items()}
        self._box.remember(
            [(topic, etags.get(topic.key)) for topic in batch.topics],
            [(key, etags[key]) for key in batch.forgotten],
            deliveries,
        )
        for notice in notices:
            fields = {"notice": notice.id, "kind": notice.kind.value, "about": notice.count}
            logger.info("notice told", extra=fields)
        self._post.call(deliveries)

    # Looking.

    def _cascades(self, topics: Mapping[str, Topic], since: float) -> set[str]:
        found = set(self._sources.records.open())
        for listed in self._sources.records.listed():
            if began(listed.id) < since - OVERLAP:
                break
            found.add(listed.id)
        for record in audit.rows(self._store):
            if record.value["at"] < since - OVERLAP:
                break
            if record.value["action"] in _ACTS:
                found.add(record.value["subject"].partition("/")[0])
        return found | {topic.seen.cascade for topic in topics.values() if _followed(topic)}

    def _seen(self, cascades: Iterable[str], topics: Mapping[str, Topic], ended: dict[str, str]) -> Iterator[Seen]:
        """What the cascades say; `ended` is filled with those that had ended."""
        pending = {topic.seen.cascade for topic in topics.values() if topic.waits}
        for cascade in sorted(cascades):
            try:
                stored = self._sources.records.header(cascade)
            except NotFoundError:
                yield from (
                    look.gone(key, topic.seen.kind, cascade)
                    for key, topic in topics.items()
                    if topic.seen.cascade == cascade and topic.seen.kind not in _OF_BOOKS
                )
                continue
            header = stored.value
            if header.phase is Phase.ENDED:
                ended[cascade] = stored.etag
            if cascade not in pending and self._ended.get(cascade) == stored.etag:
                continue
            states = list(self._sources.records.rebuilds(cascade))
            yield from look.of_cascade(header, states, self._owner)

    def _books(self, topics: Mapping[str, Topic]) -> Iterator[Seen]:
        found = {each.key: each for each in self._of_books()}
        yield from found.values()
        for key, topic in topics.items():
            if topic.seen.kind in _OF_BOOKS and key not in found:
                yield look.vanished(topic.seen)

    def _of_books(self) -> Iterator[Seen]:
        for alert, _ in self._sources.alerts.all():
            yield look.of_alert(alert, self._owner)
        for known in self._sources.workloads.all():
            yield look.of_workload(known, self._owner)

    def _owner(self, image: str) -> str:
        try:
            return self._sources.catalog.registration(image, age=_OWNER_AGE).owner
        except NotFoundError:
            return ""

    # What leaves no record that could be looked at.

    def gave_up(self, queue: str, text: str) -> None:
        """A message was given up; what it says is not told, for it may be anything."""
        mark = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:20]
        self._note(
            Kind.POISON,
            key=f"poison {queue} {mark}",
            cause=queue,
            subject=f"message on {queue}",
            title=f"a message on {queue} was given up",
            text=f"a message on the queue {queue} (sha256 {mark}…) failed again and again; the log says why, and "
            "`groundswell pushes` and `groundswell cascades` show what it was for",
        )

    def orphaned(self, registry: str, run: str) -> None:
        """A run that nobody waits for is being stopped."""
        self._note(
            Kind.ORPHAN,
            key=f"orphan {registry} {run}",
            cause=registry,
            subject=f"{registry} run {run}",
            title=f"run {run} in {registry} was left over, and is stopped",
            text=f"nobody waits for run {run} in {registry} any more: a stop was lost, or a worker died",
        )

    def _note(self, kind: Kind, *, key: str, cause: str, subject: str, title: str, text: str) -> None:
        if not self._channels:
            return
        now, known = self._clock(), self._box.topic(key)
        if known and (known.value.waits or now < known.value.told_at + self._rules.window):
            return  # it is told, or will be at the next round
        seen = Seen(
            key=key,
            kind=kind,
            state=State.STANDS,
            subject=subject,
            cause=cause,
            mark=f"{now:.3f}",
            title=title,
            text=text,
            at=now,
        )
        topic = (
            replace(known.value, seen=seen, since=now) if known else Topic(seen=seen, state=seen.state, since=now)
        )
        try:
            self._box.remember([(topic, known.etag if known else None)])
        except ConflictError:
            logger.info("noted by somebody else", extra={"topic": key})


def _followed(topic: Topic) -> bool:
    """Whether its cascade may still say something that is to be told."""
    if topic.seen.kind in _OF_BOOKS or not topic.seen.cascade:
        return False
    return topic.waits or topic.owes or topic.state is State.UNSURE
