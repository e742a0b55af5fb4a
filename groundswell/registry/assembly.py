"""Puts an image together from manifests and blobs, whichever adapter fetches them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graph.reference import Reference
from groundswell.errors import NotFoundError, PermanentError
from groundswell.registry.manifests import (
    INDEXES,
    MAX_CONFIG,
    Descriptor,
    annotations,
    attestations,
    children,
    config_of,
    json_object,
    platform_image,
)
from groundswell.registry.port import Image, PlatformImage
from groundswell.registry.provenance import MAX_STATEMENT, statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest or index as the registry keeps it."""

    digest: str
    media_type: str
    content: bytes


type Find = Callable[[Reference], Manifest | None]
"""Fetches a manifest by digest, else by tag; None where the registry has no such thing."""
type Blob = Callable[[Reference, Descriptor, int], bytes]
"""Fetches a blob that the manifest of a reference names, of so many bytes at most, checked against its digest."""


def assemble(reference: Reference, find: Find, blob: Blob) -> Image | None:
    """See `Registry.image`."""
    manifest = find(reference)
    if manifest is None:
        return None
    subject = str(reference)
    document = json_object(manifest.content, subject)
    if manifest.media_type in INDEXES:
        platforms = tuple(_child(reference, child, find, blob) for child in children(document, subject))
    else:
        platforms = (_platform(reference, manifest, None, blob),)
    return Image(
        digest=manifest.digest,
        media_type=manifest.media_type,
        platforms=platforms,
        annotations=annotations(document),
        attestations=attestations(document, subject) if manifest.media_type in INDEXES else (),
    )


def provenance(attestation: Reference, find: Find, blob: Blob) -> tuple[Mapping[str, Any], ...]:
    """See `Registry.provenance`."""
    manifest = find(attestation)
    if manifest is None:
        raise NotFoundError(f"{attestation}: the index names it, but the registry does not have it")
    subject = str(attestation)
    return tuple(
        json_object(blob(attestation, statement, MAX_STATEMENT), subject)
        for statement in statements(json_object(manifest.content, subject), subject)
    )


def _child(parent: Reference, child: Descriptor, find: Find, blob: Blob) -> PlatformImage:
    reference = parent.with_digest(child.digest)
    manifest = find(reference)
    if manifest is None:
        raise PermanentError(f"{reference}: the index names it, but the registry does not have it")
    return _platform(reference, manifest, child, blob)


def _platform(reference: Reference, manifest: Manifest, child: Descriptor | None, blob: Blob) -> PlatformImage:
    """`child` is what an index says of the manifest, where one names it."""
    subject = str(reference)
    document = json_object(manifest.content, subject)
    return platform_image(
        blob(reference, config_of(document, subject), MAX_CONFIG),
        digest=manifest.digest,
        platform=child.platform if child else "",
        subject=subject,
        annotations={**(child.annotations if child else {}), **annotations(document)},
    )
