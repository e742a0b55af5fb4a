"""Opens the signer that the settings name. Azure's SDKs are imported only when they are needed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from groundswell.sign.port import Signer

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def open_signer(key: str, credential: "Callable[[], TokenCredential]") -> Signer | None:
    """The signer of a key: a file's path or the URL of a key in Key Vault; None when none is named."""
    if not key:
        return None
    if "://" in key:
        from groundswell.sign.key_vault import KeyVaultSigner

        return KeyVaultSigner(key, credential())
    from groundswell.sign.key_file import KeyFileSigner

    return KeyFileSigner(Path(key))
