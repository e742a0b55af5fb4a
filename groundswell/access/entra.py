"""Access tokens of Microsoft Entra ID: what makes one valid, and who it says is asking.

As Microsoft's "Access tokens in the Microsoft identity platform" asks of an API: the signature by a key of the
tenant, the issuer (both versions' forms), the audience, the time, and a role. ID tokens are refused: they say who
signed in somewhere, and are not meant for us.
"""

from collections.abc import Collection, Mapping
from typing import Any

from groundswell.access.principal import Principal, UnauthenticatedError, granted
from groundswell.access.signing_keys import SigningKeys
from groundswell.clock import Clock

LEEWAY = 60.0
"""Seconds by which clocks may differ."""
_LONGEST = 16 * 1024
_CLAIMS = ("iss", "aud", "exp", "nbf", "tid", "oid")
_NAMES = ("preferred_username", "upn", "unique_name", "azp", "appid")
"""Of a person in tokens of version 2 and 1, of an application in both. They are shown, and decide nothing."""


class EntraTokens:
    def __init__(
        self, *, authority: str, tenant: str, audiences: Collection[str], keys: SigningKeys, clock: Clock
    ) -> None:
        """`authority` is such as https://login.microsoftonline.com, `tenant` its id in lower case."""
        self._tenant = tenant
        self._issuers = (f"https://sts.windows.net/{tenant}/", f"{authority.rstrip('/')}/{tenant}/v2.0")
        self._audiences = list(audiences)
        self._keys = keys
        self._clock = clock

    def principal(self, token: str) -> Principal:
        """Who is asking. Raises UnauthenticatedError, TemporaryError when the signing keys cannot be read."""
        claims = self._claims(token)
        now = self._clock()
        if now >= _time(claims, "exp") + LEEWAY:
            raise UnauthenticatedError("the access token is expired")
        if now < _time(claims, "nbf") - LEEWAY:
            raise UnauthenticatedError("the access token is not valid yet")
        if claims["tid"] != self._tenant:
            raise UnauthenticatedError("the access token is of another tenant")
        if not (claims.get("scp") or claims.get("idtyp") == "app" or claims.get("sub") == claims["oid"]):
            raise UnauthenticatedError(
                "this is no access token (an ID token says who signed in, and opens nothing)"
            )
        return principal_of(claims)

    def _claims(self, token: str) -> Mapping[str, Any]:
        import jwt

        if len(token) > _LONGEST:
            raise UnauthenticatedError("the access token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise UnauthenticatedError("the bearer token is neither an API token nor an access token") from exc
        id_ = header.get("kid")
        key = self._keys.key(id_) if isinstance(id_, str) and header.get("alg") == "RS256" else None
        if key is None:
            raise UnauthenticatedError("the access token is signed with a key that is not the tenant's")
        try:
            return jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audiences,
                issuer=self._issuers,
                # The times are held against our own clock.
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as exc:
            raise UnauthenticatedError(
                f"the access token is not valid: {_WHY.get(type(exc).__name__, '')}"
            ) from exc


_WHY: Mapping[str, str] = {
    "InvalidSignatureError": "its signature is wrong",
    "InvalidAudienceError": "it is meant for another application",
    "InvalidIssuerError": "it was issued by somebody else",
    "MissingRequiredClaimError": "a claim is missing",
}


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """The principal that verified claims tell of. Raises UnauthenticatedError when they name nobody."""
    oid = claims.get("oid")
    if not isinstance(oid, str) or not oid:
        raise UnauthenticatedError("the token names nobody: it has no oid")
    given = claims.get("roles") or ()
    roles, teams = granted(role for role in given if isinstance(role, str)) if isinstance(given, list) else ((), ())
    name = next((name for key in _NAMES if isinstance(name := claims.get(key), str) and name), oid)
    return Principal(id=f"entra:{oid}", name=name[:200], roles=frozenset(roles), teams=frozenset(teams))


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnauthenticatedError(f"the access token is not valid: {name} is no time")
    return float(value)
