"""Finds out who asks, by whatever of the three ways the request takes; a name without proof is nobody's."""

from collections.abc import Callable
from dataclasses import dataclass

from groundswell.access import easy_auth
from groundswell.access.entra import EntraTokens
from groundswell.access.principal import Principal, UnauthenticatedError
from groundswell.access.tokens import PREFIX, TokenBook

_SCHEME = "bearer "


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticator:
    """`entra` is None where no tenant is configured; `easy_auth` says whether the platform's header is believed."""

    tokens: TokenBook
    entra: EntraTokens | None
    easy_auth: bool
    tenant: str

    def principal(self, header: Callable[[str], str | None]) -> Principal:
        """Who sent the request whose headers `header` reads. What was given and is wrong is not passed over.

        Raises UnauthenticatedError, TemporaryError when it cannot be found out now.
        """
        given = header("Authorization") or ""
        bearer = given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""
        if bearer.startswith(PREFIX):
            return self.tokens.principal(bearer)
        if bearer and self.entra is not None:
            return self.entra.principal(bearer)
        if self.easy_auth and (told := header(easy_auth.HEADER)):
            return easy_auth.principal(told, self.tenant)
        raise UnauthenticatedError(
            "give an API token (`groundswell token create`)"
            + (" or an access token of Entra ID" if self.entra is not None else "")
            + " as `Authorization: Bearer TOKEN`"
        )
