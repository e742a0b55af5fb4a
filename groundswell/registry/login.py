"""A user and password for tools that log in to ACR as Docker does (Trivy): a token instead of a stored password.

ACR gives a refresh token for a Microsoft Entra token at `/oauth2/exchange`; with a fixed user name it serves as a
password (Microsoft, "Authenticate with an Azure container registry", and Azure/acr docs/AAD-OAuth.md).
"""

import threading
import time
from typing import TYPE_CHECKING

import requests

from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry.trust import Trust

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

USER = "00000000-0000-0000-0000-000000000000"
_SCOPE = "https://containerregistry.azure.net/.default"
_KEEP = 900.0  # seconds; ACR's refresh tokens live for three hours
_TIMEOUT = (5, 20)


class DockerLogin:
    """Callable: login server to (user, password). Keeps each token for a quarter of an hour."""

    def __init__(self, credential: "TokenCredential", trust: Trust) -> None:
        self._credential = credential
        self._trust = trust
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def __call__(self, registry: str) -> tuple[str, str]:
        """Raises PermanentError when the registry refuses the identity, TemporaryError when it does not answer."""
        self._trust(registry)
        with self._lock:
            since, token = self._kept.get(registry, (0.0, ""))
            if time.monotonic() - since > _KEEP or not token:
                token = self._exchange(registry)
                self._kept[registry] = (time.monotonic(), token)
            return USER, token

    def _exchange(self, registry: str) -> str:
        form = {
            "grant_type": "access_token",
            "service": registry,
            "access_token": self._credential.get_token(_SCOPE).token,
        }
        try:
            answer = requests.post(f"https://{registry}/oauth2/exchange", data=form, timeout=_TIMEOUT)
            status, document = answer.status_code, answer.json() if answer.ok else {}
        except (requests.RequestException, ValueError) as exc:
            raise TemporaryError(f"registry {registry} gave no login token: {exc}") from exc
        message = f"registry {registry} answered {status} to the exchange of the app's token"
        if status == 429 or status >= 500:
            raise TemporaryError(message)
        token = document.get("refresh_token")
        if not token:
            raise PermanentError(f"{message}: give its identity the role AcrPull")
        return str(token)
