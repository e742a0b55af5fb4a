"""OCI artifacts that refer to an image (image-spec 1.1, "Guidelines for Artifact Usage"). Pure.

Where a registry keeps no list of referrers, the list is an index under a tag that is made of the subject's digest
(distribution-spec 1.1, "Referrers Tag Schema").
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graph.reference import Reference
from groundswell.attest.statements import encode
from groundswell.registry.manifests import OCI_INDEX, OCI_MANIFEST

PREDICATE = "in-toto.io/predicate-type"
"""The annotation that tells statements apart in a list, BuildKit's too."""

EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
MAX_LISTED = 1000
"""Entries of an index that are kept: more is no list that anybody made on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One artifact to hang onto an image: a single file of a type."""

    artifact_type: str
    media_type: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)
    config_type: str = EMPTY_TYPE

    def manifest(self, subject: Mapping[str, Any]) -> bytes:
        """Its manifest; `subject` is the descriptor of the image."""
        document: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": self.artifact_type,
            "config": descriptor(EMPTY, self.config_type),
            "layers": [descriptor(self.content, self.media_type)],
            "subject": subject,
        }
        if self.annotations:
            document["annotations"] = dict(self.annotations)
        return encode(document)

    def listed(self, manifest: bytes) -> dict[str, Any]:
        """What a list of referrers says of it."""
        found = {**descriptor(manifest, OCI_MANIFEST), "artifactType": self.artifact_type}
        return {**found, "annotations": dict(self.annotations)} if self.annotations else found


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(content: bytes, media_type: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content), **more}


def tagged(subject: Reference, suffix: str = "") -> Reference:
    """The tag that is made of a digest: the list's; with a suffix, cosign's for signatures and attestations."""
    name = f"{(subject.digest or '').replace(':', '-')}{suffix}"
    return Reference(registry=subject.registry, repository=subject.repository, tag=name, digest=None)


def entries(index: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What an index lists; what is no descriptor is left out."""
    listed = index.get("manifests")
    found = listed if isinstance(listed, list) else []
    return [each for each in found[:MAX_LISTED] if isinstance(each, dict) and isinstance(each.get("digest"), str)]


def merged(index: Mapping[str, Any] | None, added: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The index with these descriptors in it, None when all are in it already. Those of others stay."""
    kept = entries(index or {})
    missing = [each for each in added if each["digest"] not in _digests(kept)]
    if not missing:
        return None
    return {**_HEAD, **(index or {}), "manifests": [*kept, *missing]}


_HEAD = {"schemaVersion": 2, "mediaType": OCI_INDEX}


def _digests(listed: Iterable[Mapping[str, Any]]) -> set[str]:
    return {each["digest"] for each in listed}
