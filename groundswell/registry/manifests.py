"""Reads manifests, indexes and image configs, Docker's and OCI's. Pure: bytes in, what they say out.

Fails closed: what is not understood is a PermanentError, never an image with a platform missing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from groundswell.errors import PermanentError
from groundswell.registry.port import NotAnImageError, PlatformImage

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})

MAX_CONFIG = 8 * 2**20
"""Bytes of an image config that are read; real ones have a few KiB."""
MAX_PLATFORMS = 64

_CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
_ATTESTATION = "vnd.docker.reference.type"
_ATTESTS = "attestation-manifest"
_UNKNOWN = "unknown"
_LONGEST = 255  # RFC 6838: a media type has 127 characters on either side of its slash


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Points at content. `platform` is empty when nothing says it."""

    digest: str
    size: int
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


def platform_name(os: str, architecture: str, variant: str = "") -> str:
    """`os/architecture[/variant]`, normalised as containerd does, so that builders' words for a platform agree."""
    if (architecture, variant) in {("arm64", "v8"), ("amd64", "v1")}:
        variant = ""
    elif (architecture, variant) == ("arm", ""):
        variant = "v7"
    return "/".join(part for part in (os, architecture, variant) if part)


def children(document: Mapping[str, Any], subject: str) -> list[Descriptor]:
    """The images of an index: without attestations (BuildKit's `unknown/unknown`) and other artifacts.

    Raises NotAnImageError for an index that says it is another artifact.
    """
    _refuse_artifact(document, subject)
    found = []
    for entry in _list(document, "manifests", subject):
        platform = _object(entry, "platform", subject)
        described = platform_name(*(str(platform.get(key) or "") for key in ("os", "architecture", "variant")))
        if (
            _ATTESTATION in _object(entry, "annotations", subject)
            or described.startswith(f"{_UNKNOWN}/{_UNKNOWN}")
            or entry.get("artifactType")
        ):
            continue
        if _media_type(entry) not in MANIFESTS:
            raise PermanentError(f"{subject}: the index names a {_media_type(entry)}, which is no image manifest")
        found.append(_descriptor(entry, subject, described))
    if len(found) > MAX_PLATFORMS:
        raise PermanentError(
            f"{subject}: the index names {len(found)} images, more than the {MAX_PLATFORMS} allowed"
        )
    return found


def descriptors(
    document: Mapping[str, Any], key: str, subject: str, *, media_types: Sequence[str]
) -> tuple[Descriptor, ...]:
    """What a manifest lists under `key`, of these media types only."""
    return tuple(
        _descriptor(entry, subject) for entry in _list(document, key, subject) if _media_type(entry) in media_types
    )


def attestations(document: Mapping[str, Any], subject: str) -> tuple[str, ...]:
    """The digests of an index's attestation manifests (BuildKit, docs/attestations/attestation-storage.md)."""
    return tuple(
        _descriptor(entry, subject).digest
        for entry in _list(document, "manifests", subject)
        if annotations(entry).get(_ATTESTATION) == _ATTESTS
    )


def annotations(document: Mapping[str, Any]) -> dict[str, str]:
    """Those of a manifest, an index or a descriptor; what is no text is left out."""
    found = document.get("annotations")
    return {key: text for key, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}


def config_of(document: Mapping[str, Any], subject: str) -> Descriptor:
    """Where the config of an image manifest is. Raises NotAnImageError when it is the manifest of something else.

    Cosign's signatures have an image config too: there the layers tell.
    """
    _refuse_artifact(document, subject)
    entry = document.get("config")
    if not isinstance(entry, dict) or _media_type(entry) not in _CONFIGS:
        raise NotAnImageError(f"{subject} is not a container image (it has no image config)")
    layers = _list(document, "layers", subject) if "layers" in document else []
    if layers and not any(_media_type(layer).startswith(_LAYERS) for layer in layers):
        raise NotAnImageError(f"{subject} is not a container image (none of its layers is a file system)")
    descriptor = _descriptor(entry, subject)
    if descriptor.size > MAX_CONFIG:
        raise PermanentError(
            f"{subject}: the image config has {descriptor.size} bytes, more than the {MAX_CONFIG} allowed"
        )
    return descriptor


def _refuse_artifact(document: Mapping[str, Any], subject: str) -> None:
    if document.get("artifactType"):
        kind = str(document["artifactType"])[:_LONGEST]
        raise NotAnImageError(f"{subject} is not a container image (it is a {kind})")


def platform_image(
    config: bytes, *, digest: str, platform: str, subject: str, annotations: Mapping[str, str] | None = None
) -> PlatformImage:
    """An image of the manifest `digest`; `platform` is what an index says of it, empty for what the config says."""
    document = json_object(config, subject)
    rootfs = document.get("rootfs")
    layers = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if layers is not None and not (isinstance(layers, list) and all(isinstance(layer, str) for layer in layers)):
        raise PermanentError(f"{subject}: the image config's rootfs.diff_ids are not a list of digests")
    _object(_object(document, "config", subject), "Labels", subject)
    said = platform_name(*(str(document.get(key) or "") for key in ("os", "architecture", "variant")))
    if not (platform or said):
        raise PermanentError(f"{subject}: neither the index nor the image config names a platform")
    return PlatformImage(
        platform=platform or said,
        digest=digest,
        diff_ids=tuple(layers or ()),
        config=document,
        annotations=annotations or {},
    )


def json_object(content: bytes, subject: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise PermanentError(f"{subject}: the registry gave something that is not JSON") from exc
    if not isinstance(document, dict):
        raise PermanentError(f"{subject}: the registry gave JSON that is not an object")
    return document


def _list(document: Mapping[str, Any], key: str, subject: str) -> list[dict[str, Any]]:
    entries = document.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PermanentError(f"{subject}: {key} is not a list of descriptors")
    return entries


def _object(document: Mapping[str, Any], key: str, subject: str) -> Mapping[str, Any]:
    """The object under `key`, empty where there is none."""
    found = document.get(key) or {}
    if not isinstance(found, dict):
        raise PermanentError(f"{subject}: {key} is no object")
    return found


def _media_type(entry: Mapping[str, Any]) -> str:
    """What is no text, and too long for a media type, is cut: it is none that is known, and may be shown."""
    return str(entry.get("mediaType"))[:_LONGEST]


def _descriptor(entry: Mapping[str, Any], subject: str, platform: str = "") -> Descriptor:
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not isinstance(size, int) or size < 0:
        raise PermanentError(f"{subject}: a descriptor has no digest or no size")
    return Descriptor(digest=digest, size=size, platform=platform, annotations=annotations(entry))
