"""Layer chains, and an index that finds those which another one begins with.

A chain is the `rootfs.diff_ids` of an image config (OCI image-spec), base first. Layers without content are left
out of it: some builders (Buildah) write one for an `ENV`, others none, so they tell nothing of who stands on whom.
"""

from collections.abc import Callable, Iterator, Sequence

EMPTY_LAYERS = frozenset({
    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",  # 1,024 zero bytes: Docker, Buildah
    "sha256:84ff92691f909a05b224e1c56abb4864f01b4f8e3c854e4bb4c7baf1d3f6d652",  # 10,240 zero bytes: GNU tar
})  # fmt: skip
"""The diff_ids of a tar that holds nothing."""

type Chain = tuple[str, ...]


def chain(diff_ids: Sequence[str]) -> Chain:
    """The layers that hold something."""
    return tuple(layer for layer in diff_ids if layer not in EMPTY_LAYERS)


def shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many items two sequences have in common at their beginnings."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


class ChainIndex[T]:
    """A value for each platform and chain, in a trie: setting and asking cost no more than the chain is long."""

    def __init__(self) -> None:
        self._roots: dict[str, int] = {}
        self._steps: dict[tuple[int, str], int] = {}
        self._values: dict[int, T] = {}
        self._nodes = 0

    def at(self, platform: str, layers: Chain, make: Callable[[], T]) -> T:
        """The value of this chain, made when there is none yet."""
        node = self._roots.setdefault(platform, self._new())
        for layer in layers:
            node = self._steps.setdefault((node, layer), self._new())
        if node not in self._values:
            self._values[node] = make()
        return self._values[node]

    def beneath(self, platform: str, layers: Chain) -> Iterator[tuple[int, T]]:
        """The chains that `layers` begins with, the longest first (itself included): (how long, the value)."""
        found = []
        node = self._roots.get(platform)
        for length, layer in enumerate(layers, 1):
            node = None if node is None else self._steps.get((node, layer))
            if node is None:
                break
            if node in self._values:
                found.append((length, self._values[node]))
        return reversed(found)

    def _new(self) -> int:
        """A number that no node has yet; some are never used."""
        self._nodes += 1
        return self._nodes
