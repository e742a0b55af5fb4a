"""Hangs artifacts, signatures and attestations onto a digest in a registry.

Everything may be done again after a crash at any point: what is there already is found and left. What several write
to (the tags that hold a list, of cosign and of registries without a list of referrers) is read, changed, put, and
read back until it holds what is ours; within one process they take turns.
"""

import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from graph.reference import Reference
from groundswell.attest import cosign, dsse, notation, referrers
from groundswell.attest.referrers import EMPTY, Attachment
from groundswell.attest.statements import Statement, encode
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.registry.artifacts import Artifacts
from groundswell.registry.manifests import json_object
from groundswell.sign.port import Signer

MAX_CONTENT = 32 * 2**20
"""Bytes of an attached document that are read back."""

_TRIES = 5
_TURNS = 64

type _Document = Mapping[str, Any]


class Attachments:
    """Over one Artifacts port, one for a process. Safe to share between threads."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._turns = tuple(threading.Lock() for _ in range(_TURNS))

    def attach(self, subject: Reference, attached: Sequence[Attachment]) -> tuple[str, ...]:
        """Hang these artifacts onto the digest of `subject`; returns the digests of their manifests.

        Raises NotFoundError when the registry does not have the digest.
        """
        target = self._target(subject)
        unlisted: list[_Document] = []
        digests = []
        self._artifacts.upload(subject, EMPTY)
        for each in attached:
            manifest = each.manifest(target)
            self._artifacts.upload(subject, each.content)
            listed = each.listed(manifest)
            at = Reference(
                registry=subject.registry, repository=subject.repository, tag=None, digest=listed["digest"]
            )
            if not self._artifacts.put(at, manifest, listed["mediaType"]):
                unlisted.append(listed)
            digests.append(str(listed["digest"]))
        if unlisted:
            self._list(subject, unlisted)
        return tuple(digests)

    def confirm(self, subject: Reference, attached: Sequence[Attachment]) -> None:
        """See that these are listed still, where the list is a tag that others write to as well."""
        if self._artifacts.referrers(subject) is None:
            target = self._target(subject)
            self._list(subject, [each.listed(each.manifest(target)) for each in attached])

    def sign(self, subject: Reference, statements: Sequence[Statement], signer: Signer) -> None:
        """Sign the digest of `subject`, and these statements about it, as cosign does with a key pair.

        Of several statements of one kind by our key the last one stays.
        """
        key = signer.public_key()
        self._sign_statements(subject, statements, signer, key)
        self._sign_image(subject, signer, key)

    def notarize(self, subject: Reference, chain: bytes, signer: Signer, *, at: float) -> Attachment:
        """Sign the digest of `subject` as Notation does, with the chain of the key in PEM, unless it is so signed.

        `at` is the time of the signature, in seconds since the epoch.
        """
        key = signer.public_key()
        certificates = notation.read_chain(chain, key, at=at)
        for each in self.listed(subject):
            annotations = each.get("annotations")
            if (
                each.get("artifactType") == notation.SIGNATURE
                and isinstance(annotations, dict)
                and annotations.get(notation.THUMBPRINTS) == certificates.thumbprints
            ):
                content = self.content(subject, each["digest"])
                if notation.holds(content, str(subject.digest), key):
                    return notation.attachment(content, certificates)
        made = notation.sign(self._target(subject), certificates, signer, at=at)
        self.attach(subject, [made])
        return made

    def listed(self, subject: Reference) -> tuple[_Document, ...]:
        """The descriptors of what refers to the digest of `subject`, wherever its registry keeps the list."""
        found = self._artifacts.referrers(subject)
        index = self._manifest(referrers.tagged(subject)) if found is None else {"manifests": list(found)}
        return tuple(referrers.entries(index or {}))

    def content(self, subject: Reference, digest: str) -> bytes:
        """The file in the artifact with this digest. Raises NotFoundError when it is not there."""
        at = subject.with_digest(digest)
        document = self._manifest(at)
        if document is None:
            raise NotFoundError(f"{at}, which was attached to {subject}, is not there")
        for layer in cosign.layers(document):
            return self._artifacts.blob(subject.with_digest(layer["digest"]), MAX_CONTENT)
        raise PermanentError(f"{at} is no artifact with a file")

    # Signatures.

    def _sign_image(self, subject: Reference, signer: Signer, key: bytes) -> None:
        made: list[_Document] = []

        def change(document: _Document | None) -> bytes | None:
            listed = cosign.layers(document)
            if any(cosign.signed_by(layer, subject, key) for layer in listed):
                return None
            if not made:
                made.append(cosign.signature(subject, signer))
                self._artifacts.upload(subject, cosign.payload(subject))
            return self._layers(subject, [*listed, *made])

        self._change(referrers.tagged(subject, cosign.SIGNATURES), change)

    def _sign_statements(
        self, subject: Reference, statements: Sequence[Statement], signer: Signer, key: bytes
    ) -> None:
        made: dict[str, _Document] = {}
        kinds = {each.kind for each in statements}

        def change(document: _Document | None) -> bytes | None:
            listed = cosign.layers(document)
            ours = {layer["digest"]: self._ours(subject, layer, kinds, key) for layer in listed}
            missing = [each for each in statements if each.content not in ours.values()]
            if not missing:
                return None
            for each in missing:
                if each.kind not in made:
                    envelope = dsse.seal(each.content, signer)
                    self._artifacts.upload(subject, envelope)
                    made[each.kind] = cosign.attestation(envelope, each.kind)
            replaced = {each.kind for each in missing}
            kept = [
                layer for layer in listed if not (ours[layer["digest"]] and cosign.predicate_of(layer) in replaced)
            ]
            return self._layers(subject, [*kept, *(made[each.kind] for each in missing)])

        self._change(referrers.tagged(subject, cosign.ATTESTATIONS), change)

    def _ours(self, subject: Reference, layer: _Document, kinds: Collection[str], key: bytes) -> bytes:
        """The statement in a layer, of these kinds, that our key has signed; empty for any other."""
        if layer.get("mediaType") != cosign.ENVELOPE or cosign.predicate_of(layer) not in kinds:
            return b""
        envelope = self._artifacts.blob(subject.with_digest(layer["digest"]), MAX_CONTENT)
        try:
            return dsse.payload(envelope) if dsse.holds(envelope, key) else b""
        except PermanentError:  # somebody else's, and damaged: theirs to mend
            return b""

    def _layers(self, subject: Reference, listed: Sequence[_Document]) -> bytes:
        document, config = cosign.manifest(listed)
        self._artifacts.upload(subject, config)
        return encode(document)

    # Lists.

    def _list(self, subject: Reference, added: Sequence[_Document]) -> None:
        """Enter artifacts where the registry keeps no list itself."""

        def change(index: _Document | None) -> bytes | None:
            changed = referrers.merged(index, added)
            return None if changed is None else encode(changed)

        self._change(referrers.tagged(subject), change)

    def _change(self, tagged: Reference, change: Callable[[_Document | None], bytes | None]) -> None:
        """Put what `change` makes of a tagged manifest, until it has nothing to change."""
        with self._turns[hash(str(tagged)) % _TURNS]:
            for _ in range(_TRIES):
                content = change(self._manifest(tagged))
                if content is None:
                    return
                self._artifacts.put(tagged, content, json.loads(content)["mediaType"])
        raise TemporaryError(f"{tagged}: others change it all the time")

    def _manifest(self, reference: Reference) -> _Document | None:
        found = self._artifacts.find(reference)
        return None if found is None else json_object(found.content, str(reference))

    def _target(self, subject: Reference) -> _Document:
        found = self._artifacts.find(subject)
        if found is None:
            raise NotFoundError(f"{subject} is no longer in the registry; replay from build")
        return {"mediaType": found.media_type, "digest": found.digest, "size": len(found.content)}
