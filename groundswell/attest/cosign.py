"""Signatures and attestations as cosign keeps and verifies them with a key pair. Pure but for the key.

Under `sha256-DIGEST.sig` is a manifest with a layer for each signature, whose blob is what was signed (sigstore,
cosign/specs/SIGNATURE_SPEC.md); under `sha256-DIGEST.att` one with a layer for each DSSE envelope
(cosign/specs/ATTESTATION_SPEC.md). Layers of others are kept as they are.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from graph.reference import Reference
from groundswell.attest.referrers import descriptor
from groundswell.attest.statements import encode
from groundswell.registry.manifests import OCI_MANIFEST
from groundswell.sign.port import Signer, verifies

SIGNATURES, ATTESTATIONS = ".sig", ".att"
"""The suffixes of the tags."""

SIGNED = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
PREDICATE = "predicateType"
SIGNATURE = "dev.cosignproject.cosign/signature"

_CONFIG = "application/vnd.oci.image.config.v1+json"
_NEVER = "0001-01-01T00:00:00Z"


def payload(subject: Reference) -> bytes:
    """What a signature goes over: it names repository and digest (containers/image, containers-signature.5)."""
    return encode(
        {
            "critical": {
                "identity": {"docker-reference": subject.name},
                "image": {"docker-manifest-digest": subject.digest},
                "type": "cosign container image signature",
            },
            "optional": None,
        }
    )


def signature(subject: Reference, signer: Signer) -> dict[str, Any]:
    """A signature of an image, as the descriptor of a layer whose blob is the payload."""
    signed = base64.b64encode(signer.sign(payload(subject))).decode()
    return descriptor(payload(subject), SIGNED, annotations={SIGNATURE: signed})


def signed_by(layer: Mapping[str, Any], subject: Reference, public_key: bytes) -> bool:
    """Whether a layer is a signature of `subject` by the key. Its blob need not be read: the digest names it."""
    expected = descriptor(payload(subject), SIGNED)
    return layer.get("digest") == expected["digest"] and annotated_by(layer, payload(subject), public_key)


def signed_digest(payload: bytes) -> str:
    """The image that a payload names, whoever made it; empty where it is no payload.

    The repository in it is not looked at, as cosign does not: images are copied with their signatures.
    """
    try:
        return str(json.loads(payload)["critical"]["image"]["docker-manifest-digest"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def annotated_by(layer: Mapping[str, Any], signed: bytes, public_key: bytes) -> bool:
    """Whether a layer's annotation is a signature of `signed` by the key."""
    annotations = layer.get("annotations")
    text = annotations.get(SIGNATURE) if isinstance(annotations, dict) else None
    try:
        found = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        return False
    return verifies(public_key, signed, found)


def attestation(envelope: bytes, predicate: str) -> dict[str, Any]:
    """The descriptor of a layer with a DSSE envelope."""
    return descriptor(envelope, ENVELOPE, annotations={SIGNATURE: "", PREDICATE: predicate})


def predicate_of(layer: Mapping[str, Any]) -> str:
    """What an attestation's layer says it holds."""
    annotations = layer.get("annotations")
    return str(annotations.get(PREDICATE, "")) if isinstance(annotations, dict) else ""


def layers(manifest: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The layers of a manifest; what is no descriptor is left out."""
    listed = (manifest or {}).get("layers")
    found = listed if isinstance(listed, list) else []
    return [each for each in found if isinstance(each, dict) and isinstance(each.get("digest"), str)]


def manifest(listed: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], bytes]:
    """A manifest with these layers, and the config that it names: an image's, as cosign makes it."""
    config = encode(
        {
            "architecture": "",
            "config": {},
            "created": _NEVER,
            "history": [{"created": _NEVER} for _ in listed],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [each["digest"] for each in listed]},
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, _CONFIG),
        "layers": list(listed),
    }
    return document, config
