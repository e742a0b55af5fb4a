"""The Authorization header for a host of git repositories: a token of the settings, a GitHub App's, or Entra ID's.

A GitHub App signs a short-lived JWT with its private key and is given a token of an hour for it ("Authenticating as
a GitHub App installation", GitHub's documentation).
"""

import datetime as dt
import threading
from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING

from groundswell.clock import Clock
from groundswell.deploy.git.rest import Rest
from groundswell.errors import PermanentError, TemporaryError, cause

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

type Authorise = Callable[[], str]

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""Azure DevOps in Entra ID ("Use Microsoft Entra tokens", its documentation)."""

_EARLY = 300.0
"""Seconds before its end from which a token is not used any more."""
_JWT_SECONDS = 540
"""GitHub takes ten minutes at most; a minute before now allows for a clock that is fast."""


def bearer(token: str) -> Authorise:
    return lambda: f"Bearer {token}"


def basic(token: str) -> Authorise:
    """A personal access token of Azure DevOps, whose user is empty."""
    return lambda: f"Basic {b64encode(f':{token}'.encode()).decode()}"


def entra(credential: "TokenCredential") -> Authorise:
    """azure-identity keeps the token until shortly before its end. Raises TemporaryError without one."""

    def header() -> str:
        from azure.core.exceptions import AzureError

        try:
            return f"Bearer {credential.get_token(DEVOPS).token}"
        except (AzureError, OSError) as exc:
            raise TemporaryError(f"no token from Entra ID for Azure DevOps ({cause(exc)})") from exc

    return header


class AppToken:
    """The token of a GitHub App's installation, asked for anew before its end. Safe to share between threads."""

    def __init__(self, api: str, app: str, installation: str, private_key: str, clock: Clock) -> None:
        self._rest = Rest(api, self._headers, "see the app's id, installation and private key")
        self._app = app
        self._installation = installation
        self._key = private_key
        self._clock = clock
        self._lock = threading.Lock()
        self._token, self._end = "", 0.0

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    def __call__(self) -> str:
        with self._lock:
            if self._clock() >= self._end - _EARLY:
                self._renew()
            return f"Bearer {self._token}"

    def _renew(self) -> None:
        subject = f"asking for a token of GitHub App {self._app}"
        answer = self._rest.send("POST", f"/app/installations/{self._installation}/access_tokens", subject=subject)
        try:
            found = answer.json()
            self._token = str(found["token"])
            self._end = dt.datetime.fromisoformat(found["expires_at"]).timestamp()
        except (LookupError, TypeError, ValueError) as exc:
            raise TemporaryError(f"{subject}: the answer holds no token") from exc

    def _headers(self) -> dict[str, str]:
        import jwt

        now = int(self._clock())
        try:
            claims = {"iat": now - 60, "exp": now + _JWT_SECONDS, "iss": self._app}
            signed = jwt.encode(claims, self._key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as exc:  # the cause may hold the key's text
            raise PermanentError(
                f"GitHub App {self._app}: private_key in GROUNDSWELL_GIT is no RSA key in PEM form"
            ) from exc
        return {"Authorization": f"Bearer {signed}"}
