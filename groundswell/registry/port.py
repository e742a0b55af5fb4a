"""The registry port: what the product asks of a container registry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError


class NotAnImageError(PermanentError):
    """The reference names something else: a Helm chart, a signature, an attestation."""


class NotAllowedError(PermanentError):
    """It is on a registry that the settings do not allow us to ask, or not for this."""


class PausedError(TemporaryError):
    """The registry asked to be left alone for a while; it was not asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """One platform of an image. `diff_ids` are the uncompressed layer digests, base first (OCI image-spec).

    `annotations` are those of its manifest, over those that an index gives it.
    """

    platform: str
    digest: str
    diff_ids: tuple[str, ...]
    config: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What a reference pointed at when it was read. `digest` and `annotations` are those of the index, if any.

    `attestations` are the digests of the manifests that BuildKit hung onto the platforms.
    """

    digest: str
    media_type: str
    platforms: tuple[PlatformImage, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    attestations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag, and the digest that it pointed at when it was listed."""

    name: str
    digest: str


class Registry(Protocol):
    """Raises TemporaryError when the registry does not answer or throttles, PermanentError when it refuses."""

    def digest(self, reference: Reference) -> str | None:
        """The digest the reference points at now, or None where the registry has no such thing."""
        ...

    def image(self, reference: Reference) -> Image | None:
        """Manifests and configs of every platform, or None. Attestation manifests are left out.

        Raises NotAnImageError for what is in the registry but is no image.
        """
        ...

    def provenance(self, attestation: Reference) -> tuple[Mapping[str, Any], ...]:
        """The in-toto statements of SLSA provenance in an attestation manifest, by digest. Raises NotFoundError."""
        ...

    def repositories(self, registry: str) -> tuple[str, ...]:
        """The names of all repositories of a login server."""
        ...

    def tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        """Every tag of a repository, the last changed first. Raises NotFoundError."""
        ...

    def untagged(self, registry: str, repository: str, limit: int) -> tuple[str, ...]:
        """The digests of manifests that no tag points at, the newest `limit` first; also the parts of indexes.

        Raises NotFoundError.
        """
        ...

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        """Put the manifest of `candidate` (by digest) under each of the tags; repeating it is harmless."""
        ...

    def rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        """Put `image`, which was built on `old`, onto `new`, under a tag of its own repository; returns the digest.

        All are named by digest, `new` by its tag too; repeating it gives the same digest. Every platform is
        rebased, or none. Raises NotRebasableError (`inherit.py`), with the reason, when only a build can do it.
        """
        ...

    def untag(self, reference: Reference) -> None:
        """Take a tag away; what it pointed at stays, and its other tags. One that is gone already is as good."""
        ...
