"""Where the boxes of a layered graph lie, and the ways of its edges: from left to right, layer by layer. Pure.

An edge that passes layers gets a place of its own in each, one for all edges of the same box, so that it leads
between the boxes and not behind them. The same graph is always laid out in the same way.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from groundswell.dashboard.drawing.layers import layered, ordered

GAP_X, GAP_Y = 72, 14
_THIN = 6
"""The height of a place that an edge has in a layer it passes."""
_SWEEPS = 3
_MOST_PASSING = 2_000
"""Layers that all edges together may pass; beyond that each leads straight to its box."""

type _Slot = tuple[str, int]
"""A box (in its own layer), or the place of its edges in a layer further on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """`x` and `y` are its upper left corner."""

    layer: int
    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An edge; `points` are (x, y) from box to box, in pairs: straight within a pair, a curve to the next."""

    start: str
    end: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    boxes: Mapping[str, Box]
    ways: tuple[Way, ...]
    width: int
    height: int


def lay_out(sizes: Mapping[str, Size], parents: Mapping[str, Sequence[str]]) -> Layout:
    """Lay out a graph. Where the edges leave a choice, the order is that of `sizes`."""
    names = list(sizes)
    layer_of = layered(names, parents)
    edges = [
        (parent, name)
        for name in names
        for parent in dict.fromkeys(parents.get(name, ()))
        if parent in layer_of and layer_of[parent] < layer_of[name]
    ]
    last: dict[str, int] = dict(layer_of)
    for parent, name in edges:
        last[parent] = max(last[parent], layer_of[name] - 1)
    passing = sum(layer_of[name] - layer_of[parent] - 1 for parent, name in edges) <= _MOST_PASSING
    layers: list[list[_Slot]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    above: dict[_Slot, list[_Slot]] = {}
    for name in names:
        first = layer_of[name]
        layers[first].append((name, first))
        for number in range(first + 1, last[name] + 1 if passing else 0):
            layers[number].append((name, number))
            above[name, number] = [(name, number - 1)]
    for parent, name in edges:
        if passing or layer_of[name] == layer_of[parent] + 1:
            above.setdefault((name, layer_of[name]), []).append((parent, layer_of[name] - 1))

    def height(slot: _Slot) -> int:
        return sizes[slot[0]].height if layer_of[slot[0]] == slot[1] else _THIN

    order = ordered(layers, above)
    middles = _middles(order, above, height)
    lefts, rights, x = [], [], 0
    for number, layer in enumerate(order):
        lefts.append(x)
        rights.append(x + max(sizes[name].width for name, _ in layer if layer_of[name] == number))
        x = rights[-1] + GAP_X
    top = min((round(middle) - height(slot) // 2 for slot, middle in middles.items()), default=0)
    boxes = {
        name: Box(
            layer=layer_of[name],
            x=lefts[layer_of[name]],
            y=round(middles[name, layer_of[name]]) - size.height // 2 - top,
            width=size.width,
            height=size.height,
        )
        for name, size in sizes.items()
    }
    ways = []
    for parent, name in edges:
        start, end = boxes[parent], boxes[name]
        points = [(start.x + start.width, start.middle), (rights[start.layer], start.middle)]
        for number in range(start.layer + 1, end.layer if passing else 0):
            level = round(middles[parent, number]) - top
            points += [(lefts[number], level), (rights[number], level)]
        ways.append(Way(start=parent, end=name, points=(*points, (end.x, end.middle))))
    return Layout(
        boxes=boxes,
        ways=tuple(ways),
        width=rights[-1] if rights else 0,
        height=max((box.y + box.height for box in boxes.values()), default=0),
    )


def _middles(
    order: Sequence[Sequence[_Slot]], above: Mapping[_Slot, Sequence[_Slot]], height: Callable[[_Slot], int]
) -> dict[_Slot, float]:
    """How far down the middle of each lies: as near to the mean of its neighbours as its own row allows."""
    below: dict[_Slot, list[_Slot]] = {}
    for slot, others in above.items():
        for other in others:
            below.setdefault(other, []).append(slot)
    found: dict[_Slot, float] = {}
    for layer in order:
        at = 0.0
        for slot in layer:
            found[slot] = at + height(slot) / 2
            at += height(slot) + GAP_Y
    for sweep in range(_SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for layer in order if sweep % 2 == 0 else reversed(order):
            wanted = []
            for slot in layer:
                others = neighbours.get(slot, ())
                wanted.append(sum(found[each] for each in others) / len(others) if others else found[slot])
            needed = [(height(one) + height(two)) / 2 + GAP_Y for one, two in pairwise(layer)]
            found.update(zip(layer, spread(wanted, needed), strict=True))
    return found


def spread(wanted: Sequence[float], needed: Sequence[float]) -> list[float]:
    """Places in the same order, `needed` apart at least, with the least sum of squared distances from `wanted`.

    Neighbours that are too near are pushed apart as one block (isotonic regression), so it takes one pass.
    """
    offsets = [0.0]
    for distance in needed:
        offsets.append(offsets[-1] + distance)
    blocks: list[tuple[float, int]] = []  # the sum of what its members want, and their number
    for place, offset in zip(wanted, offsets, strict=False):
        total, count = place - offset, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    found, number = [], 0
    for total, count in blocks:
        for _ in range(count):
            found.append(total / count + offsets[number])
            number += 1
    return found
