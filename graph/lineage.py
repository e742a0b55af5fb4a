"""The lineage: which image stands on which, as a directed graph of all edges (base -> dependant), in networkx.

Nodes are image names; an index holds every edge by the reference it begins at, so that external bases, which no
registered image publishes, are found too. Tags decide: an image stands on the image that publishes the very tag its
Dockerfile names. An image may stand on a sibling of its own (another tag that it publishes): it does not wait for
itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import networkx as nx

from graph.reference import Reference


class LineageError(ValueError):
    """The registrations contradict each other; the message names them."""


class EdgeKind(StrEnum):
    RUNTIME = "runtime"  # the end of the target stage's FROM chain
    BUILD = "build"  # any other image the build needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One registered image: the references it publishes (stable tags) and those it stands on, canonical."""

    name: str
    publishes: tuple[str, ...]
    runtime: str | None
    build: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`base` is the reference as the Dockerfile resolves it, tag and digest kept."""

    base: str
    image: str
    kind: EdgeKind
    pinned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """An image that a push rebuilds; `waits_for` are the images that must be promoted before it can start."""

    image: str
    depth: int
    waits_for: tuple[str, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What follows from a push: images in an order in which bases come first, and the edges that pins hold back."""

    images: tuple[Affected, ...]
    pinned: tuple[Edge, ...]


class Lineage:
    """An immutable graph of registered images.

    Raises LineageError when two images publish the same reference, or when they stand on each other in a circle.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._publisher: dict[str, str] = {}
        self._edges: dict[str, list[Edge]] = {}
        self._graph: nx.DiGraph[str] = nx.DiGraph()
        self._graph.add_nodes_from(sorted(self._nodes))
        for node in self._nodes.values():
            for reference in node.publishes:
                other = self._publisher.setdefault(reference, node.name)
                if other != node.name:
                    raise LineageError(f"{reference} is published by both {other} and {node.name}")
        for node in self._nodes.values():
            for edge in _edges(node):
                self._edges.setdefault(_watched(edge.base), []).append(edge)
                publisher = self._publisher.get(_watched(edge.base))
                if publisher not in (None, node.name) and not edge.pinned:
                    self._graph.add_edge(publisher, node.name)
        self._refuse_cycles()

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """The graph over image names (a copy: the lineage itself does not change)."""
        return self._graph.copy()

    def publisher(self, reference: str) -> str | None:
        """The image that publishes `reference` (canonical, without digest)."""
        return self._publisher.get(reference)

    def bases(self) -> tuple[str, ...]:
        """Every tagged reference that some image stands on, without digests, sorted."""
        return tuple(sorted(key for key, edges in self._edges.items() if Reference.parse(edges[0].base).tag))

    def dependants(self, reference: str) -> tuple[Edge, ...]:
        """The edges that begin at `reference` (canonical, without digest), in stable order."""
        return tuple(sorted(self._edges.get(reference, ()), key=lambda edge: (edge.image, edge.kind, edge.base)))

    def impact(self, reference: str) -> Impact:
        """Who is rebuilt when `reference` (canonical, without digest) gets a new digest, bases first."""
        direct = self.dependants(reference)
        roots = {edge.image for edge in direct if not edge.pinned}
        affected = set(roots).union(*(nx.descendants(self._graph, root) for root in roots))
        sub = self._graph.subgraph(affected)
        depth: dict[str, int] = {}
        images: list[Affected] = []
        for name in nx.lexicographical_topological_sort(sub):
            waits_for = tuple(sorted(sub.predecessors(name)))
            depth[name] = 1 + max((depth[base] for base in waits_for), default=0)
            edges = tuple(
                edge
                for edge in _edges(self._nodes[name])
                if not edge.pinned
                and (_watched(edge.base) == reference or self._publisher.get(_watched(edge.base)) in affected)
            )
            images.append(Affected(image=name, depth=depth[name], waits_for=waits_for, edges=edges))
        moved = [reference, *(tag for name in depth for tag in self._nodes[name].publishes)]
        watched = dict.fromkeys(key for tag in moved for key in (tag, Reference.parse(tag).name))
        pinned = tuple(edge for key in watched for edge in self.dependants(key) if edge.pinned)
        return Impact(images=tuple(images), pinned=pinned)

    def _refuse_cycles(self) -> None:
        try:
            cycle = nx.find_cycle(self._graph)
        except nx.NetworkXNoCycle:
            return
        path = " -> ".join([edge[0] for edge in cycle] + [cycle[-1][1]])
        raise LineageError(f"images stand on each other in a circle: {path}; cut one of these edges")


def dependants_of(impact: Impact) -> Mapping[str, tuple[str, ...]]:
    """For every affected image, the affected images that wait for it."""
    found: dict[str, list[str]] = {affected.image: [] for affected in impact.images}
    for affected in impact.images:
        for base in affected.waits_for:
            found[base].append(affected.image)
    return {image: tuple(dependants) for image, dependants in found.items()}


def _edges(node: Node) -> list[Edge]:
    named = [(node.runtime, EdgeKind.RUNTIME)] if node.runtime else []
    named += [(base, EdgeKind.BUILD) for base in node.build]
    return [
        Edge(base=base, image=node.name, kind=kind, pinned=Reference.parse(base).digest is not None)
        for base, kind in named
        if base is not None
    ]


def _watched(base: str) -> str:
    """What the edge is found by: the reference without its digest (for a pin without a tag, the bare name)."""
    return str(Reference.parse(base).without_digest())
