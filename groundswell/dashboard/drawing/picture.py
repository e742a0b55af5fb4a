"""The picture of a cascade: its boxes with what they say, and the edges between them. Pure.

`Shape` is what is drawn where, and changes when an image begins to fail or a box is opened; `Face` is what a box
says now. Pages that are open ask for the faces alone, and draw again when `Shape.tag` is another.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from groundswell.cascade.model import Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.status import Status
from groundswell.dashboard.drawing.folding import Folded, fold
from groundswell.dashboard.drawing.layout import Layout, Size, lay_out
from groundswell.dashboard.words import TONES
from groundswell.printable import line

BAD = (Status.FAILED, Status.REJECTED)
MARGIN = 16
_SINGLE, _SHARED = Size(width=212, height=44), Size(width=212, height=58)
BAR = 188
"""The width of the bar of a box that images share."""
_NAME, _WORD = 23, 27
"""Characters that fit into the first and second line of a box."""
_WHY = 200
_WORST = ("bad", "warn", "busy", "idle", "gone", "ok")


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What a box says: a colour, which has a mark of its own, a few words, and all of it as one sentence.

    `bar` is how far the images are that share it: tone, place and width.
    """

    tone: str
    word: str
    label: str
    bar: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`bases` are the boxes of what was pushed; `unknown` images of which no record says what they stand on."""

    folded: Folded
    bases: Collection[str]
    unknown: int
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    start: int
    end: int
    path: str


def shape(states: Sequence[Rebuild | Outline], pushed: Collection[str], opened: Sequence[str]) -> Shape:
    """What the picture of a cascade shows, after a push of `pushed`."""
    known = {state.image for state in states}
    stands_on = {state.image: state.waits or state.built_on for state in states}
    bases = {base for on in stands_on.values() for base in on if base in pushed and base not in known}
    folded = fold(
        {**dict.fromkeys(bases, ()), **{image: tuple(on) for image, on in stands_on.items()}},
        bad={state.image for state in states if state.status in BAD},
        alone=bases,
        opened=opened,
    )
    told = repr((sorted(folded.items.items()), sorted(folded.parents.items())))
    return Shape(
        folded=folded,
        bases=bases,
        unknown=sum(not on for on in stands_on.values()),
        tag=hashlib.sha256(told.encode()).hexdigest()[:16],
    )


def faces(drawn: Shape, states: Sequence[Rebuild | Outline]) -> Mapping[str, Face]:
    """What each box says now."""
    known = {state.image: state for state in states}
    return {
        key: _base(key) if key in drawn.bases else _face([known[image] for image in images])
        for key, images in drawn.folded.items.items()
    }


def placed(drawn: Shape) -> tuple[Layout, tuple[Edge, ...]]:
    """Where it is drawn; edges name their boxes by number."""
    sizes = {key: _SINGLE if len(images) == 1 else _SHARED for key, images in drawn.folded.items.items()}
    layout = lay_out(sizes, drawn.folded.parents)
    number = {key: place for place, key in enumerate(sizes)}
    return layout, tuple(
        Edge(start=number[way.start], end=number[way.end], path=_path(way.points)) for way in layout.ways
    )


def name_of(drawn: Shape, key: str) -> str:
    """The first line of a box: of a name that is too long the beginning and the end."""
    images = drawn.folded.items[key]
    if len(images) == 1:
        return _short(line(key), _NAME)
    pairs = zip(line(min(images)), line(max(images)), strict=False)
    same = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    room = _NAME - len(f"{len(images)} · …")
    return f"{len(images)} · {same[:room]}…" if len(same) > 1 else f"{len(images)} images"


def _short(text: str, most: int) -> str:
    kept = most // 2
    return text if len(text) <= most else f"{text[: most - 1 - kept]}…{text[-kept:]}"


def _base(reference: str) -> Face:
    return Face(tone="base", word="pushed", label=f"{line(reference)}: pushed", bar=())


def _face(states: Sequence[Rebuild | Outline]) -> Face:
    if len(states) == 1:
        (state,) = states
        why = f", {line(state.reason)[:_WHY]}" if state.reason and state.status is not Status.DONE else ""
        label = f"{line(state.image)}: {state.status.value}{why}"
        return Face(tone=TONES[state.status], word=state.status.value, label=label, bar=())
    counts = Counter(state.status for state in states).most_common()
    told = ", ".join(f"{count} {status.value}" for status, count in counts)
    word = told if len(told) <= _WORD else told[: _WORD - 1].rpartition(",")[0] + " …"
    tones = Counter(TONES[state.status] for state in states)
    return Face(
        tone=next(tone for tone in _WORST if tones[tone]),
        word=word,
        label=f"{len(states)} images, from {line(states[0].image)} to {line(states[-1].image)}: {told}",
        bar=_bar(tones, len(states)),
    )


def _bar(tones: Counter[str], total: int) -> tuple[tuple[str, int, int], ...]:
    """The good first; each part that there is can be seen."""
    found, before = [], 0
    for tone in reversed(_WORST):
        if count := tones[tone]:
            start, end = (round(BAR * each / total) for each in (before, before + count))
            found.append((tone, min(start, BAR - 2), max(end - start, 2)))
            before += count
    return tuple(found)


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Straight within a pair of points, a curve to the next pair."""
    parts = [f"M{points[0][0]} {points[0][1]}"]
    for number, ((left, start), (right, end)) in enumerate(pairwise(points)):
        middle = (left + right) // 2
        if number % 2 == 0 and left != right:
            parts.append(f"H{right}")
        elif number % 2:
            parts.append(f"C{middle} {start} {middle} {end} {right} {end}")
    return "".join(parts)
