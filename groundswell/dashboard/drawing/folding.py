"""Which images of a large cascade share a box, so that its picture can be read. Pure.

Images share a box only within a layer, so that what is folded has no circles: each edge leads to a higher layer.
The first of several ways to fold that leaves few enough boxes is taken; the later ones tell less.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from groundswell.dashboard.drawing.layers import layered

LIMIT = 80
"""Boxes that can be read; what was opened comes on top."""
PART = 60
"""Images that an opened box shows; of one with more, parts are shown that can be opened in turn."""
_DEEPEST = 12
"""Layers from which on folding is tried."""

type _Key = Callable[[str], Hashable]
type _Keys = Callable[[Mapping[str, Hashable]], _Key]
"""The key of an image within its layer, given the groups of those in the layers before."""
type _Groups = list[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """`items` are the images of each box, by the first, which names it; `parents` the boxes it stands on."""

    items: Mapping[str, tuple[str, ...]]
    parents: Mapping[str, tuple[str, ...]]
    layers: int


def fold(
    parents: Mapping[str, Sequence[str]],
    *,
    bad: Collection[str] = (),
    alone: Collection[str] = (),
    opened: Sequence[str] = (),
    limit: int = LIMIT,
) -> Folded:
    """Fold what does not fit. Parents that are not among the keys do not count.

    What is `bad` never shares a box with what is not; while it is few, it has boxes of its own, and so has all that
    it stands on. What is `alone` has one always. Each name in `opened` opens the box that holds it, once.
    """
    names = sorted(parents)
    layer = layered(names, parents)
    stands_on = {
        name: sorted({p for p in parents[name] if p in layer and layer[p] < layer[name]}) for name in names
    }
    bad = frozenset(bad)
    own = {*alone, *_shown(bad & layer.keys(), stands_on, limit // 2)}
    order = sorted(names, key=lambda each: (layer[each], each))

    def grouped(keys: _Keys, most: int) -> _Groups | None:
        return _grouped(order, layer, own, bad, keys=keys, most=most)

    groups = next(found for found in _tried(names, layer, stands_on, limit, grouped) if found is not None)
    items = {part[0]: part for group in groups for part in _opened(group, list(opened))}
    item_of = {image: key for key, images in items.items() for image in images}
    return Folded(
        items=items,
        parents={
            key: tuple(sorted({item_of[parent] for image in images for parent in stands_on[image]}))
            for key, images in items.items()
        },
        layers=max(layer.values(), default=-1) + 1,
    )


def _shown(bad: Collection[str], stands_on: Mapping[str, Sequence[str]], most: int) -> Collection[str]:
    found, queue = set(bad), list(bad)
    for name in queue:
        new = [parent for parent in stands_on[name] if parent not in found]
        found.update(new)
        queue += new
    return next((each for each in (found, bad) if len(each) <= most), ())


def _tried(
    names: Sequence[str],
    layer: Mapping[str, int],
    stands_on: Mapping[str, Sequence[str]],
    limit: int,
    grouped: Callable[[_Keys, int], _Groups | None],
) -> Iterator[_Groups | None]:
    """The groups by how images are told apart within a layer, the finest first; None where they are too many."""
    if len(names) <= limit:
        yield grouped(lambda _: lambda name: name, len(names))
        return
    lowest = {parent for parents in stands_on.values() for parent in parents}
    depth = min(max(layer.values()) + 1, _DEEPEST)

    def from_layer(first: int, deeper: _Keys) -> _Keys:
        """Above, only images on the same bases, with nothing on them, are alike."""

        def keys(group: Mapping[str, Hashable]) -> _Key:
            below = deeper(group)
            return lambda name: (
                below(name)
                if layer[name] >= first
                else ("", name)
                if name in lowest
                else ("on", *(group[parent] for parent in stands_on[name]))
            )

        return keys

    def same_parents(group: Mapping[str, Hashable]) -> _Key:
        return lambda name: tuple(sorted({str(group[parent]) for parent in stands_on[name]}))

    def nearest(group: Mapping[str, Hashable]) -> _Key:
        """The box of the highest layer that it stands on."""
        return lambda name: max(((layer[p], str(group[p])) for p in stands_on[name]), default=(0, ""))[1]

    firsts = range(depth, -1, -1)
    found = cache(lambda first: grouped(from_layer(first, same_parents), limit))
    # Each of these folds what the one before does, and more: so half of those that are left are skipped at a time.
    fits = bisect_left(firsts, True, key=lambda first: found(first) is not None)
    yield from map(found, firsts[fits : fits + 1])
    yield from (grouped(from_layer(first, nearest), limit) for first in firsts)
    yield grouped(lambda _: lambda name: name.partition("/")[0], limit)
    yield grouped(lambda _: lambda _: "", len(names))


def _grouped(
    order: Sequence[str],
    layer: Mapping[str, int],
    own: Collection[str],
    bad: Collection[str],
    *,
    keys: _Keys,
    most: int,
) -> _Groups | None:
    """Layer by layer; a group is known by its first image. None when there would be more than `most`."""
    group: dict[str, Hashable] = {}
    key = keys(group)
    found: dict[Hashable, list[str]] = {}
    for name in order:
        same = ("", name) if name in own else (layer[name], name in bad, key(name))
        members = found.setdefault(same, [])
        if not members and len(found) > most:
            return None
        members.append(name)
        group[name] = members[0]
    return [tuple(members) for members in found.values()]


def _opened(images: tuple[str, ...], opened: list[str]) -> Iterator[tuple[str, ...]]:
    known = set(images)
    hit = next((number for number, name in enumerate(opened) if name in known), None)
    if hit is None or len(images) == 1:
        yield images
        return
    rest = opened[:hit] + opened[hit + 1 :]
    size = PART if len(images) > PART else 1
    for start in range(0, len(images), size):
        yield from _opened(images[start : start + size], rest)
