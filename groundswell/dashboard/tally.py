"""How far cascades are, by state, for pages that show many: counted again only when it may have changed."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from groundswell.cascade.kept import Kept
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.status import Status
from groundswell.clock import Clock
from groundswell.dashboard.words import TONES
from groundswell.store.recent import Recent
from groundswell.wiring import App

MOST = 2_500
"""Rebuilds that are read for one page; of cascades beyond that only what their headers say is shown."""
_BAD = (Status.FAILED, Status.REJECTED)
_NAMED = 3
_ENDED, _RUNNING = 60.0, 2.0
"""Seconds for which a count is good, as long as the header says the same."""
_ORDER = ("ok", "bad", "warn", "busy", "gone", "idle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a bar: from `start`, `count` long."""

    tone: str
    start: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """`bad` are the first few images that failed or were rejected, and why."""

    counts: Mapping[str, int]
    bad: tuple[tuple[str, str, str], ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def bad_total(self) -> int:
        return sum(self.counts.get(status, 0) for status in _BAD)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The bar, the good first, what has not begun last."""
        tones: Counter[str] = Counter()
        for status, count in self.counts.items():
            tones[TONES[status]] += count
        start, found = 0, []
        for tone in _ORDER:
            if tones[tone]:
                found.append(Segment(tone=tone, start=start, count=tones[tone]))
            start += tones[tone]
        return tuple(found)


def tally(outlines: Iterable[Outline]) -> Tally:
    """Counts by state, in the order of the bar."""
    counts: Counter[str] = Counter()
    bad: list[tuple[str, str, str]] = []
    for each in outlines:
        status = each.status
        counts[status] += 1
        if status in _BAD and len(bad) < _NAMED:
            bad.append((each.image, status.value, each.reason))
    ordered = sorted(Status, key=lambda status: _ORDER.index(TONES[status]))
    return Tally(counts={each.value: counts[each] for each in ordered if counts[each]}, bad=tuple(bad))


class Tallies:
    """What this instance counted last. One for each dashboard; safe to share between threads."""

    def __init__(self, product: App, clock: Clock = time.monotonic) -> None:
        self._product = product
        self._clock = clock
        self._known: Recent[tuple[object, ...], tuple[float, Tally]] = Recent(1_000)

    def of(self, headers: Sequence[Header]) -> dict[str, Tally]:
        """By cascade; those that would make the page read too much are missing."""
        found: dict[str, Tally] = {}
        left = MOST
        for header in headers:
            key = (header.id, header.total, header.open, header.phase, header.ended_at)
            known = self._known.get(key)
            if known is not None and self._clock() < known[0]:
                found[header.id] = known[1]
            elif header.total <= left:
                left -= header.total
                counted = tally(Kept(self._product.engine.records, self._product.archive, header.id).outlines())
                kept = _ENDED if header.phase is Phase.ENDED else _RUNNING
                self._known.put(key, (self._clock() + kept, counted))
                found[header.id] = counted
        return found
