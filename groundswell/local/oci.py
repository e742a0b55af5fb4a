"""OCI images made in memory and pushed by plain HTTP: the demo's external bases come to be this way.

The same layers always give the same digests: tar and gzip carry no clock.
"""

import datetime as dt
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

CREATED = 1_767_225_600
"""The time of every image and file made here (2026-01-01): builds differ by content, never by clock."""
_CREATED = dt.datetime.fromtimestamp(CREATED, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OciImage:
    """A single-platform image: its manifest, and every blob the manifest names, by digest."""

    manifest: bytes
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def make_image(
    layers: Sequence[bytes], *, config: Mapping[str, Any], annotations: Mapping[str, str] | None = None
) -> OciImage:
    """An image of uncompressed tar `layers`, base first; `config` is the `config` object of the OCI config."""
    document = {
        "created": _CREATED,
        "architecture": "amd64",
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        "history": [{"created": _CREATED, "created_by": "groundswell local base"} for _ in layers],
    }
    head = _json(document)
    packed = [gzip.compress(layer, compresslevel=6, mtime=0) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(_CONFIG, head),
        "layers": [_descriptor(_LAYER, blob) for blob in packed],
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    return OciImage(manifest=_json(manifest), blobs={digest_of(blob): blob for blob in (head, *packed)})


def _descriptor(media_type: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
