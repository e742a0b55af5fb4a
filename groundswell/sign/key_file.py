"""A key in a file: for one machine. In production the key belongs into a vault that does not give it away."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from groundswell.errors import PermanentError
from groundswell.sign.port import MAX_KEY

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_OTHERS = 0o077


class KeyFileSigner:
    """The Signer port on a PEM file (PKCS 8 or SEC 1, unencrypted), which is read each time: it may be changed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def sign(self, message: bytes) -> bytes:
        """See `Signer.sign`."""
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        return self._key().sign(message, ECDSA(SHA256()))

    def public_key(self) -> bytes:
        """See `Signer.public_key`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _key(self) -> "EllipticCurvePrivateKey":
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self._content(), password=None)
        except (TypeError, ValueError) as exc:  # TypeError: it is encrypted
            raise PermanentError(f"the signing key {self._path} is not an unencrypted private key in PEM") from exc
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise PermanentError(f"the signing key {self._path} is not an EC key on P-256; make one with {_MAKE}")
        return key

    def _content(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read(MAX_KEY)
        except OSError as exc:
            raise PermanentError(
                f"the signing key {self._path} cannot be read ({exc.strerror}); make one with {_MAKE}"
            ) from exc
        if mode & _OTHERS:
            raise PermanentError(f"the signing key {self._path} is open to others than its owner: chmod 600 it")
        return content


_MAKE = "`openssl ecparam -name prime256v1 -genkey -noout`"


def create(path: Path) -> None:
    """Make a key at `path` that only its owner may read, unless there is a file already. Whole, or not at all."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if path.exists():
        return
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        os.link(fresh, path)  # of several that make one at once, the first wins
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)
