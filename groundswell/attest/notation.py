"""Signatures as Notation and Ratify verify them.

Outside rules: notaryproject/specifications, signature-specification.md and signature-envelope-jws.md. It is a
JWS over the image's descriptor, with the chain of certificates of the key. What the specification demands of the
certificates is checked before anything is signed with them: a signature that no verifier takes protects nothing.
"""

import base64
import binascii
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from groundswell.attest.referrers import Attachment
from groundswell.attest.statements import encode
from groundswell.errors import InputError
from groundswell.sign.port import Signer, verifies

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SIGNATURE = "application/vnd.cncf.notary.signature"
ENVELOPE = "application/jose+json"
THUMBPRINTS = "io.cncf.notary.x509chain.thumbprint#S256"

_PAYLOAD = "application/vnd.cncf.notary.payload.v1+json"
_SCHEME, _TIME = "io.cncf.notary.signingScheme", "io.cncf.notary.signingTime"
_AGENT = "io.cncf.notary.signingAgent"
_HALF = 32
"""Bytes of r, and of s, in an ES256 signature (RFC 7518, section 3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The certificates of a signing key, its own first and the root last, in DER."""

    certificates: tuple[bytes, ...]

    @property
    def thumbprints(self) -> str:
        """As the manifest has them: a JSON array in a text."""
        return json.dumps([hashlib.sha256(each).hexdigest() for each in self.certificates], separators=(",", ":"))


def read_chain(pem: bytes, public_key: bytes, *, at: float) -> Chain:
    """The chain in a PEM file, checked for signing with `public_key` at a time (seconds since the epoch).

    Raises InputError that says which certificate breaks which rule.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_pem_x509_certificates

    try:
        found = load_pem_x509_certificates(pem)
    except ValueError as exc:
        raise InputError("the signing chain holds no certificates in PEM (-----BEGIN CERTIFICATE-----)") from exc
    key = found[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if key != public_key:
        raise InputError(f"the signing chain begins with {_name(found[0])}, which is not for the key that signs")
    if problem := next(_problems(found, dt.datetime.fromtimestamp(at, dt.UTC)), None):
        raise InputError(f"the signing chain cannot be used: {problem}")
    return Chain(certificates=tuple(each.public_bytes(Encoding.DER) for each in found))


def sign(target: Mapping[str, Any], chain: Chain, signer: Signer, *, at: float) -> Attachment:
    """A signature of the image with the descriptor `target`, ready to be attached to it."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    protected = {
        "alg": "ES256",
        "cty": _PAYLOAD,
        "crit": [_SCHEME],
        _SCHEME: "notary.x509",
        _TIME: f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    head, body = _base64(encode(protected)), _base64(encode({"targetArtifact": target}))
    r, s = decode_dss_signature(signer.sign(f"{head}.{body}".encode()))
    envelope = {
        "payload": body,
        "protected": head,
        "header": {
            "x5c": [base64.b64encode(each).decode() for each in chain.certificates],
            _AGENT: "groundswell",
        },
        "signature": _base64(r.to_bytes(_HALF) + s.to_bytes(_HALF)),
    }
    return attachment(encode(envelope), chain)


def attachment(envelope: bytes, chain: Chain) -> Attachment:
    """An envelope as it is attached."""
    return Attachment(
        artifact_type=SIGNATURE,
        config_type=SIGNATURE,
        media_type=ENVELOPE,
        content=envelope,
        annotations={THUMBPRINTS: chain.thumbprints},
    )


def holds(envelope: bytes, digest: str, public_key: bytes) -> bool:
    """Whether it is a signature by the key of the image with this digest. The chain is the verifier's to judge."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    try:
        document = json.loads(envelope)
        head, body = document["protected"], document["payload"]
        raw = _unbase64(document["signature"])
        scheme = json.loads(_unbase64(head))
        signed = json.loads(_unbase64(body))["targetArtifact"]["digest"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return False
    if scheme.get("alg") != "ES256" or scheme.get("cty") != _PAYLOAD or signed != digest or len(raw) != 2 * _HALF:
        return False
    signature = encode_dss_signature(int.from_bytes(raw[:_HALF]), int.from_bytes(raw[_HALF:]))
    return verifies(public_key, f"{head}.{body}".encode(), signature)


def _problems(chain: "Sequence[Certificate]", at: dt.datetime) -> Iterator[str]:
    """What breaks the specification's "Certificate Requirements", a sentence each."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.hashes import SHA1

    for each in chain:
        if not each.not_valid_before_utc <= at <= each.not_valid_after_utc:
            yield f"{_name(each)} is not valid at {at:%Y-%m-%dT%H:%M:%SZ}"
        if isinstance(each.signature_hash_algorithm, SHA1):
            yield f"{_name(each)} is signed with SHA-1"
    yield from _of_leaf(chain[0])
    for each in chain[1:]:
        yield from _of_authority(each)
    for below, above in pairwise([*chain, chain[-1]]):
        try:
            below.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            yield f"{_name(below)} is not issued by {_name(above)}: give all of them, up to the root"


def _of_leaf(leaf: "Certificate") -> Iterator[str]:
    from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID as Oid

    use, critical = _extension(leaf, KeyUsage)
    if use is None or not critical or not use.digital_signature:
        yield f"{_name(leaf)} lacks the critical key usage digitalSignature"
    elif use.key_encipherment or use.data_encipherment or use.key_agreement or use.key_cert_sign or use.crl_sign:
        yield f"{_name(leaf)} may be used for more than signatures"
    constraints, _ = _extension(leaf, BasicConstraints)
    if constraints is not None and constraints.ca:
        yield f"{_name(leaf)} is an authority's"
    extended, _ = _extension(leaf, ExtendedKeyUsage)
    others = {
        Oid.ANY_EXTENDED_KEY_USAGE,
        Oid.SERVER_AUTH,
        Oid.CLIENT_AUTH,
        Oid.EMAIL_PROTECTION,
        Oid.TIME_STAMPING,
    }
    if extended is not None and others.intersection(extended):
        yield f"{_name(leaf)} has an extended key usage other than codeSigning"


def _of_authority(authority: "Certificate") -> Iterator[str]:
    from cryptography.x509 import BasicConstraints, KeyUsage

    constraints, critical = _extension(authority, BasicConstraints)
    if constraints is None or not critical or not constraints.ca:
        yield f"{_name(authority)} is no authority's (critical basic constraints)"
    use, critical = _extension(authority, KeyUsage)
    if use is None or not critical or not use.key_cert_sign:
        yield f"{_name(authority)} lacks the critical key usage keyCertSign"


def _extension(certificate: "Certificate", kind: Any) -> tuple[Any, bool]:
    """An extension and whether it is critical; None where it is not there."""
    from cryptography.x509 import ExtensionNotFound

    try:
        found = certificate.extensions.get_extension_for_class(kind)
    except ExtensionNotFound:
        return None, False
    return found.value, found.critical


def _name(certificate: "Certificate") -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a name"


def _base64(content: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as exc:
        raise ValueError(text) from exc
