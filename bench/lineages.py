"""Lineages as large companies have them, made up: the same for the same seed.

Depth 0 to 10, most images at 1; mostly no or one build reference. Of what stands on external bases, nine tenths
stand on a handful, the k-th of which has a share of 1/(k+2) of them, and the rest on a long tail. Of 100,000 images
a push of the largest base rebuilds about 35,000.
"""

import random
from collections.abc import Iterator
from functools import cache

from graph.lineage import Node
from groundswell.build.port import Source
from groundswell.lineage.model import Registration

HOST = "bench.example.com"
_DEEPER = 0.35
_DEEPEST = 10
_LARGE = 0.9
_SHARES = [1 / (k + 2) for k in range(6)]


def registrations(count: int, *, seed: int = 1) -> Iterator[Registration]:
    """`count` registered images."""
    rng = random.Random(seed)  # noqa: S311  # made-up data
    depths: list[list[str]] = [[] for _ in range(_DEEPEST)]
    tail = max(10, count // 300)
    for number in range(count):
        depth = 0
        while depth < _DEEPEST - 1 and depths[depth] and rng.random() < _DEEPER:
            depth += 1
        runtime: str | None
        if depth == 0:
            runtime = None if rng.random() < 0.03 else _base(rng, tail)
        else:
            below = depths[depth - 1]
            runtime = _reference(below[min(int(rng.paretovariate(0.7)) - 1, len(below) - 1)])
        build = [_base(rng, tail)] if rng.random() < 0.3 else []
        name = f"team{number % 211}/service-{number}"
        depths[depth].append(name)
        yield Registration(
            name=name,
            registry=HOST,
            repository=name,
            tags=("1", "latest") if rng.random() < 0.4 else ("1",),
            source=Source(location=f"https://git.example.com/team{number % 211}.git", ref="main", path=name),
            owner=f"team{number % 211}",
            labels={"tier": rng.choice(("gold", "silver"))},
            runtime=runtime,
            build=tuple(build),
        )


@cache
def nodes(count: int) -> tuple[Node, ...]:
    """The same as nodes of a lineage."""
    return tuple(registration.node for registration in registrations(count))


def _base(rng: random.Random, tail: int) -> str:
    if rng.random() < _LARGE:
        (number,) = rng.choices(range(len(_SHARES)), _SHARES)
    else:
        number = len(_SHARES) + rng.randrange(tail)
    return f"{HOST}/mirror/base-{number}:12"


def _reference(name: str) -> str:
    return f"{HOST}/{name}:1"
