"""The registered lineage as people look at it: a graph with its external bases, and a tree of it. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import networkx as nx

from graph.lineage import EdgeKind, Lineage


def drawn(lineage: Lineage, images: Iterable[str]) -> "nx.DiGraph[str]":
    """The images with all they stand on: nodes are image names and, for bases that nobody publishes, references.

    Edges carry `kind` (runtime, build or frontend) and `pinned`; the runtime edge stands for both.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    for name in images:
        node = lineage.node(name)
        if node is None:
            continue
        graph.add_node(name)
        if node.frontend is not None:
            graph.add_edge(node.frontend, name, kind="frontend", pinned="@" in node.frontend)
        for edge in sorted(lineage.edges(name), key=lambda edge: edge.kind is EdgeKind.RUNTIME):
            base = edge.base if edge.pinned else lineage.publisher(edge.base) or edge.base
            if base != name:
                graph.add_edge(base, name, kind=edge.kind.value, pinned=edge.pinned)
    return graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A line of the tree. `again`: it stands elsewhere too, where what stands on it is shown."""

    name: str
    depth: int
    kind: str
    pinned: bool
    again: bool


def tree(graph: "nx.DiGraph[str]") -> Iterator[Branch]:
    """Every base with what stands on it below, depth first; what was shown once is not unfolded again."""
    shown: set[str] = set()
    roots = sorted(name for name in graph if not graph.in_degree(name))
    stack = [Branch(name=root, depth=0, kind="", pinned=False, again=False) for root in reversed(roots)]
    while stack:
        branch = stack.pop()
        again = branch.name in shown and graph.out_degree(branch.name) > 0
        yield Branch(name=branch.name, depth=branch.depth, kind=branch.kind, pinned=branch.pinned, again=again)
        if branch.name in shown:
            continue
        shown.add(branch.name)
        for name in sorted(graph.successors(branch.name), reverse=True):
            data = graph.edges[branch.name, name]
            stack.append(
                Branch(name=name, depth=branch.depth + 1, kind=data["kind"], pinned=data["pinned"], again=False)
            )
