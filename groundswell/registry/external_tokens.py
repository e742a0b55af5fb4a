"""How one logs in to a registry that is not ours: by Distribution's token specification, or by HTTP's Basic.

A registry's challenge names the server that gives tokens. Were it free to name any, a login could be sent anywhere:
so that server must be the registry's own host, or the one known, or configured, to belong to it.
"""

import base64
import threading
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from graph.reference import Reference
from groundswell.clock import Clock
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry import challenge
from groundswell.registry.external_http import Http, is_plain
from groundswell.registry.manifests import json_object
from groundswell.registry.pauses import Pauses
from groundswell.settings import ExternalRegistry

TOKEN_HOSTS: Mapping[str, str] = {"docker.io": "auth.docker.io", "registry.gitlab.com": "gitlab.com"}
"""Of the registries whose tokens another host gives."""

_MAX_ANSWER = 256 * 1024
_SHORTEST = 60  # seconds; what the specification says of an answer that names none
_KEPT = 86_400  # seconds, at most, whatever it names
_EARLY = 5.0
_MAX_KEPT = 10_000

type _Key = tuple[str, str]


class Tokens:
    """Authorization headers for reading, by registry and repository, kept until they expire. Thread-safe."""

    def __init__(self, logins: Mapping[str, ExternalRegistry], pauses: Pauses, clock: Clock) -> None:
        self._logins = logins
        self._pauses = pauses
        self._clock = clock
        self._kept: dict[_Key, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def known(self, reference: Reference) -> str:
        """The header that is still good, "" when there is none."""
        with self._lock:
            secret, until = self._kept.get(_key(reference), ("", 0.0))
        return secret if until > self._clock() else ""

    def answer(self, header: str, reference: Reference, host: str, http: Http) -> str:
        """The header that answers a challenge. `host` is the one that challenged.

        Raises PermanentError when the registry wants what we do not have, or sends us to a stranger for it.
        """
        login = self._logins.get(reference.registry, ExternalRegistry())
        scheme, said = challenge.parse(header)
        if scheme == "basic" and login.username:
            secret, until = _basic(login), float("inf")
        elif scheme == "bearer":
            secret, until = self._bearer(said, reference, login, host, http)
        else:
            raise PermanentError(
                f"{reference}: {reference.registry} wants a login; "
                "give its username and password in GROUNDSWELL_EXTERNAL_REGISTRIES"
            )
        with self._lock:
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[_key(reference)] = (secret, until)
        return secret

    def forget(self, reference: Reference) -> None:
        """The registry refused the header."""
        with self._lock:
            self._kept.pop(_key(reference), None)

    def _bearer(
        self, said: Mapping[str, str], reference: Reference, login: ExternalRegistry, host: str, http: Http
    ) -> tuple[str, float]:
        realm, subject = _realm(said, reference), f"{reference}, its token"
        allowed = {host, login.token_host or TOKEN_HOSTS.get(reference.registry, host)}
        giver = urlsplit(realm).netloc.lower()
        if giver not in allowed:
            raise PermanentError(
                f"{reference}: {reference.registry} sends for a token to {giver}, which is not asked; "
                "if that is right, name it as its token_host in GROUNDSWELL_EXTERNAL_REGISTRIES"
            )
        # Reading this one repository is all that we ask for, whatever the challenge offers.
        query = {"scope": f"repository:{reference.repository}:pull"}
        if "service" in said:
            query["service"] = said["service"]
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        secret = _basic(login) if login.username else ""
        answer = http.send("GET", url, headers={}, secret=secret, limit=_MAX_ANSWER, subject=subject)
        self._pauses.heed(reference.registry, answer.status, answer.headers)
        if answer.status == 429 or answer.status >= 500:
            raise TemporaryError(f"{subject}: {giver} answered {answer.status}", delay=60.0)
        if answer.status != 200:
            raise PermanentError(
                f"{subject}: {giver} answered {answer.status}; see its login in GROUNDSWELL_EXTERNAL_REGISTRIES"
            )
        return self._token(json_object(answer.body, subject), subject)

    def _token(self, document: Mapping[str, object], subject: str) -> tuple[str, float]:
        token, seconds = document.get("token") or document.get("access_token"), document.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise PermanentError(f"{subject}: the answer holds no token")
        lasts = min(max(seconds, _SHORTEST), _KEPT) if isinstance(seconds, int) else _SHORTEST
        return f"Bearer {token}", self._clock() + lasts - _EARLY


def _realm(said: Mapping[str, str], reference: Reference) -> str:
    realm = said.get("realm", "")
    if not is_plain(realm) or "#" in realm:
        raise PermanentError(f"{reference}: {reference.registry} names no https address that gives tokens")
    return realm


def _basic(login: ExternalRegistry) -> str:
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def _key(reference: Reference) -> _Key:
    return reference.registry, reference.repository
