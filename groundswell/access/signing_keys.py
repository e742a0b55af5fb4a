"""The keys with which Entra ID signs, by their ids: fetched when they are needed, and again when they are rotated.

New keys are published before they are used, so a day's age does no harm; a key that is not known makes us look at
once, but not oftener than every minute, whatever strangers send.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from groundswell.clock import Clock
from groundswell.errors import TemporaryError, cause

if TYPE_CHECKING:
    from jwt import PyJWK

logger = logging.getLogger(__name__)

AGE = 86_400.0
"""Seconds after which the keys are fetched again."""
PAUSE = 60.0
"""Seconds between two looks, at least, whatever came of the first."""
_LARGEST = 1024 * 1024
_SECONDS = 5.0

type Fetch = Callable[[], Mapping[str, Any]]
"""Returns a JSON Web Key Set (RFC 7517, section 5). Raises TemporaryError."""


class SigningKeys:
    """Safe to share between threads: one of them fetches, the others wait for it."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched_at: float | None = None
        self._looked_at: float | None = None
        self._failed = False
        self._lock = threading.Lock()

    def key(self, id_: str) -> "PyJWK | None":
        """The key of that id; None when there is none.

        Raises TemporaryError when that cannot be told: none could ever be read, or not when we looked for this one.
        """
        if id_ in self._keys and not self._old():
            return self._keys[id_]
        with self._lock:
            if (id_ not in self._keys or self._old()) and self._may_look():
                self._look()
            if self._fetched_at is None or (id_ not in self._keys and self._failed):
                raise TemporaryError("the signing keys of Entra ID cannot be read now", delay=PAUSE)
            return self._keys.get(id_)

    def _old(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= AGE

    def _may_look(self) -> bool:
        return self._looked_at is None or self._clock() - self._looked_at >= PAUSE

    def _look(self) -> None:
        """Fetch the keys; where that fails, those that we have serve on."""
        self._looked_at = self._clock()
        try:
            self._keys = _read(self._fetch())
        except TemporaryError:
            self._failed = True
            logger.warning("signing keys not read", exc_info=True)
        else:
            self._failed = False
            self._fetched_at = self._clock()


def _read(document: Mapping[str, Any]) -> dict[str, "PyJWK"]:
    """The RSA keys of a set; other kinds are none of ours. Raises TemporaryError when it is no set of keys."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    try:
        wanted = [key for key in document["keys"] if key.get("kty") == "RSA" and key.get("use", "sig") == "sig"]
        return {key["kid"]: PyJWK.from_dict(key, algorithm="RS256") for key in wanted}
    except (KeyError, TypeError, AttributeError, ValueError, PyJWTError) as exc:
        raise TemporaryError(f"what was read is no set of signing keys: {cause(exc)}") from exc


def fetcher(url: str) -> Fetch:
    """Reads the set of keys at `url`, within seconds and up to a size; no redirect is followed."""

    def fetch() -> Mapping[str, Any]:
        import requests

        try:
            with requests.get(url, timeout=_SECONDS, allow_redirects=False, stream=True) as answer:
                if answer.status_code != 200:
                    raise TemporaryError(f"the signing keys cannot be read: HTTP {answer.status_code}")
                body = answer.raw.read(_LARGEST + 1, decode_content=True)
                if len(body) > _LARGEST:
                    raise TemporaryError("the signing keys cannot be read: the answer is too large")
                document: Mapping[str, Any] = json.loads(body)
                return document
        except (OSError, ValueError) as exc:  # requests' own are OSErrors
            raise TemporaryError(f"the signing keys cannot be read: {cause(exc)}") from exc

    return fetch
