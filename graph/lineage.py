"""The lineage: which image stands on which, as a directed graph of all edges (base -> dependant), in networkx.

Nodes are image names; an index holds the dependants of every reference, so that external bases, which no registered
image publishes, are found too. Tags decide: an image stands on the image that publishes the very tag its Dockerfile
names. An image may stand on a sibling of its own (another tag that it publishes): it does not wait for itself.

The networkx graph holds the edges along which a promotion is carried on. Two kinds of edges are held, and not
in it: those pinned to a digest, and those that name a tag which the image publishes (its tag patterns say so) but
does not move on promotion. Both are reported: rebuilding what stands on them would change nothing.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx


class LineageError(ValueError):
    """The registrations contradict each other; the message names them."""


class EdgeKind(StrEnum):
    RUNTIME = "runtime"  # the end of the target stage's FROM chain
    BUILD = "build"  # any other image the build needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One registered image: the references it publishes (stable tags) and those it stands on, canonical.

    `patterns` are references whose tag is a glob (`r.io/app:1.4.*`): tags it publishes too, but never moves.
    `frontend` is the image that its Dockerfile names with `# syntax=`: it builds the image, but nothing of it is
    in there, so it is kept apart from the edges.
    """

    name: str
    publishes: tuple[str, ...]
    runtime: str | None
    build: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    frontend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """`base` is the reference as the Dockerfile resolves it, tag and digest kept."""

    base: str
    image: str
    kind: EdgeKind
    pinned: bool


type Changes = Mapping[str, Node | None]
"""Nodes by name: to be put in, or (None) to be taken out."""


