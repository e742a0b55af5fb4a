"""Imitates the managed identity endpoint of App Service, so that azure-identity runs unchanged.

The product's credential finds it by IDENTITY_ENDPOINT and IDENTITY_HEADER, exactly as it does in Azure Functions.
Tokens are JWTs signed with the stack's own secret; the look-alikes verify signature, audience and expiry.
Source of the protocol: Microsoft's "REST endpoint reference" for App Service managed identities (2019-08-01).
"""

import hmac
import secrets
import time

import jwt
from aiohttp import web

_LIFETIME = 3600
_ALGORITHM = "HS256"


class Identity:
    """Issues and verifies the tokens of one stack."""

    def __init__(self) -> None:
        self.header = secrets.token_urlsafe(24)
        self._key = secrets.token_bytes(32)

    def issue(self, audience: str, *, lifetime: int = _LIFETIME) -> str:
        now = int(time.time())
        claims = {"aud": audience.rstrip("/"), "iss": "groundswell-local", "iat": now, "exp": now + lifetime}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verify(self, token: str, audience: str) -> bool:
        """Whether `token` is ours, for `audience`, and not expired."""
        try:
            jwt.decode(token, self._key, algorithms=[_ALGORITHM], audience=audience.rstrip("/"))
        except jwt.InvalidTokenError:
            return False
        return True

    def app(self) -> web.Application:
        """`GET /msi/token?resource=R&api-version=2019-08-01` with the header X-IDENTITY-HEADER."""
        app = web.Application()
        app.router.add_get("/msi/token", self._token)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("X-IDENTITY-HEADER", ""), self.header):
            return web.json_response({"message": "X-IDENTITY-HEADER is missing or wrong"}, status=401)
        resource = request.query.get("resource", "")
        if not resource:
            return web.json_response({"message": "resource is missing"}, status=400)
        return web.json_response(
            {
                "access_token": self.issue(resource),
                "expires_on": str(int(time.time()) + _LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": request.query.get("client_id", "local"),
            }
        )
