"""The sign port: one ECDSA key on the curve P-256, used with SHA-256 (`ES256`); it is what cosign signs with too.

Signatures are in DER (RFC 3279, section 2.2.3), public keys in PEM (SubjectPublicKeyInfo), as cosign and openssl
read and write them.
"""

from typing import Protocol

from groundswell.errors import InputError

MAX_KEY = 64 * 1024
"""Bytes of a key file that are read."""


class Signer(Protocol):
    """Raises TemporaryError when the key's keeper does not answer, PermanentError when it refuses or has another.

    Two signatures of one message may differ: ECDSA takes a random number for each.
    """

    def sign(self, message: bytes) -> bytes:
        """The signature of SHA-256 of `message`."""
        ...

    def public_key(self) -> bytes:
        """The key that `sign` signs with."""
        ...


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is one of `message` by the key. Raises InputError for a key of another kind."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key)
    except ValueError as exc:
        raise InputError("the public key is not in PEM (-----BEGIN PUBLIC KEY-----)") from exc
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InputError("the public key is not an EC key on P-256")
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
