"""What our identity may do in a repository of ACR, found out without doing it.

Who asks for an access token names the actions it is to be good for, and ACR puts into the token those that the
identity has (Azure/acr, docs/AAD-OAuth.md): so the token is asked for, read, and thrown away.
"""

import binascii
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import requests

from groundswell.errors import TemporaryError, cause

_SECONDS = (5.0, 10.0)
_REFUSED = (400, 401, 403)


class Rights(Protocol):
    def missing(self, registry: str, repository: str, actions: Sequence[str]) -> tuple[str, ...]:
        """Those of the actions that we do not have.

        Raises PermanentError when the registry takes no login of ours, TemporaryError when it does not answer.
        """
        ...


class AcrRights:
    """`login` gives user and password of a login server (see `login.py`)."""

    def __init__(self, login: Callable[[str], tuple[str, str]]) -> None:
        self._login = login

    def missing(self, registry: str, repository: str, actions: Sequence[str]) -> tuple[str, ...]:
        """See `Rights.missing`. Each is asked for by itself: one that is refused must not hide the others."""
        _, refresh = self._login(registry)
        return tuple(each for each in actions if not self._has(registry, refresh, repository, each))

    def _has(self, registry: str, refresh: str, repository: str, action: str) -> bool:
        form = {
            "grant_type": "refresh_token",
            "service": registry,
            "scope": f"repository:{repository}:{action}",
            "refresh_token": refresh,
        }
        subject = f"{registry}, asked for the right to {action} in {repository}"
        try:
            answer = requests.post(
                f"https://{registry}/oauth2/token", data=form, timeout=_SECONDS, allow_redirects=False
            )
            if answer.status_code in _REFUSED:
                return False
            if answer.status_code != 200:
                raise TemporaryError(f"{subject}: it answered {answer.status_code}")
            return action in _granted(answer.json(), repository)
        except requests.RequestException as exc:
            raise TemporaryError(f"{subject}: no answer ({cause(exc)})") from exc
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise TemporaryError(f"{subject}: what it answered is no token") from exc


def _granted(answer: Any, repository: str) -> set[str]:
    """The actions that the token of an answer is good for. ValueError and the like when it holds none."""
    try:
        payload = str(answer["access_token"]).split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except binascii.Error as exc:
        raise ValueError from exc
    return {action for each in claims["access"] if each["name"] == repository for action in each["actions"]}
