"""Months as columns: where things stand in a chart that is drawn on the server. Pure.

A chart is a fixed number of pixels high and as wide as its place: along it everything is in percent, so that it is
drawn once for every screen, and its letters keep their size.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from groundswell.dashboard.words import lasted, month_name, percent

TOP, BOTTOM = 12, 152
"""The pixels of the greatest and of no value; the months are named below."""
HEIGHT = 188
_GAP = 1
"""Pixels between two parts of a column."""
_TICKS = 4
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(count * _MINUTE for count in (1, 2, 5, 10, 15, 30)),
    *(count * _HOUR for count in (1, 2, 3, 6, 12)),
)
_EVERY = {12: 1, 36: 3, 60: 6}
"""Up to so many months, every so many are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line across, `y` pixels from above."""

    y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A part of a column: `kind` is its colour in app.css; from `y1` (below) to `y2` in pixels."""

    kind: str
    y1: float
    y2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A month: `left` and `middle` in percent of the width. `minor` are names that a phone has no room for."""

    left: float
    middle: float
    name: str
    year: str
    minor: bool
    told: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`size` is the most months that columns of this width are for."""

    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    width: float
    size: int

    @property
    def empty(self) -> bool:
        return not any(column.bars for column in self.columns)


type Part = tuple[str, float]
"""Its kind and how much it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a chart tells of a month (`2026-11`): `parts` stand on each other, or, `nested`, one in another."""

    month: str
    parts: Sequence[Part]
    told: str


def times(months: Sequence[Told]) -> Chart:
    """Seconds; the parts of a month all begin at the bottom, the longest behind."""
    most = max((size for each in months for _, size in each.parts), default=0.0)
    step = _step(most)
    return _chart(months, [(at, lasted(at)) for at in _up_to(most, step)], nested=True)


def counts(months: Sequence[Told]) -> Chart:
    most = max((sum(size for _, size in each.parts) for each in months), default=0.0)
    return _chart(months, [(at, f"{at:,.10g}") for at in _up_to(most, _round_step(most))])


def shares(months: Sequence[Told]) -> Chart:
    """Parts of 1."""
    return _chart(months, [(at, percent(at)) for at in (0.0, 0.5, 1.0)])


def _chart(months: Sequence[Told], scale: Sequence[tuple[float, str]], *, nested: bool = False) -> Chart:
    top, width = scale[-1][0], 100 / max(1, len(months))
    names = _names([each.month for each in months])

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / top, 1)

    def bars(parts: Sequence[Part]) -> Iterator[Bar]:
        below = 0.0
        for kind, size in parts:
            if size > 0:
                start = y(below) - (_GAP if below else 0)
                yield Bar(kind=kind, y1=start, y2=min(y(below + size), start - 1))
            below += 0.0 if nested else size

    return Chart(
        ticks=tuple(Tick(y=y(at), text="0" if at == 0 else text) for at, text in scale),
        columns=tuple(
            Column(
                left=round(number * width, 3),
                middle=round((number + 0.5) * width, 3),
                name=names[each.month][0],
                year=names[each.month][1],
                minor=not names[each.month][1] and _number(each.month) % (2 * _every(len(months))) != 1,
                told=each.told,
                bars=tuple(bars(each.parts)),
            )
            for number, each in enumerate(months)
        ),
        width=round(width, 3),
        size=next(size for size in (*_EVERY, len(months)) if len(months) <= size),
    )


def _up_to(most: float, step: float) -> list[float]:
    """From 0 by `step` to the first that is not less than `most`."""
    return [number * step for number in range(max(1, math.ceil(round(most / step, 9))) + 1)]


def _step(most: float) -> float:
    """A step of time with which few lines are enough."""
    days = _round_step(most / _DAY) * _DAY
    return next((step for step in _STEPS if step * _TICKS >= most), max(_DAY, days))


def _round_step(most: float) -> float:
    """1, 2 or 5 times a power of ten."""
    least = most / _TICKS
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def _every(count: int) -> int:
    return next((every for size, every in _EVERY.items() if count <= size), 12)


def _number(month: str) -> int:
    return int(month[5:])


def _names(months: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """What stands below each: the months' names, as many as there is room for, and the year where one begins."""
    every = _every(len(months))
    named = [month for month in months if (_number(month) - 1) % every == 0]
    with_year = {month for month in named if _number(month) == 1}
    if named and not with_year & set(named[:3]):
        with_year.add(named[0])
    return {
        month: (month_name(month)[:3] if month in named else "", month[:4] if month in with_year else "")
        for month in months
    }
