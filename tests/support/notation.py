"""Verifies a Notary Project signature by the specification, apart from the product's code; makes chains for it.

Rules: notaryproject/specifications, signature-specification.md ("Storage", "Certificate Requirements") and
signature-envelope-jws.md. ES256 is PyJWT's, certificates are cryptography's.
"""

import base64
import datetime as dt
import functools
import hashlib
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jwt.algorithms import ECAlgorithm

ROOT_KEY = ec.derive_private_key(4711, ec.SECP256R1())
START = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
_KNOWN = {"io.cncf.notary.signingScheme", "io.cncf.notary.expiry", "io.cncf.notary.authenticSigningTime"}


def usage(**uses: bool) -> x509.KeyUsage:
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: uses.get(name, False) for name in names})


def certificate(
    name: str,
    public_key: bytes | ec.EllipticCurvePublicKey,
    *,
    issuer: str = "root",
    key: ec.EllipticCurvePrivateKey = ROOT_KEY,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...],
    until: dt.datetime = END,
) -> bytes:
    """A certificate in PEM."""
    public = load_pem_public_key(public_key) if isinstance(public_key, bytes) else public_key
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(until)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


SIGNS = (usage(digital_signature=True), True)
CODE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
AUTHORITY = ((x509.BasicConstraints(ca=True, path_length=None), True), (usage(key_cert_sign=True), True))


@functools.cache
def root() -> bytes:
    return certificate("root", ROOT_KEY.public_key(), extensions=AUTHORITY)


def chain(public_key: bytes) -> bytes:
    """A good chain for a key: its certificate, and the root."""
    return certificate("signer", public_key, extensions=(SIGNS, CODE)) + root()


def verify(manifest: dict[str, Any], envelope: bytes, target: dict[str, Any], trusted: bytes) -> None:
    """Raises AssertionError unless it is a signature of `target` that chains up to `trusted` (PEM)."""
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.notary.signature"
    (layer,) = manifest["layers"]
    assert layer["mediaType"] == "application/jose+json"
    assert layer["digest"] == f"sha256:{hashlib.sha256(envelope).hexdigest()}"
    assert manifest["subject"] == target
    document = json.loads(envelope)
    assert set(document) == {"payload", "protected", "header", "signature"}
    protected = json.loads(_decoded(document["protected"]))
    assert "io.cncf.notary.signingScheme" in protected["crit"]
    assert set(protected["crit"]) <= _KNOWN & set(protected)
    assert protected["io.cncf.notary.signingScheme"] == "notary.x509"
    assert protected["cty"] == "application/vnd.cncf.notary.payload.v1+json"
    certificates = [x509.load_der_x509_certificate(base64.b64decode(each)) for each in document["header"]["x5c"]]
    thumbprints = [each.fingerprint(SHA256()).hex() for each in certificates]
    assert json.loads(manifest["annotations"]["io.cncf.notary.x509chain.thumbprint#S256"]) == thumbprints
    signed_at = dt.datetime.fromisoformat(protected["io.cncf.notary.signingTime"])
    for below, above in zip(certificates, [*certificates[1:], certificates[-1]], strict=True):
        below.verify_directly_issued_by(above)
        assert below.not_valid_before_utc <= signed_at <= below.not_valid_after_utc
    assert x509.load_pem_x509_certificate(trusted) == certificates[-1]
    use = certificates[0].extensions.get_extension_for_class(x509.KeyUsage)
    assert use.critical
    assert use.value.digital_signature
    key = certificates[0].public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert (protected["alg"], key.curve.name) == ("ES256", "secp256r1")
    message = f"{document['protected']}.{document['payload']}".encode()
    assert ECAlgorithm(ECAlgorithm.SHA256).verify(message, key, _decoded(document["signature"]))
    assert json.loads(_decoded(document["payload"])) == {"targetArtifact": target}


def _decoded(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
