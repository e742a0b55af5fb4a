"""A key for tests: always the same one, so that every process of a test signs alike."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class FakeSigner:
    """The Signer port on a key that everybody could guess."""

    def __init__(self, secret: int = 20_261_125) -> None:
        self._key = ec.derive_private_key(secret, ec.SECP256R1())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(SHA256()))

    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
