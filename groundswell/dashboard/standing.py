"""What an image stands on and what stands on it, as the pages tell it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from graph.lineage import Edge, Lineage, Node, watched


class Follows(StrEnum):
    """Whether a new digest of a base leads to a rebuild of what stands on it."""

    FOLLOWED = "followed"
    PINNED = "pinned"  # to a digest
    FIXED = "fixed tag"  # that its publisher does not move


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """`reference` as the Dockerfile resolves it; `image` publishes it, empty when none that is registered does."""

    reference: str
    kind: str
    image: str
    follows: Follows

    @property
    def tag(self) -> str:
        """The reference without its digest."""
        return watched(self.reference)

    @property
    def pin(self) -> str:
        """The digest that it is pinned to, if it is."""
        return self.reference.partition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependant:
    """`image` stands on the image that is looked at: by which kinds of edges, and whether by any that moves."""

    image: str
    kinds: tuple[str, ...]
    follows: Follows


def bases(lineage: Lineage, name: str) -> tuple[Base, ...]:
    """What an image stands on, the runtime base first."""
    return tuple(_base(lineage, edge) for edge in lineage.edges(name))


def dependants(lineage: Lineage, node: Node) -> tuple[Dependant, ...]:
    """The images that stand on a tag of `node` themselves, or on a digest of it, by name."""
    edges: dict[str, dict[Edge, None]] = {}
    for edge in _edges(lineage, node):
        if edge.image != node.name:
            edges.setdefault(edge.image, {})[edge] = None
    return tuple(
        Dependant(
            image=name,
            kinds=tuple(dict.fromkeys(edge.kind.value for edge in found)),
            follows=min((_follows(lineage, edge) for edge in found), key=list(Follows).index),
        )
        for name, found in sorted(edges.items())
    )


def _edges(lineage: Lineage, node: Node) -> Iterator[Edge]:
    for tag in node.publishes:
        yield from lineage.dependants(tag)
        yield from lineage.held(tag)
    if node.patterns:
        yield from lineage.held_by_patterns((node.name,))


def _base(lineage: Lineage, edge: Edge) -> Base:
    return Base(
        reference=edge.base,
        kind=edge.kind.value,
        image=lineage.publisher(watched(edge.base)) or "",
        follows=_follows(lineage, edge),
    )


def _follows(lineage: Lineage, edge: Edge) -> Follows:
    if edge.pinned:
        return Follows.PINNED
    publisher = lineage.publisher(edge.base)
    node = lineage.node(publisher) if publisher else None
    fixed = node is not None and publisher != edge.image and edge.base not in node.publishes
    return Follows.FIXED if fixed else Follows.FOLLOWED
