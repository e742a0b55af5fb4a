"""One registry port for all: our own registries with the app's identity, everybody else's as strangers ask them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graph.reference import Reference
from groundswell.registry.port import Image, Registry, Tag


class RoutedRegistry:
    """The Registry port; `is_ours` tells by the login server. As safe to share as the two it is made of."""

    def __init__(self, *, ours: Registry, external: Registry, is_ours: Callable[[str], bool]) -> None:
        self._ours = ours
        self._external = external
        self._is_ours = is_ours

    def _of(self, registry: str) -> Registry:
        return self._ours if self._is_ours(registry) else self._external

    def digest(self, reference: Reference) -> str | None:
        return self._of(reference.registry).digest(reference)

    def image(self, reference: Reference) -> Image | None:
        return self._of(reference.registry).image(reference)

    def provenance(self, attestation: Reference) -> tuple[Mapping[str, Any], ...]:
        return self._of(attestation.registry).provenance(attestation)

    def repositories(self, registry: str) -> tuple[str, ...]:
        return self._of(registry).repositories(registry)

    def tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        return self._of(registry).tagged(registry, repository)

    def untagged(self, registry: str, repository: str, limit: int) -> tuple[str, ...]:
        return self._of(registry).untagged(registry, repository, limit)

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        self._of(candidate.registry).promote(candidate, tags)

    def rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        return self._of(image.registry).rebase(image, old=old, new=new, tag=tag)

    def untag(self, reference: Reference) -> None:
        self._of(reference.registry).untag(reference)
