"""The time of a cascade: what each image spent it on, and the critical path, which determined the end. Pure.

Times come from several machines, whose clocks may differ a little: what seems to go backwards takes no time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.status import Status


class Phase(StrEnum):
    """What an image spends time on, in the order in which people read it."""

    WAITING = "waiting"  # for bases in the cascade
    QUEUED = "queued"  # for a build slot
    BUILDING = "building"
    VERIFYING = "verifying"
    SCANNING = "scanning"
    PROMOTING = "promoting"
    DEPLOYING = "deploying"
    HELD = "held"
    STOPPED = "stopped"  # blocked, or ended and run again later
    UNKNOWN = "unknown"  # its moments were not kept


_PHASES: Mapping[Status, Phase] = {
    Status.READY: Phase.QUEUED,
    **{Status(phase.value): phase for phase in Phase if phase.value in {status.value for status in Status}},
}
WORK = (Phase.BUILDING, Phase.VERIFYING, Phase.SCANNING, Phase.PROMOTING, Phase.DEPLOYING)
_CARRIES = (Status.PROMOTING, Status.DEPLOYING)
"""What is held from here has moved its tags: its dependants go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    phase: Phase
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image: `spans` follow on one another from `start` to `end`, where it settled for good, or now."""

    image: str
    status: Status
    start: float
    end: float
    spans: tuple[Span, ...]

    @property
    def worked(self) -> float:
        return sum(span.seconds for span in self.spans if span.phase in WORK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One image of the critical path, and the part of the time that it answers for."""

    image: str
    start: float
    end: float
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    start: float
    end: float
    rows: tuple[Row, ...]
    path: tuple[Link, ...]


class _Course(NamedTuple):
    """What is looked at of a rebuild, read once. `waits` names its bases, `moments` go forward in time."""

    image: str
    status: Status
    priority: float
    waits: Collection[str]
    moments: Sequence[Moment]


def timeline(states: Iterable[Rebuild | Outline], *, start: float, now: float, kept: int) -> Timeline:
    """Of a cascade that began at `start`. `kept` is how many moments a record holds: older ones may be left out."""
    courses = {
        state.image: _Course(state.image, state.status, state.priority, state.waits, moments)
        for state in states
        if (moments := _ordered(state.history))
    }
    rows = {image: _row(course, now=now, kept=kept) for image, course in courses.items()}
    path = _path(courses, rows)
    return Timeline(
        start=min([start, *(each.start for each in rows.values())]),
        end=max([start, *(each.end for each in rows.values())]),
        rows=tuple(rows[image] for image in sorted(rows)),
        path=path,
    )


def _row(course: _Course, *, now: float, kept: int) -> Row:
    """What one image spent its time on."""
    moments = course.moments
    end = moments[-1].at if course.status.settled else max(now, moments[-1].at)
    spans: list[Span] = []
    for number, (moment, until) in enumerate(zip(moments, [*(each.at for each in moments[1:]), end], strict=True)):
        lost = number == 0 and len(moments) >= kept
        phase = Phase.UNKNOWN if lost else _PHASES.get(moment.status, Phase.STOPPED)
        if until > moment.at:
            spans.append(Span(phase=phase, start=moment.at, end=until))
    return Row(image=course.image, status=course.status, start=moments[0].at, end=end, spans=tuple(spans))


def _ordered(history: Sequence[Moment]) -> list[Moment]:
    found: list[Moment] = []
    for moment in history:
        late = found and moment.at < found[-1].at
        found.append(replace(moment, at=found[-1].at) if late else moment)
    return found


# The critical path.


def _path(states: Mapping[str, _Course], rows: Mapping[str, Row]) -> tuple[Link, ...]:
    """From the last image back through the base that each waited for longest, to one that waited for none."""
    last = _last(states, rows)
    links: list[Link] = []
    seen: set[str] = set()
    until = rows[last].end if last else 0.0
    image: str | None = last
    while image is not None:
        seen.add(image)
        begun = _begun(states[image], until)
        freed = [
            (at, base)
            for base in states[image].waits
            if base in states and base not in seen
            for at in [_freed(states[base], begun)]
            if at is not None
        ]
        at, base = max(freed, default=(rows[image].start, None))
        start = min(at, until) if base else min(rows[image].start, until)
        links.append(Link(image=image, start=start, end=until, spans=tuple(_cut(rows[image].spans, start, until))))
        image, until = base, start
    return tuple(reversed(links))


def _last(states: Mapping[str, _Course], rows: Mapping[str, Row]) -> str | None:
    """What the end waits for: of what is under way, that with the longest way to go; else what settled last."""
    under_way = [state for state in states.values() if not state.status.settled]
    moving = [state for state in under_way if state.status is not Status.WAITING]
    if under_way:
        return max(
            moving or under_way, key=lambda state: (rows[state.image].end, state.priority, state.image)
        ).image
    return max(states, key=lambda image: (rows[image].end, image), default=None)


def _begun(course: _Course, until: float) -> float:
    """When it last began, at `until` or before: it was ready, or else left off waiting."""
    moments = [moment for moment in course.moments if moment.at <= until]
    ready = [moment.at for moment in moments if moment.status is Status.READY]
    left = (moment.at for moment in moments if moment.status is not Status.WAITING)
    return ready[-1] if ready else next(left, until)


def _freed(base: _Course, begun: float) -> float | None:
    """When a base last let its dependants go on, or blocked them, before `begun`; None when it never did."""
    times = list(_told(base.moments))
    before = [at for at in times if at <= begun]
    return before[-1] if before else min(times, default=None)


def _told(moments: Iterable[Moment]) -> Iterator[float]:
    """When it came to mean something to its dependants, by the moments of its history."""
    before: Status | None = None
    told = False
    for moment in moments:
        held = moment.status is Status.HELD and (before in _CARRIES or told)
        means = moment.status.settled or moment.status is Status.DEPLOYING or held
        if means and not told:
            yield moment.at
        told, before = means, moment.status


def _cut(spans: Iterable[Span], start: float, end: float) -> Iterator[Span]:
    for span in spans:
        since, until = max(span.start, start), min(span.end, end)
        if until > since:
            yield Span(phase=span.phase, start=since, end=until)
