"""The registry port: what the product asks of a container registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graph.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """One platform of an image. `diff_ids` are the uncompressed layer digests, base first (OCI image-spec)."""

    platform: str
    digest: str
    diff_ids: tuple[str, ...]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a reference pointed at when it was read. `digest` is that of the index where there is one."""

    digest: str
    media_type: str
    platforms: tuple[PlatformImage, ...]


class Registry(Protocol):
    """Raises TemporaryError when the registry does not answer or throttles, PermanentError when it refuses."""

    def digest(self, reference: Reference) -> str | None:
        """The digest the reference points at now, or None where the registry has no such thing."""
        ...

    def image(self, reference: Reference) -> Image | None:
        """Manifests and configs of every platform, or None. Attestation manifests are left out."""
        ...

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        """Put the manifest of `candidate` (by digest) under each of the tags; repeating it is harmless."""
        ...
