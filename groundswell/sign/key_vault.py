"""A key in Azure Key Vault, which signs itself: the private key never leaves it.

The identity needs the role "Key Vault Crypto User" on the key. Key Vault gives ES256 signatures as r and s side by
side (RFC 7518, section 3.4); they are put into DER here. Its retries are the caller's: the queues deliver again.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from groundswell.errors import GroundswellError, InputError, NotFoundError, PermanentError, TemporaryError, cause

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.keyvault.keys import KeyVaultKey
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_KEEP = 900.0  # seconds: a key's newest version is looked up so often
_CONNECT_SECONDS, _READ_SECONDS = 5, 20
_DELAY, _LONGEST_DELAY = 5.0, 600.0
_PARTS = (2, 3)


class KeyVaultSigner:
    """The Signer port on `https://VAULT.vault.azure.net/keys/NAME`, or `…/NAME/VERSION`. Safe between threads.

    Without a version it is the newest one. Raises InputError for another URL. `same_domain` holds the vault to ask
    for tokens of its own domain only, which the SDK does unless it is told otherwise.
    """

    def __init__(self, url: str, credential: "TokenCredential", *, same_domain: bool = True) -> None:
        parts = urlsplit(url)
        path = [part for part in parts.path.split("/") if part]
        if parts.scheme != "https" or not parts.netloc or path[:1] != ["keys"] or len(path) not in _PARTS:
            raise InputError(
                f"the signing key {url} is no key of Key Vault: give https://VAULT.vault.azure.net/keys/NAME"
            )
        self._url = url
        self._vault = f"https://{parts.netloc}"
        self._name, self._version = path[1], path[2] if len(path) == max(_PARTS) else None
        self._options = {
            "verify_challenge_resource": same_domain,
            "retry_total": 0,
            "connection_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
        }
        self._credential = credential
        self._kept: tuple[float, KeyVaultKey] | None = None
        self._lock = threading.Lock()

    def sign(self, message: bytes) -> bytes:
        """See `Signer.sign`. The digest alone goes to the vault."""
        from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        key = self._key()
        with self._translated(), CryptographyClient(key, self._credential, **self._options) as client:
            raw = client.sign(SignatureAlgorithm.es256, hashlib.sha256(message).digest()).signature
            size = len(raw)
        if size != 64:
            raise PermanentError(f"{self._url}: the vault gave a signature of {size} bytes, not ES256's 64")
        return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    def public_key(self) -> bytes:
        """See `Signer.public_key`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return _point(self._key()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _key(self) -> "KeyVaultKey":
        """The key with its version: what is signed and the public key that is shown belong together."""
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > _KEEP:
                self._kept = (time.monotonic(), self._read())
            return self._kept[1]

    def _read(self) -> "KeyVaultKey":
        from azure.keyvault.keys import KeyClient

        with self._translated(), KeyClient(self._vault, self._credential, **self._options) as client:
            key = client.get_key(self._name, self._version)
            fields = vars(key.key)  # the SDK sets a JWK's fields by name
            kind, curve = (str(getattr(fields[name], "value", fields[name])) for name in ("kty", "crv"))
            if kind in ("EC", "EC-HSM") and curve == "P-256":
                _point(key)
                return key
        raise PermanentError(f"{self._url} is no EC key on P-256 but {kind} {curve}; make one of that kind")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What the SDK raises, as our own errors. The kept key is dropped: it may have been replaced."""
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            yield
        except HttpResponseError as exc:
            self._kept = None
            raise self._error(exc) from exc
        except (AzureError, OSError) as exc:
            raise TemporaryError(f"{self._url}: the vault did not answer ({cause(exc)})") from exc
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as exc:
            self._kept = None
            raise self._strange(exc) from exc

    def _strange(self, exc: Exception) -> GroundswellError:
        """For an answer that the SDK, or we, can make nothing of: from a proxy in between, maybe."""
        return TemporaryError(
            f"{self._url}: the vault answered with something else than Key Vault does ({cause(exc)})"
        )

    def _error(self, exc: "HttpResponseError") -> GroundswellError:
        status = exc.status_code
        if status is None:
            return TemporaryError(f"{self._url}: no token for the vault, or no whole answer ({cause(exc)})")
        if status < 300:
            return self._strange(exc)
        answer = f"{self._url}: the vault answered {status}"
        if status in (408, 429) or status >= 500:
            text = getattr(exc.response, "headers", {}).get("Retry-After", "")
            seconds = float(text) if text.isdecimal() else _DELAY  # a vault sends no dates there
            return TemporaryError(answer, delay=min(max(seconds, 1.0), _LONGEST_DELAY))
        if status in (401, 403):
            return PermanentError(f"{answer}; give the identity the role Key Vault Crypto User on the key")
        if status == 404:
            return NotFoundError(f"{answer}: there is no such key")
        return PermanentError(answer)


def _point(key: "KeyVaultKey") -> "EllipticCurvePublicKey":
    """The public key. ValueError, TypeError or LookupError when its numbers are none of P-256."""
    from cryptography.hazmat.primitives.asymmetric import ec

    fields = vars(key.key)
    x, y = (int.from_bytes(fields[name]) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
