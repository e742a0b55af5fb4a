"""Opens the signer that the settings name. Azure's SDKs are imported only when they are needed."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from groundswell.errors import PermanentError
from groundswell.sign.port import MAX_KEY, Signer

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def open_chain(path: str) -> Callable[[], bytes] | None:
    """Reads the certificates of the key from a PEM file, each time; None when none is named."""
    return partial(_read, Path(path)) if path else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY)
    except OSError as exc:
        raise PermanentError(f"the signing chain {path} cannot be read ({exc.strerror})") from exc


def open_signer(key: str, credential: "Callable[[], TokenCredential]") -> Signer | None:
    """The signer of a key: a file's path or the URL of a key in Key Vault; None when none is named."""
    if not key:
        return None
    if "://" in key:
        from groundswell.sign.key_vault import KeyVaultSigner

        return KeyVaultSigner(key, credential())
    from groundswell.sign.key_file import KeyFileSigner

    return KeyFileSigner(Path(key))
