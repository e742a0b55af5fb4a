"""In-toto statements about one image digest (in-toto/attestation, spec/v1/statement.md). Pure.

The same facts make the same bytes, so that what is attached twice is attached once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graph.reference import Reference

VERDICT = "urn:groundswell:verdict:v1"
"""What the gate said: see docs/admission.md."""
PROVENANCE = "https://slsa.dev/provenance/v1"
CYCLONEDX = "https://cyclonedx.org/bom"

_STATEMENT = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said (`predicate`, of the type `kind`) of an image."""

    kind: str
    content: bytes


def statement(subject: Reference, kind: str, predicate: Mapping[str, Any]) -> Statement:
    """A statement about the digest of `subject`."""
    document = {
        "_type": _STATEMENT,
        "subject": [{"name": subject.name, "digest": _digest(subject.digest or "")}],
        "predicateType": kind,
        "predicate": predicate,
    }
    return Statement(kind=kind, content=encode(document))


def about(content: bytes, subject: Reference) -> str:
    """The predicate type of a statement, empty when it is none about the digest of `subject`."""
    try:
        document = json.loads(content)
        digests = [each["digest"] for each in document["subject"]]
        kind = str(document["predicateType"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return kind if _digest(subject.digest or "") in digests else ""


def material(uri: str, digest: str, **annotations: Any) -> dict[str, Any]:
    """A resource descriptor (in-toto/attestation, spec/v1/resource_descriptor.md); what is empty is left out."""
    found: dict[str, Any] = {"uri": uri}
    if digest:
        found["digest"] = _digest(digest)
    return {**found, "annotations": annotations} if annotations else found


def _digest(digest: str) -> dict[str, str]:
    algorithm, _, code = digest.partition(":")
    return {algorithm: code}


def encode(document: Any) -> bytes:
    """JSON of one form only."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
