"""Layers of a graph by longest path, and the order within them that keeps edges from crossing. Pure."""

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise

_SWEEPS = 4


def layered[N: Hashable](nodes: Sequence[N], parents: Mapping[N, Sequence[N]]) -> dict[N, int]:
    """The layer of each node: one more than that of its highest parent. Parents that are no nodes do not count.

    In topological order, which is that of `nodes` wherever the edges leave a choice. Records never hold a circle;
    of one that did, the edge back to its first node would be taken for missing.
    """
    known = set(nodes)
    left = {node: sum(parent in known for parent in set(parents.get(node, ()))) for node in nodes}
    children: dict[N, list[N]] = {node: [] for node in nodes}
    for node in nodes:
        for parent in dict.fromkeys(parents.get(node, ())):
            if parent in known:
                children[parent].append(node)
    found: dict[N, int] = {}
    queue = [node for node in nodes if not left[node]]
    waiting = iter(nodes)
    while len(found) < len(nodes):
        if not queue:
            queue = [next(node for node in waiting if node not in found)]
        for node in queue:
            layers = [found[parent] for parent in parents.get(node, ()) if parent in found]
            found[node] = max(layers, default=-1) + 1
        following = []
        for node in queue:
            for child in children[node]:
                left[child] -= 1
                if not left[child] and child not in found:
                    following.append(child)
        queue = following
    return found


def ordered[N: Hashable](
    layers: Sequence[Sequence[N]], parents: Mapping[N, Sequence[N]]
) -> tuple[tuple[N, ...], ...]:
    """The layers with the nodes of each in an order with few crossings: of several sweeps the best.

    Edges lead from one layer to the next. A sweep puts each node at the mean of its neighbours in the layer before,
    then of those in the layer after; ties stay as they are.
    """
    children: dict[N, list[N]] = {}
    for layer in layers:
        for node in layer:
            for parent in parents.get(node, ()):
                children.setdefault(parent, []).append(node)
    current = [list(layer) for layer in layers]
    best, fewest = [list(layer) for layer in current], _crossings(current, parents)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        numbers = range(1, len(current)) if down else range(len(current) - 2, -1, -1)
        neighbours = parents if down else children
        for number in numbers:
            beside = current[number - 1 if down else number + 1]
            place = {node: position for position, node in enumerate(beside)}
            current[number] = _by_mean(current[number], neighbours, place)
        count = _crossings(current, parents)
        if count < fewest:
            best, fewest = [list(layer) for layer in current], count
    return tuple(tuple(layer) for layer in best)


def _by_mean[N: Hashable](layer: list[N], neighbours: Mapping[N, Sequence[N]], place: Mapping[N, int]) -> list[N]:
    """Nodes without neighbours keep their place."""
    means = {}
    for position, node in enumerate(layer):
        places = [place[other] for other in neighbours.get(node, ()) if other in place]
        means[node] = sum(places) / len(places) if places else float(position)
    return sorted(layer, key=means.__getitem__)


def _crossings[N: Hashable](layers: Sequence[Sequence[N]], parents: Mapping[N, Sequence[N]]) -> int:
    """Pairs of edges that cross, counted with a Fenwick tree."""
    total = 0
    for before, layer in pairwise(layers):
        place = {node: position for position, node in enumerate(before)}
        tree, seen = [0] * (len(before) + 1), 0
        for node in layer:
            starts = sorted(place[parent] for parent in parents.get(node, ()) if parent in place)
            for start in starts:
                index, upto = start + 1, 0
                while index:
                    upto += tree[index]
                    index &= index - 1
                total += seen - upto
            for start in starts:
                index = start + 1
                while index <= len(before):
                    tree[index] += 1
                    index += index & -index
            seen += len(starts)
    return total
