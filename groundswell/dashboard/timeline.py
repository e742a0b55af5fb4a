"""/ui/cascades/ID/timeline: what each image of a cascade spent its time on, and the critical path."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groundswell.api.parameters import Parameters
from groundswell.cascade.decide import HISTORY
from groundswell.cascade.kept import Kept
from groundswell.cascade.records import Phase as CascadePhase
from groundswell.cascade.status import Status
from groundswell.cascade.timeline import Phase, Row, Span, Timeline, timeline
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.dashboard.words import lasted

pages = Pages()

ROWS = 60
_ARCHIVED = 11
"""Moments that the archive keeps of an image."""
_BAD = (Status.FAILED, Status.REJECTED)
_STEPS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
_TICKS = 5


class Which(Parameters):
    page: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A part of a row's picture, in hundredths of its width."""

    phase: Phase
    x: str
    width: str
    title: str


@pages.page("/cascades/{cascade}/timeline", "list_rebuilds")
def show(asked: Asked) -> Response:
    """The rows of few images in the order in which they began; of many, what matters most comes first."""
    query, now = asked.read(Which), asked.product.clock()
    kept = Kept(asked.product.engine.records, asked.product.archive, asked.path["cascade"])
    header = kept.header()
    states = asked.part(RebuildShelf).outlines(kept, header)
    known = timeline(states, start=header.started_at, now=now, kept=_ARCHIVED if kept.archived else HISTORY)
    rows, most = ordered(known), max(1, -(-len(known.rows) // ROWS))
    page = min(max(query.page, 1), most)
    scale = Scale(known)
    return asked.render(
        "timeline.html",
        header=header,
        archived=kept.archived,
        rows=[(row, scale.bars(row.spans), spent(row.spans)) for row in rows[(page - 1) * ROWS : page * ROWS]],
        path=[(link, spent(link.spans)) for link in known.path],
        critical={link.image: scale.place(link.start, link.end) for link in known.path},
        total=len(rows),
        page=page,
        most=most,
        ticks=scale.ticks(),
        phases=list(Phase),
        began=known.start,
        took=known.end - known.start,
        live=header.phase is not CascadePhase.ENDED,
    )


def ordered(known: Timeline) -> Sequence[Row]:
    """Where all fit on a page, as they began; else the critical path, what failed, and then what took longest."""
    if len(known.rows) <= ROWS:
        return sorted(known.rows, key=lambda row: (row.start, _began(row), row.image))
    path = {link.image: number for number, link in enumerate(known.path)}
    return sorted(
        known.rows,
        key=lambda row: (path.get(row.image, len(path)), row.status not in _BAD, -row.worked, row.image),
    )


def _began(row: Row) -> float:
    return next((span.start for span in row.spans if span.phase is not Phase.WAITING), row.end)


def spent(spans: Iterable[Span]) -> str:
    """What the time went into, in words."""
    sums = dict.fromkeys(Phase, 0.0)
    for span in spans:
        sums[span.phase] += span.seconds
    return ", ".join(f"{phase} {lasted(sums[phase])}" for phase in Phase if sums[phase] >= 0.5)


class Scale:
    """Times of a cascade as places in a picture of any width."""

    def __init__(self, known: Timeline) -> None:
        self._start = known.start
        self._length = max(known.end - known.start, 0.001)

    def place(self, start: float, end: float) -> tuple[str, str]:
        """Where it begins, and how wide it is."""
        return self._percent(start - self._start), self._percent(end - start)

    def bars(self, spans: Iterable[Span]) -> list[Bar]:
        found = []
        for span in spans:
            x, width = self.place(span.start, span.end)
            title = f"{span.phase} {lasted(span.seconds)}, from {lasted(span.start - self._start)} on"
            found.append(Bar(phase=span.phase, x=x, width=width, title=title))
        return found

    def ticks(self) -> list[tuple[str, str]]:
        """Round times since the beginning, with their places: a few."""
        step = next((each for each in _STEPS if self._length / each <= _TICKS), self._length / _TICKS)
        count = int(self._length * 0.9 / step)
        return [(self._percent(step * number), lasted(step * number)) for number in range(count + 1)]

    def _percent(self, seconds: float) -> str:
        return f"{100 * seconds / self._length:.3f}%"
