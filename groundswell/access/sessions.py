"""Sessions of browsers: who pasted an API token into the sign-in page is that token's principal for a while.

A session is a random secret in a cookie, and a record under the secret's SHA-256 that names the token. So all
instances share it without sharing a key; whoever reads the store cannot make a cookie of what is there; and both
the end of the session and the token's revocation hold from the next request on.
"""

import hashlib
import secrets
from itertools import batched

from groundswell.access.principal import Principal, UnauthenticatedError
from groundswell.access.tokens import TokenBook
from groundswell.clock import Clock
from groundswell.errors import ConflictError
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put

LIFETIME = 8 * 3600.0
"""Seconds from signing in; using a session does not make it longer."""

_TABLE, _PARTITION = "sessions", "sessions"


class SessionBook:
    def __init__(self, store: Documents, tokens: TokenBook, clock: Clock) -> None:
        self._store = store
        self._tokens = tokens
        self._clock = clock

    def begin(self, principal: Principal) -> str:
        """The secret of a new session of an API token's principal."""
        secret = secrets.token_urlsafe(32)
        value = {"token": principal.id.removeprefix("token:"), "expires_at": self._clock() + LIFETIME}
        self._store.commit(_TABLE, _PARTITION, [Put(row=_row(secret), value=value, etag=None)])
        return secret

    def principal(self, secret: str) -> Principal:
        """Whose session it is. Raises UnauthenticatedError also when the token is no longer valid."""
        record = self._store.get(_TABLE, _PARTITION, _row(secret))
        if record is None or self._clock() >= record.value["expires_at"]:
            raise UnauthenticatedError("nobody is signed in here, or the session is over")
        return self._tokens.named(record.value["token"])

    def end(self, secret: str) -> None:
        """Signed out: a copy of the cookie opens nothing from now on."""
        self._store.commit(_TABLE, _PARTITION, [Delete(row=_row(secret), etag=ANY)])

    def forget(self) -> int:
        """Drop the sessions that are over; returns how many."""
        now, gone = self._clock(), 0
        records = self._store.scan(_TABLE, _PARTITION)
        over = (Delete(row=each.row, etag=each.etag) for each in records if now >= each.value["expires_at"])
        for part in batched(over, MAX_COMMIT, strict=False):
            try:
                self._store.commit(_TABLE, _PARTITION, part)
            except ConflictError:
                continue  # another instance is at it
            gone += len(part)
        return gone


def _row(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
