"""Which notices follow from what was seen. Pure.

A matter (an image that failed, a workload that drifted) is told when it stands and has stood for a while, so that
what heals itself is never told. What was told and is over gets one notice of its end. A matter is told once in a
window, however often it comes and goes, and so is a group: what has one cause in one cascade is one notice, and
who joins it later waits for the next window. What is held back is told when its time comes, if it stands then.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import batched

from groundswell.channels import Kind
from groundswell.notify.notice import Notice, Seen, State, Topic

TOGETHER = 50
"""Matters in one notice: they are written in one commit with what is sent."""
SHOWN = 10
"""Subjects that a notice names."""
OLD = 7 * 86_400.0
"""Seconds after which a cascade's end is no news."""

_DELAYED = frozenset({Kind.FAILED, Kind.REJECTED, Kind.ROLLED_BACK, Kind.ENDED, Kind.APPROVAL})
HEALS = frozenset(
    {Kind.FAILED, Kind.REJECTED, Kind.ROLLED_BACK, Kind.DRIFT, Kind.REFUSED, Kind.UNSCANNABLE},
)
"""Kinds whose end is told, too."""
_ONCE = frozenset({Kind.ENDED, Kind.POISON, Kind.ORPHAN})
"""Events: they do not end, and are forgotten when they are old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Seconds: `delay` that a failure must stand, `window` in which the same is told once."""

    delay: float
    window: float

    def delay_of(self, kind: Kind) -> float:
        return self.delay if kind in _DELAYED else 0.0

    def window_of(self, kind: Kind) -> float:
        """Who waits for an approval waits for a person, at each ring anew."""
        return self.delay if kind is Kind.APPROVAL else self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is written in one commit: topics as they are now, keys of those forgotten, and what is told."""

    topics: tuple[Topic, ...] = ()
    forgotten: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def plan(
    topics: Mapping[str, Topic], seen: Iterable[Seen], *, now: float, rules: Rules, oldest: str = ""
) -> list[Batch]:
    """What follows for all topics. `oldest` is the oldest cascade that may still be seen, "" when none may."""
    after = dict(topics)
    for look, disputed in _newest(seen):
        topic = step(after.get(look.key), look, now=now, disputed=disputed)
        if topic is None:
            after.pop(look.key, None)
        else:
            after[look.key] = topic
    batches = [*_told(after, now, rules), *_healed(after, now)]
    written = {topic.key for batch in batches for topic in batch.topics}
    rest = [
        topic
        for topic in after.values()
        if topic.key not in written
        and not _forgettable(topic, now, rules, oldest)
        and topic != topics.get(topic.key)
    ]
    kept = written | {topic.key for topic in after.values() if not _forgettable(topic, now, rules, oldest)}
    gone = sorted(set(topics) - kept)
    quiet = [Batch(topics=part) for part in batched(rest, TOGETHER, strict=False)]
    return [*batches, *quiet, *(Batch(forgotten=part) for part in batched(gone, TOGETHER, strict=False))]


def _newest(seen: Iterable[Seen]) -> Iterator[tuple[Seen, bool]]:
    """Of each matter what the newest cascade says, and whether an older one still has it standing."""
    by_key: dict[str, list[Seen]] = defaultdict(list)
    for look in seen:
        by_key[look.key].append(look)
    for looks in by_key.values():
        # What is under way in a newer cascade leaves it as the older one says.
        decided = [look for look in looks if look.state is not State.UNSURE] or looks
        newest = max(decided, key=lambda look: look.cascade)
        yield newest, any(look.state is State.STANDS and look is not newest for look in decided)


def step(topic: Topic | None, look: Seen, *, now: float, disputed: bool = False) -> Topic | None:
    """What is remembered after a look; None: nothing. An older cascade than the one known has no say."""
    if topic is not None and look.cascade < topic.seen.cascade:
        return topic
    match look.state:
        case State.STANDS:
            return _stands(topic, look, now)
        case State.UNSURE:
            if topic is None:
                return Topic(seen=look, state=State.UNSURE, since=now) if look.kind is Kind.ENDED else None
            begun_again = look.cascade == topic.seen.cascade and topic.state is State.STANDS
            return replace(topic, state=State.UNSURE) if begun_again else topic
        case State.OVER:
            if topic is None:
                return Topic(seen=look, state=State.OVER, since=now, over_at=now) if disputed else None
            if topic.state is State.OVER:
                return topic
            ended = replace(topic.seen, cascade=look.cascade) if look.cascade else topic.seen
            return replace(topic, seen=ended, state=State.OVER, ended=look.text, over_at=now)
        case State.GONE:
            return None


def _stands(topic: Topic | None, look: Seen, now: float) -> Topic | None:
    if look.kind is Kind.ENDED and look.at < now - OLD and (topic is None or topic.told_at):
        return topic
    if topic is None:
        return Topic(seen=look, state=State.STANDS, since=look.at)
    same = topic.state is State.STANDS and topic.seen.mark == look.mark
    # An occurrence that was told, went under way and came back as it was is no new one.
    since = topic.since if same or topic.told_mark == look.mark else look.at
    return replace(topic, seen=look, state=State.STANDS, since=since, ended="", over_at=0.0)


# Telling.


def _told(after: dict[str, Topic], now: float, rules: Rules) -> Iterator[Batch]:
    last: dict[tuple[Kind, str, str], float] = {}
    for topic in after.values():
        if topic.told_at:
            last[topic.seen.group] = max(last.get(topic.seen.group, 0.0), topic.told_at)
    due: dict[tuple[Kind, str, str], list[Topic]] = defaultdict(list)
    for topic in after.values():
        window = rules.window_of(topic.seen.kind)
        told = max(topic.told_at, last.get(topic.seen.group, 0.0))
        ripe = now >= topic.since + rules.delay_of(topic.seen.kind)
        if topic.waits and ripe and (not told or now >= told + window):
            due[topic.seen.group].append(topic)
    for group in sorted(due):
        for part in batched(sorted(due[group], key=lambda each: each.key), TOGETHER, strict=False):
            notice = _notice(part, now)
            told_now = tuple(
                replace(
                    topic,
                    told_at=now,
                    told_mark=topic.seen.mark,
                    told_id=notice.id,
                    owes=topic.seen.kind in HEALS,
                )
                for topic in part
            )
            after.update({topic.key: topic for topic in told_now})
            yield Batch(topics=told_now, notices=(notice,))


def _healed(after: dict[str, Topic], now: float) -> Iterator[Batch]:
    over: dict[str, list[Topic]] = defaultdict(list)
    for topic in after.values():
        if topic.owes and topic.state is State.OVER:
            over[topic.told_id].append(topic)
    for told_id in sorted(over):
        part = tuple(sorted(over[told_id], key=lambda each: each.key))
        settled = tuple(replace(topic, owes=False) for topic in part)
        after.update({topic.key: topic for topic in settled})
        yield Batch(topics=settled, notices=(_end(part, told_id, now),))


def _notice(topics: Sequence[Topic], now: float) -> Notice:
    first = topics[0].seen
    text = first.text
    title = first.title
    if len(topics) > 1:
        title = f"{first.title}, and {len(topics) - 1} more for the same cause"
        text = f"{_names([topic.seen.subject for topic in topics])}\nthe first: {first.text}"
    return Notice(
        id=_id(topics, now, "told"),
        kind=first.kind,
        title=title,
        text=text,
        at=now,
        since=min(topic.since for topic in topics),
        subjects=tuple(topic.seen.subject for topic in topics[:SHOWN]),
        count=len(topics),
        teams=_teams(topics),
        cascade=first.cascade,
    )


def _end(topics: Sequence[Topic], told_id: str, now: float) -> Notice:
    first = topics[0].seen
    what = first.subject if len(topics) == 1 else f"{first.subject} and {len(topics) - 1} more"
    text = topics[0].ended or "it is over"
    if len(topics) > 1:
        text = f"{_names([topic.seen.subject for topic in topics])}\nthe first: {text}"
    return Notice(
        id=_id(topics, now, "healed"),
        kind=Kind.HEALED,
        title=f"{what}: no longer {_WAS[first.kind]}",
        text=text,
        at=now,
        since=min(topic.since for topic in topics),
        subjects=tuple(topic.seen.subject for topic in topics[:SHOWN]),
        count=len(topics),
        teams=_teams(topics),
        cascade=first.cascade,
        heals=told_id,
        was=first.kind,
    )


_WAS: Mapping[Kind, str] = {
    Kind.FAILED: "failed",
    Kind.REJECTED: "rejected",
    Kind.ROLLED_BACK: "rolled back",
    Kind.DRIFT: "drifted",
    Kind.REFUSED: "refused while it runs",
    Kind.UNSCANNABLE: "running without a scan that counts",
}


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _teams(topics: Iterable[Topic]) -> tuple[str, ...]:
    return tuple(sorted({team for topic in topics for team in topic.seen.teams}))


def new_id(at: float, *parts: str) -> str:
    """An id that sorts by time, the newest last, and is the same for the same parts."""
    return f"n{int(at * 1000):013d}{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def told_at(notice: str) -> float:
    """When a notice was told, by its id. Raises ValueError when it is none."""
    if len(notice) != 26 or notice[0] != "n" or not (notice[1:14].isascii() and notice[1:14].isdecimal()):
        raise ValueError(notice)
    return int(notice[1:14]) / 1000


def _id(topics: Iterable[Topic], now: float, what: str) -> str:
    return new_id(now, what, *(f"{topic.key} {topic.seen.mark}" for topic in topics))


def _forgettable(topic: Topic, now: float, rules: Rules, oldest: str) -> bool:
    """Whether nothing that may still be seen could be told twice, or for the first time, without it."""
    if topic.waits or topic.owes:
        return False
    if topic.seen.kind in _ONCE:
        return bool(topic.told_at) and now > topic.told_at + OLD + rules.window and topic.state is State.STANDS
    past = now > max(topic.told_at, topic.over_at) + rules.window
    return topic.state is State.OVER and past and (not oldest or oldest > topic.seen.cascade)
