"""A tenant that signs tokens, with keys that are made once: making them takes longest."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from groundswell.errors import TemporaryError

TENANT = "11111111-2222-3333-4444-555555555555"
AUTHORITY = "https://login.microsoftonline.com"
AUDIENCE = "api://groundswell"
OID = "99999999-8888-7777-6666-555555555555"
V2 = f"{AUTHORITY}/{TENANT}/v2.0"
V1 = f"https://sts.windows.net/{TENANT}/"


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    del name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(name: str, **changes: Any) -> dict[str, Any]:
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key(name).public_key()))
    return {**public, "kid": name, "use": "sig", **changes}


class Tenant:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0
        self.published: Any = {"keys": [jwk("a")]}
        self.looks = 0
        self.down = False

    def fetch(self) -> Mapping[str, Any]:
        self.looks += 1
        if self.down:
            raise TemporaryError("down")
        found: Mapping[str, Any] = self.published
        return found

    def clock(self) -> float:
        return self.time

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": V2,
            "aud": AUDIENCE,
            "exp": self.time + 3600,
            "nbf": self.time - 10,
            "iat": self.time - 10,
            "tid": TENANT,
            "oid": OID,
            "sub": "pairwise",
            "scp": "user_impersonation",
            "preferred_username": "ann@contoso.com",
            "roles": ["operator"],
        }
        return {name: value for name, value in {**claims, **changes}.items() if value is not None}

    def token(self, *, signed_by: str = "a", kid: str | None = "a", alg: str = "RS256", **changes: Any) -> str:
        headers = {"kid": kid} if kid is not None else {}
        return jwt.encode(self.claims(**changes), key(signed_by), algorithm=alg, headers=headers)


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()