class Lineage:
    """The graph of registered images. It changes only by `apply`, which is all or nothing; it is not locked.

    Raises LineageError when two images publish the same reference, or when they stand on each other in a circle.
    """

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._nodes: dict[str, Node] = {}
        self._publisher: dict[str, str] = {}
        self._patterns: dict[str, dict[tuple[str, str], None]] = {}
        self._dependants: dict[str, dict[str, None]] = {}
        self._pins: dict[str, dict[str, None]] = {}
        self._frontends: dict[str, dict[str, None]] = {}
        self._graph = _empty()
        for node in nodes:
            self._index(node)
        self._graph.add_nodes_from(self._nodes)
        self._connect_all()

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    @property
    def graph(self) -> "nx.DiGraph[str]":
        """The graph over image names (a copy: the lineage itself changes by `apply` only)."""
        return self._graph.copy()

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def publisher(self, reference: str) -> str | None:
        """The image that publishes `reference` (canonical, without digest): by tag, or else by a tag pattern."""
        exact = self._publisher.get(reference)
        if exact is not None or not self._patterns:
            return exact
        name, _, tag = reference.rpartition(":")
        found = [(-len(glob), image) for glob, image in self._patterns.get(name, ()) if fnmatchcase(tag, glob)]
        return min(found)[1] if found else None

    def bases(self) -> tuple[str, ...]:
        """Every tagged reference that some image stands on, without digests, sorted."""
        return tuple(sorted(reference for reference in self._dependants if tagged(reference)))

    def edges(self, name: str) -> tuple[Edge, ...]:
        """What an image stands on, the runtime base first."""
        node = self._nodes.get(name)
        return tuple(_edges(node)) if node else ()

    def dependants(self, reference: str) -> tuple[Edge, ...]:
        """The edges that begin at `reference` (canonical, without digest), in stable order."""
        return tuple(
            edge
            for name in sorted(self._dependants.get(reference, ()))
            for edge in sorted(_edges(self._nodes[name]), key=lambda edge: (edge.kind, edge.base))
            if watched(edge.base) == reference
        )

    def stood_on(self, reference: str) -> bool:
        """Whether any image names `reference` (canonical, without digest), or a digest of it."""
        return bool(self._dependants.get(reference) or self._frontends.get(reference)) or any(self.held(reference))

    def direct(self, reference: str) -> set[str]:
        """The images that a new digest of `reference` rebuilds first: those that name it and pin nothing."""
        return {
            name
            for name in self._dependants.get(reference, ())
            if any(base == reference for base in _bases(self._nodes[name]))
        }

    def followers(self, name: str) -> Iterator[str]:
        """The images that a promotion of the image `name` rebuilds next."""
        return self._graph.successors(name)

    def followed(self, name: str) -> Iterator[str]:
        """The registered images whose promotion rebuilds the image `name`."""
        return self._graph.predecessors(name)

    def held(self, reference: str) -> Iterator[Edge]:
        """The edges that a new digest of `reference` leaves as they are: pins to it, or to its repository."""
        for key in (reference, reference.rpartition(":")[0]):
            for name in sorted(self._pins.get(key, ())):
                pin = f"{key}@"
                yield from (edge for edge in _edges(self._nodes[name]) if edge.base.startswith(pin))

    def built_by(self, reference: str) -> tuple[str, ...]:
        """The images whose Dockerfile is read by the frontend `reference` (without digest), sorted."""
        return tuple(sorted(self._frontends.get(reference, ())))

    def held_by_patterns(self, names: Container[str]) -> Iterator[Edge]:
        """The edges to tags that one of the images `names` publishes by a pattern, and so does not move."""
        if not self._patterns:
            return
        for reference in sorted(self._dependants):
            by_pattern = reference.rpartition(":")[0] in self._patterns and reference not in self._publisher
            if by_pattern and self.publisher(reference) in names:
                yield from self.dependants(reference)

    # Changing.

    def apply(self, changes: Changes) -> Changes:
        """Put nodes in, replace them, take them out; returns what undoes it.

        Raises LineageError as the constructor does; then nothing has changed. The cost goes with what changes: the
        images named, what stands on tags that are published newly or no longer, and the ancestors of all these.
        """
        former = {name: self._nodes.get(name) for name in changes}
        effective = {name: node for name, node in changes.items() if node != former[name]}
        try:
            self._set(effective, former)
        except LineageError:
            self._set({name: former[name] for name in effective}, {name: changes[name] for name in effective})
            raise
        return former

    def _set(self, changes: Changes, former: Changes) -> None:
        touched: set[str] = set()
        for name in changes:
            if (old := former[name]) is not None and self._nodes.get(name) is old:
                self._unindex(old)
                touched.update(self._standing_on(old, but_not=changes[name]))
                if changes[name] is None:
                    self._graph.remove_node(name)
        for name, node in changes.items():
            if node is not None and self._nodes.get(name) is not node:
                touched.add(name)
                touched.update(self._standing_on(node, but_not=former[name]))
                self._graph.add_node(name)
                self._index(node)
        touched &= self._nodes.keys()
        for name in touched:
            self._connect(name)
        for name in touched:
            self._refuse_circle(name)

    def _standing_on(self, node: Node, *, but_not: Node | None) -> Iterator[str]:
        """The images that stand on tags of `node` which the other version of it does not publish."""
        for reference in node.publishes:
            if but_not is None or reference not in but_not.publishes:
                yield from self._dependants.get(reference, ())

    def _index(self, node: Node) -> None:
        name = node.name
        self._nodes[name] = node
        for base in _bases(node):
            key, pin, _ = base.partition("@")
            self._dependants.setdefault(key, {})[name] = None
            if pin:
                self._pins.setdefault(key, {})[name] = None
        if node.frontend is not None:
            self._frontends.setdefault(watched(node.frontend), {})[name] = None
        for pattern in node.patterns:
            repository, _, glob = pattern.rpartition(":")
            self._patterns.setdefault(repository, {})[glob, name] = None
        for reference in node.publishes:
            other = self._publisher.setdefault(reference, name)
            if other != name:
                raise LineageError(f"{reference} is published by both {other} and {name}")

    def _unindex(self, node: Node) -> None:
        """Take out what `_index` put in, all of it or as far as it came."""
        name = node.name
        del self._nodes[name]
        for base in _bases(node):
            self._drop(self._dependants, watched(base), name)
            self._drop(self._pins, watched(base), name)
        if node.frontend is not None:
            self._drop(self._frontends, watched(node.frontend), name)
        for pattern in node.patterns:
            repository, _, glob = pattern.rpartition(":")
            self._drop(self._patterns, repository, (glob, name))
        for reference in node.publishes:
            if self._publisher.get(reference) == name:
                del self._publisher[reference]

    @staticmethod
    def _drop[K, V](index: dict[K, dict[V, None]], key: K, value: V) -> None:
        values = index.get(key, {})
        values.pop(value, None)
        if not values:
            index.pop(key, None)

    def _wanted(self, node: Node) -> Iterator[str]:
        """The images that `node` follows."""
        for base in _bases(node):
            publisher = self._publisher.get(base)
            if publisher is not None and publisher != node.name:
                yield publisher

    def _connect(self, name: str) -> None:
        wanted = set(self._wanted(self._nodes[name]))
        known = set(self._graph.pred[name])
        self._graph.remove_edges_from([(base, name) for base in known - wanted])
        self._graph.add_edges_from([(base, name) for base in wanted - known])

    def _connect_all(self) -> None:
        self._graph.add_edges_from(
            (base, node.name) for node in self._nodes.values() for base in self._wanted(node)
        )
        import networkx as nx

        if not nx.is_directed_acyclic_graph(self._graph):
            self._refuse([edge[0] for edge in nx.find_cycle(self._graph)])

    def _refuse_circle(self, name: str) -> None:
        """An image among its own ancestors. There are few of these: an image stands on a handful of others."""
        came_from: dict[str, str] = {}
        stack = [name]
        while stack:
            image = stack.pop()
            for base in self._graph.pred[image]:
                if base == name:
                    path = [name]
                    while image != name:
                        path.append(image)
                        image = came_from[image]
                    self._refuse(path)
                if base not in came_from:
                    came_from[base] = image
                    stack.append(base)

    @staticmethod
    def _refuse(cycle: Sequence[str]) -> None:
        path = " -> ".join([*cycle, cycle[0]])
        raise LineageError(f"images stand on each other in a circle: {path}; cut one of these edges")


def _empty() -> "nx.DiGraph[str]":
    """A graph. networkx takes a fifth of a cold start, and most messages need none."""
    import networkx as nx

    return nx.DiGraph()


def watched(base: str) -> str:
    """What an edge is found by: the reference without its digest (for a pin without a tag, the bare name)."""
    return base.partition("@")[0]


def _edges(node: Node) -> Iterator[Edge]:
    if node.runtime is not None:
        yield Edge(base=node.runtime, image=node.name, kind=EdgeKind.RUNTIME, pinned="@" in node.runtime)
    for base in node.build:
        yield Edge(base=base, image=node.name, kind=EdgeKind.BUILD, pinned="@" in base)


def _bases(node: Node) -> Iterator[str]:
    if node.runtime is not None:
        yield node.runtime
    yield from node.build


def tagged(reference: str) -> bool:
    """Whether a canonical reference without digest has a tag; a pin may have none."""
    return ":" in reference.rpartition("/")[2]
