"""Looks at what hangs on an image: what there is, and whether it is by our key and about this digest.

It reads the same tags and lists as cosign and an admission controller do, and believes no annotation: what counts
is the signature over the bytes, and the digest that is named in them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graph.reference import Reference
from groundswell.attest import cosign, dsse, notation, referrers, statements
from groundswell.attest.attachments import MAX_CONTENT, Attachments
from groundswell.errors import PermanentError
from groundswell.registry.artifacts import Artifacts
from groundswell.registry.manifests import json_object

_NEITHER = "not by this key, or not of this image"

MAX_LAYERS = 100
"""Signatures and attestations of one image that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that hangs on an image.

    `form` is `signature`, `attestation` or `artifact`; `kind` the predicate or artifact type; `holds` whether it is
    by the key and about the digest, None for what is not signed by itself; `why` says what is wrong with it.
    """

    form: str
    kind: str
    digest: str
    holds: bool | None
    why: str = ""


def look(artifacts: Artifacts, subject: Reference, public_key: bytes | None) -> tuple[Found, ...]:
    """All that hangs on the digest of `subject`; without a key it is only told what there is."""
    looked = _Look(artifacts, subject, public_key)
    return (*looked.signatures(), *looked.attestations(), *looked.attached())


def sound(found: tuple[Found, ...]) -> bool:
    """Whether the image is signed, and verdict and provenance are, all by the key."""
    kinds = {each.kind for each in found if each.form == "attestation" and each.holds}
    signed = any(each.kind == cosign.SIGNED and each.holds for each in found)
    return signed and {statements.VERDICT, statements.PROVENANCE} <= kinds


class _Look:
    def __init__(self, artifacts: Artifacts, subject: Reference, public_key: bytes | None) -> None:
        self._artifacts = artifacts
        self._subject = subject
        self._key = public_key

    def signatures(self) -> Iterator[Found]:
        for layer in self._layers(cosign.SIGNATURES):
            holds, why = None, ""
            if self._key is not None:
                try:
                    payload = self._artifacts.blob(self._subject.with_digest(layer["digest"]), MAX_CONTENT)
                    of_this = cosign.signed_digest(payload) == self._subject.digest
                    holds = of_this and cosign.annotated_by(layer, payload, self._key)
                    why = "" if holds else _NEITHER
                except PermanentError as exc:
                    holds, why = False, str(exc)
            yield Found(form="signature", kind=cosign.SIGNED, digest=layer["digest"], holds=holds, why=why)

    def attestations(self) -> Iterator[Found]:
        for layer in self._layers(cosign.ATTESTATIONS):
            kind, holds, why = cosign.predicate_of(layer), False, ""
            try:
                envelope = self._artifacts.blob(self._subject.with_digest(layer["digest"]), MAX_CONTENT)
                said = statements.about(dsse.payload(envelope), self._subject)
                by = self._key is None or dsse.holds(envelope, self._key)
            except PermanentError as exc:
                why = str(exc)
            else:
                kind, holds = said or kind, bool(said) and by
                why = "" if holds else "not by this key" if said else "not about this image"
            known = holds if why or self._key is not None else None
            yield Found(form="attestation", kind=kind, digest=layer["digest"], holds=known, why=why)

    def attached(self) -> Iterator[Found]:
        attachments = Attachments(self._artifacts)
        for each in attachments.listed(self._subject):
            if each.get("artifactType") == notation.SIGNATURE:
                yield self._notarized(attachments, each["digest"])
                continue
            annotations = each.get("annotations")
            kind = annotations.get(referrers.PREDICATE) if isinstance(annotations, dict) else None
            kind = str(kind or each.get("artifactType", ""))
            yield Found(form="artifact", kind=kind, digest=each["digest"], holds=None)

    def _notarized(self, attachments: Attachments, digest: str) -> Found:
        """A Notary Project signature. Whether its certificates are to be trusted, a trust policy says, not we."""
        holds, why = None, ""
        if self._key is not None:
            try:
                content = attachments.content(self._subject, digest)
                holds = notation.holds(content, str(self._subject.digest), self._key)
                why = "" if holds else _NEITHER
            except PermanentError as exc:
                holds, why = False, str(exc)
        return Found(form="signature", kind=notation.SIGNATURE, digest=digest, holds=holds, why=why)

    def _layers(self, suffix: str) -> list[Mapping[str, Any]]:
        return cosign.layers(self._document(referrers.tagged(self._subject, suffix)))[:MAX_LAYERS]

    def _document(self, reference: Reference) -> Mapping[str, Any] | None:
        found = self._artifacts.find(reference)
        return None if found is None else json_object(found.content, str(reference))
