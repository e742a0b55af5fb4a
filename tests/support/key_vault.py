"""A look-alike of Azure Key Vault's keys: get and sign, with the bearer challenge (REST API 7.5, "Keys").

Its signatures are ES256 as JSON Web Signatures have them: r and s side by side.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from groundswell.local.identity import Identity

RESOURCE = "https://vault.azure.net"


class KeyVault:
    """Keys by name, each with its versions in the order in which they were made.

    `refuse` is a status with headers that every signed-in request is answered with, `strange` a body (with 200) for
    those whose path ends so; `signed` counts signatures.
    """

    def __init__(self, identity: Identity) -> None:
        self.keys: dict[str, list[Any]] = {}
        self.refuse: tuple[int, Mapping[str, str]] | None = None
        self.strange: tuple[str, str] | None = None
        self.signed = 0
        self.port = 0
        self._identity = identity

    def make(self, name: str, *, curve: ec.EllipticCurve | None = None) -> Any:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        self.keys.setdefault(name, []).append(key)
        return key

    def make_rsa(self, name: str) -> None:
        self.keys[name] = [rsa.generate_private_key(65537, 2048)]

    def url(self, name: str, version: int | None = None) -> str:
        return f"https://localhost:{self.port}/keys/{name}" + ("" if version is None else f"/{version}")

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/keys/{name}/", self._get)
        app.router.add_get("/keys/{name}/{version}", self._get)
        app.router.add_post("/keys/{name}/{version}/sign", self._sign)
        return app

    async def _get(self, request: web.Request) -> web.Response:
        return self._refusal(request) or self._answer(request)

    def _answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        versions = self.keys.get(name)
        if not versions:
            return _error(404, "KeyNotFound")
        version = int(request.match_info.get("version") or len(versions) - 1)
        return web.json_response({"key": {"kid": self.url(name, version), **_jwk(versions[version])}})

    async def _sign(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        asked = await request.json()
        digest = base64.urlsafe_b64decode(asked["value"] + "==")
        if asked["alg"] != "ES256" or len(digest) != hashlib.sha256().digest_size:
            return _error(400, "BadParameter")
        name, version = request.match_info["name"], int(request.match_info["version"])
        r, s = decode_dss_signature(self.keys[name][version].sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        self.signed += 1
        return web.json_response({"kid": self.url(name, version), "value": _b64(r.to_bytes(32) + s.to_bytes(32))})

    def _refusal(self, request: web.Request) -> web.Response | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not self._identity.verify(token, RESOURCE):
            answer = _error(401, "Unauthorized")
            challenge = f'Bearer authorization="https://login.example.com/tenant", resource="{RESOURCE}"'
            answer.headers["WWW-Authenticate"] = challenge
            return answer
        if self.refuse:
            answer = _error(self.refuse[0], "Refused")
            answer.headers.update(self.refuse[1])
            return answer
        if self.strange and request.path.endswith(self.strange[0]):
            return web.Response(text=self.strange[1], content_type="application/json")
        return None


def _error(status: int, code: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": "a look-alike's refusal"}}, status=status)


def _jwk(key: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        return {"kty": "RSA", "n": _b64(numbers.n.to_bytes(256)), "e": _b64(numbers.e.to_bytes(3))}
    size = (key.curve.key_size + 7) // 8
    name = {"secp256r1": "P-256", "secp384r1": "P-384"}[key.curve.name]
    x, y = _b64(numbers.x.to_bytes(size)), _b64(numbers.y.to_bytes(size))
    return {"kty": "EC", "crv": name, "x": x, "y": y, "key_ops": ["sign", "verify"]}


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
