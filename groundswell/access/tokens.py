"""API tokens: for machines, and for people where there is no Entra ID.

A token is `gs_ID_SECRET`. Only the SHA-256 of it is kept: the secret has 256 random bits, so a slow hash would add
nothing. The id finds the record, the hash is compared in constant time. Each request reads the record, so that one
that is revoked is refused from then on, everywhere.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from groundswell import audit
from groundswell.access.principal import Principal, Role, UnauthenticatedError
from groundswell.clock import Clock
from groundswell.errors import InputError, NotFoundError, PermanentError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Documents, Json, Put

PREFIX = "gs_"
LONGEST = 366 * 86_400.0
"""Seconds that a token may live, at most."""
VERSION = 1

_TABLE, _PARTITION = "tokens", "tokens"
_TOKEN = re.compile(r"gs_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token. Times are seconds since the epoch."""

    id: str
    name: str
    roles: tuple[Role, ...]
    teams: tuple[str, ...]
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None = None

    def state(self, now: float) -> str:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if now >= self.expires_at else "valid"

    def to_json(self) -> dict[str, object]:
        """As it is shown; neither the secret nor its hash is in it."""
        return {
            "id": self.id,
            "name": self.name,
            "roles": [role.value for role in self.roles],
            "teams": list(self.teams),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
        }


class TokenBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, name: str, *, roles: Collection[Role], teams: Collection[str] = (), seconds: float, who: str, why: str
    ) -> tuple[Token, str]:
        """A new token, and its text, which nobody can read again. The audit trail is written first.

        Raises InputError for a name, roles, teams or a lifetime that do not do.
        """
        _check(name, roles, teams, seconds, why)
        now, id_ = self._clock(), secrets.token_hex(6)
        token = Token(
            id=id_,
            name=name,
            roles=tuple(sorted(set(roles))),
            teams=tuple(sorted(set(teams))),
            created_at=now,
            created_by=who,
            expires_at=now + seconds,
        )
        text = f"{PREFIX}{id_}_{secrets.token_urlsafe(32)}"
        self._audit("token", token, before={}, after=token.to_json(), who=who, why=why)
        value = {"v": VERSION, **token.to_json(), "sha256": _hash(text)}
        self._store.commit(_TABLE, _PARTITION, [Put(row=id_, value=value, etag=None)])
        return token, text

    def each(self, *, after: str = "") -> Iterator[Token]:
        """All whose id sorts after `after`, those included that are no longer valid."""
        for record in self._store.scan(_TABLE, _PARTITION, after=after):
            yield _read(record.value)

    def revoke(self, id_: str, *, who: str, why: str) -> Token:
        """End a token; one that was revoked stays so. Raises NotFoundError, InputError without a reason."""
        if not why.strip():
            raise InputError("revoking a token needs a reason: --reason TEXT")
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, id_) if id_ else None
                if record is None:
                    raise NotFoundError(f"no token {id_}; `groundswell token list` lists them")
                token = _read(record.value)
                if token.revoked_at is not None:
                    return token
                value = {**record.value, "revoked_at": self._clock()}
                after = _read(value)
                self._audit("revoke", after, before=token.to_json(), after=after.to_json(), who=who, why=why)
                self._store.commit(_TABLE, _PARTITION, [Put(row=id_, value=value, etag=record.etag)])
        return after

    def principal(self, text: str) -> Principal:
        """Whose token it is. Raises UnauthenticatedError."""
        found = _TOKEN.fullmatch(text)
        record = self._store.get(_TABLE, _PARTITION, found[1]) if found else None
        if record is None or not hmac.compare_digest(record.value["sha256"], _hash(text)):
            raise UnauthenticatedError("there is no such API token")
        return self._valid(_read(record.value))

    def named(self, id_: str) -> Principal:
        """Whose the token of that id is, for who has proven before to have it. Raises UnauthenticatedError."""
        record = self._store.get(_TABLE, _PARTITION, id_)
        if record is None:
            raise UnauthenticatedError("there is no such API token")
        return self._valid(_read(record.value))

    def _valid(self, token: Token) -> Principal:
        if (state := token.state(self._clock())) != "valid":
            raise UnauthenticatedError(f"the API token {token.name} is {state}")
        return Principal(
            id=f"token:{token.id}", name=token.name, roles=frozenset(token.roles), teams=frozenset(token.teams)
        )

    def _audit(self, action: str, token: Token, *, before: Json, after: Json, who: str, why: str) -> None:
        audit.record(
            self._store,
            at=self._clock(),
            who=who,
            action=action,
            subject=f"token {token.id} ({token.name})",
            why=why,
            before=before,
            after=after,
        )


def _check(name: str, roles: Collection[Role], teams: Collection[str], seconds: float, why: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(f"token name {name!r}: letters, digits, blanks and . _ @ / - only, 63 at most")
    if not roles:
        raise InputError(f"token {name} needs a role: {', '.join(Role)}")
    if (Role.REGISTRAR in roles) != bool(teams):
        raise InputError(
            f"token {name}: the role registrar and a team go together; it registers that team's images"
        )
    if any(not team.strip() or len(team) > 200 for team in teams):
        raise InputError(f"token {name}: a team is a text of 1 to 200 characters")
    if not 0 < seconds <= LONGEST:
        raise InputError(f"token {name}: it must expire within {LONGEST / 86_400:.0f} days")
    if not why.strip():
        raise InputError("a token needs a reason: --reason TEXT")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(document: Json) -> Token:
    if document["v"] > VERSION:
        raise PermanentError(f"token {document['id']} was made by a newer program: upgrade this one first")
    return Token(
        id=document["id"],
        name=document["name"],
        roles=tuple(Role(role) for role in document["roles"]),
        teams=tuple(document["teams"]),
        created_at=document["created_at"],
        created_by=document["created_by"],
        expires_at=document["expires_at"],
        revoked_at=document["revoked_at"],
    )
