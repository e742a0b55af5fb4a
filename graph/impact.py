"""What a push of a reference would do: which images, in which order, how long it takes. Pure.

An impact is found once and read by the planner of a cascade (who waits for whom) and by people who ask beforehand.
"""

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from graph.lineage import Edge, EdgeKind, Lineage


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """An image that a push rebuilds; `waits_for` are the images that must be promoted before it can start."""

    image: str
    depth: int
    waits_for: tuple[str, ...]
    edges: tuple[Edge, ...]

    @property
    def kind(self) -> EdgeKind:
        """How it stands on what moves: at run time, or for its build alone."""
        runs_on = any(edge.kind is EdgeKind.RUNTIME for edge in self.edges)
        return EdgeKind.RUNTIME if runs_on else EdgeKind.BUILD


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What follows from a push: images in an order in which bases come first, and the edges that are held.

    Held edges are pinned to a digest, or name a tag that is not moved: what stands on them is not rebuilt.
    """

    images: tuple[Affected, ...]
    held: tuple[Edge, ...]


def impact(lineage: Lineage, *references: str, anew: Collection[str] = ()) -> Impact:
    """Who is rebuilt when `references` (canonical, without digest) get new digests, bases first, then by name.

    The images `anew` are rebuilt without that: those of them that there are, and what stands on them.
    """
    pushed = frozenset(references)
    affected = _reached(lineage, _direct(lineage, pushed) | {name for name in anew if name in lineage})
    waits_for = {
        name: tuple(sorted(base for base in lineage.followed(name) if base in affected)) for name in affected
    }
    depth: dict[str, int] = {}
    images: list[Affected] = []
    for name in _in_order(lineage, waits_for):
        depth[name] = 1 + max((depth[base] for base in waits_for[name]), default=0)
        edges = tuple(
            edge
            for edge in lineage.edges(name)
            if not edge.pinned and (edge.base in pushed or lineage.publisher(edge.base) in affected)
        )
        images.append(Affected(image=name, depth=depth[name], waits_for=waits_for[name], edges=edges))
    return Impact(images=tuple(images), held=tuple(_held(lineage, references, depth)))


def carried_by(lineage: Lineage, name: str) -> set[str]:
    """The images that a promotion of the image `name` leads to the rebuild of, at whatever remove."""
    return _reached(lineage, lineage.followers(name))


def beside(lineage: Lineage, reference: str) -> set[str]:
    """The references whose push rebuilds an image that one of `reference` rebuilds too, itself included.

    That is all that stands, at whatever remove, under an image which `reference` rebuilds. Of two references each
    is beside the other, or neither.
    """
    images = _reached(lineage, lineage.direct(reference))
    stack = list(images)
    while stack:
        for name in lineage.followed(stack.pop()):
            if name not in images:
                images.add(name)
                stack.append(name)
    return {edge.base for name in images for edge in lineage.edges(name) if not edge.pinned}


def _direct(lineage: Lineage, references: Iterable[str]) -> set[str]:
    return {name for reference in references for name in lineage.direct(reference)}


def _reached(lineage: Lineage, roots: Iterable[str]) -> set[str]:
    reached = set(roots)
    stack = list(reached)
    while stack:
        for name in lineage.followers(stack.pop()):
            if name not in reached:
                reached.add(name)
                stack.append(name)
    return reached


def _in_order(lineage: Lineage, waits_for: Mapping[str, Sequence[str]]) -> Iterable[str]:
    """Every name after those it waits for; of several, the first by name."""
    left = {name: len(bases) for name, bases in waits_for.items()}
    free = [name for name, count in left.items() if not count]
    heapq.heapify(free)
    while free:
        name = heapq.heappop(free)
        yield name
        for dependant in lineage.followers(name):
            left[dependant] -= 1
            if not left[dependant]:
                heapq.heappush(free, dependant)


def _held(lineage: Lineage, references: Iterable[str], affected: Mapping[str, int]) -> Iterable[Edge]:
    tags = [tag for name in affected if (node := lineage.node(name)) for tag in node.publishes]
    pins = (edge for tag in (*references, *tags) for edge in lineage.held(tag))
    return dict.fromkeys((*pins, *lineage.held_by_patterns(affected)))


def dependants_of(images: Sequence[Affected]) -> Mapping[str, tuple[str, ...]]:
    """For every affected image, the affected images that wait for it."""
    found: dict[str, list[str]] = {affected.image: [] for affected in images}
    for affected in images:
        for base in affected.waits_for:
            found[base].append(affected.image)
    return {image: tuple(dependants) for image, dependants in found.items()}


def remaining_paths(dependants: Mapping[str, Sequence[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """The longest path in seconds from each image to the end, its own time included.

    `dependants` maps every image to those that wait for it, and is acyclic.
    """
    longest: dict[str, float] = {}
    for root in dependants:
        stack = [root]
        while stack:
            image = stack[-1]
            open_ones = [dependant for dependant in dependants[image] if dependant not in longest]
            if open_ones:
                stack.extend(open_ones)
                continue
            stack.pop()
            longest[image] = seconds[image] + max((longest[d] for d in dependants[image]), default=0.0)
    return longest


def critical_path(dependants: Mapping[str, Sequence[str]], paths: Mapping[str, float]) -> tuple[str, ...]:
    """The images of the longest chain, first to last: no number of build slots makes it shorter."""
    if not paths:
        return ()
    path = [max(paths, key=lambda image: (paths[image], image))]
    while following := dependants[path[-1]]:
        path.append(max(following, key=lambda image: (paths[image], image)))
    return tuple(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How a cascade would run: images in the order in which they start, and its end, in seconds."""

    order: tuple[str, ...]
    seconds: float


def forecast(
    images: Sequence[Affected], paths: Mapping[str, float], seconds: Mapping[str, float], slots: int
) -> Forecast:
    """Play the scheduler: each image as soon as its bases are done and a slot is free, the longest path first."""
    dependants = dependants_of(images)
    left = {affected.image: len(affected.waits_for) for affected in images}
    ready = [(-paths[image], image) for image, count in left.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    order: list[str] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            image = heapq.heappop(ready)[1]
            order.append(image)
            heapq.heappush(running, (now + seconds[image], image))
        now, image = heapq.heappop(running)
        for dependant in dependants[image]:
            left[dependant] -= 1
            if not left[dependant]:
                heapq.heappush(ready, (-paths[dependant], dependant))
    return Forecast(order=tuple(order), seconds=now)
