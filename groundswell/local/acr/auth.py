"""How one logs in to ACR: the bearer challenge, and `/oauth2/*` (Azure/acr, docs/AAD-OAuth.md).

A Microsoft Entra token is exchanged for a refresh token, and that for access tokens with scopes. Docker's clients
send the refresh token, or the admin user's password, as basic authentication instead.
"""

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any

import jwt
from aiohttp import web
from aiohttp.typedefs import Handler

from groundswell.local.acr import scopes
from groundswell.local.acr.answers import decoded_path, refused
from groundswell.local.identity import Identity

AUDIENCES = ("https://containerregistry.azure.net", "https://management.azure.com")
TOKEN_USER = "00000000-0000-0000-0000-000000000000"

_ALGORITHM = "HS256"
_REFRESH_SECONDS = 3 * 3600
_ACCESS_SECONDS = 75 * 60


class Auth:
    """Issues and checks the tokens of one registry. Who can log in may do all that the token's scopes say."""

    def __init__(self, identity: Identity, *, user: str, password: str, login_server: Callable[[], str]) -> None:
        self._identity = identity
        self._user = user
        self._password = password
        self._login_server = login_server
        self._key = secrets.token_bytes(32)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/oauth2/exchange", self._exchange)
        router.add_post("/oauth2/token", self._token_by_form)
        router.add_get("/oauth2/token", self._token_by_query)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        path = decoded_path(request)
        if not path.startswith(("/v2/", "/acr/")):
            return await handler(request)
        source = request.query.get("from", "")
        needed = (scopes.needed(request.method, path), scopes.mounted(request.method, path, source))
        wanted = [each for each in needed if each]
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic" and self._basic(value):
            return await handler(request)
        claims = self._claims(value, "access") if kind.lower() == "bearer" else None
        if claims is None:
            return self._challenge(wanted)
        if not all(scopes.allows(claims["access"], each) for each in wanted):
            return self._challenge(wanted, error="insufficient_scope")
        return await handler(request)

    def _challenge(self, wanted: list[scopes.Access], *, error: str = "") -> web.Response:
        host = self._login_server()
        challenge = f'Bearer realm="https://{host}/oauth2/token",service="{host}"'
        if wanted:
            challenge += f',scope="{" ".join(map(str, wanted))}"'
        if error:
            challenge += f',error="{error}"'
        message = "authentication required, visit https://aka.ms/acr/authorization for more information."
        answer = refused(401, "UNAUTHORIZED", message)
        answer.headers["WWW-Authenticate"] = challenge
        answer.headers["Docker-Distribution-Api-Version"] = "registry/2.0"
        return answer

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") not in ("access_token", "access_token_refresh_token"):
            return refused(400, "BAD_REQUEST", "grant_type must be access_token")
        if form.get("service") != self._login_server():
            return refused(400, "BAD_REQUEST", "service must be the login server")
        token = str(form.get("access_token", ""))
        if not any(self._identity.verify(token, audience) for audience in AUDIENCES):
            return _unauthorized()
        return web.json_response({"refresh_token": self._issue("refresh", _REFRESH_SECONDS)})

    async def _token_by_form(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") == "refresh_token":
            known = self._claims(str(form.get("refresh_token", "")), "refresh") is not None
        elif form.get("grant_type") == "password":
            known = self._knows(str(form.get("username", "")), str(form.get("password", "")))
        else:
            return refused(400, "BAD_REQUEST", "grant_type must be refresh_token or password")
        return self._access([str(scope) for scope in form.getall("scope", [])]) if known else _unauthorized()

    async def _token_by_query(self, request: web.Request) -> web.Response:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic" or not self._basic(value):
            return _unauthorized()
        return self._access(request.query.getall("scope", []))

    def _access(self, asked: list[str]) -> web.Response:
        access = [scope.as_claim() for scope in scopes.parse(asked)]
        return web.json_response({"access_token": self._issue("access", _ACCESS_SECONDS, access=access)})

    def _basic(self, value: str) -> bool:
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self._knows(user, password)

    def _knows(self, user: str, password: str) -> bool:
        if user == TOKEN_USER:
            return self._claims(password, "refresh") is not None
        return hmac.compare_digest(f"{user}:{password}".encode(), f"{self._user}:{self._password}".encode())

    def _issue(self, kind: str, seconds: int, **more: Any) -> str:
        # The SDK reads the refresh token's payload as plain base64, so nothing in it may need base64url.
        now, host = int(time.time()), self._login_server()
        claims = {"aud": host, "iss": host, "grant_type": f"{kind}_token", "iat": now, "exp": now + seconds, **more}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _claims(self, token: str, kind: str) -> dict[str, Any] | None:
        """The claims of a token of ours, None when it is another's, of the other kind, or expired."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], audience=self._login_server()
            )
        except jwt.InvalidTokenError:
            return None
        return claims if claims["grant_type"] == f"{kind}_token" else None


def _unauthorized() -> web.Response:
    return refused(401, "UNAUTHORIZED", "authentication required")
