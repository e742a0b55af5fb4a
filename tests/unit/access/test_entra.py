"""Access tokens of Entra ID: which are taken, and who they say is asking."""

import base64
import json
from typing import Any

import jwt
import pytest

from groundswell.access.entra import LEEWAY, EntraTokens
from groundswell.access.principal import Role, UnauthenticatedError
from groundswell.access.signing_keys import SigningKeys
from tests.unit.access.conftest import AUDIENCE, AUTHORITY, OID, TENANT, V1, Tenant, jwk, key


@pytest.fixture
def entra(tenant: Tenant) -> EntraTokens:
    keys = SigningKeys(tenant.fetch, tenant.clock)
    return EntraTokens(
        authority=AUTHORITY, tenant=TENANT, audiences=(AUDIENCE, "other"), keys=keys, clock=tenant.clock
    )


def test_a_person(tenant: Tenant, entra: EntraTokens) -> None:
    found = entra.principal(tenant.token())
    assert (found.id, found.name, found.who) == (
        f"entra:{OID}",
        "ann@contoso.com",
        f"ann@contoso.com (entra:{OID})",
    )
    assert (found.roles, found.teams) == ({Role.OPERATOR}, frozenset())


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": V1, "preferred_username": None, "upn": "ann@contoso.com"},
        {"aud": "other"},
        {"aud": ["x", AUDIENCE]},
        {"preferred_username": None, "unique_name": "ann@contoso.com"},
    ],
)
def test_both_versions_and_every_audience(tenant: Tenant, entra: EntraTokens, changes: dict[str, Any]) -> None:
    assert entra.principal(tenant.token(**changes)).name == "ann@contoso.com"


@pytest.mark.parametrize("changes", [{"idtyp": "app"}, {"sub": OID}])
def test_an_application(tenant: Tenant, entra: EntraTokens, changes: dict[str, Any]) -> None:
    of_app = {"scp": None, "preferred_username": None, "azp": "an-app", **changes}
    assert entra.principal(tenant.token(**of_app)).name == "an-app"


def test_a_name_is_not_needed(tenant: Tenant, entra: EntraTokens) -> None:
    assert entra.principal(tenant.token(preferred_username=7)).name == OID


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        (["registrar:shop", "x", 7], ({Role.REGISTRAR}, {"shop"})),
        (None, (frozenset(), frozenset())),
        ("admin", (frozenset(), frozenset())),
        ([], (frozenset(), frozenset())),
    ],
)
def test_roles(tenant: Tenant, entra: EntraTokens, roles: Any, found: Any) -> None:
    principal = entra.principal(tenant.token(roles=roles))
    assert (principal.roles, principal.teams) == found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/"}, "issued by somebody else"),
        ({"iss": f"{AUTHORITY}/{TENANT}/"}, "issued by somebody else"),
        ({"aud": "https://graph.microsoft.com"}, "another application"),
        ({"aud": None}, "a claim is missing"),
        ({"iss": None}, "a claim is missing"),
        ({"exp": None}, "a claim is missing"),
        ({"nbf": None}, "a claim is missing"),
        ({"oid": None}, "a claim is missing"),
        ({"oid": 7}, "names nobody"),
        ({"oid": ""}, "names nobody"),
        ({"tid": "00000000-0000-0000-0000-000000000000"}, "another tenant"),
        ({"scp": None}, "ID token"),
        ({"exp": 1.0}, "expired"),
        ({"exp": "soon"}, "exp is no time"),
        ({"exp": True}, "exp is no time"),
        ({"nbf": 4e9, "exp": 5e9}, "not valid yet"),
        ({"signed_by": "b"}, "signature is wrong"),
        ({"kid": "b", "signed_by": "b"}, "a key that is not the tenant's"),
        ({"kid": None}, "a key that is not the tenant's"),
        ({"alg": "RS512"}, "a key that is not the tenant's"),
        ({"alg": "PS256"}, "a key that is not the tenant's"),
        ({"roles": ["x" * 20_000]}, "too long"),
    ],
)
def test_what_is_not_taken(tenant: Tenant, entra: EntraTokens, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(UnauthenticatedError, match=why):
        entra.principal(tenant.token(**changes))


def test_clocks_may_differ_a_little(tenant: Tenant, entra: EntraTokens) -> None:
    token = tenant.token()
    tenant.time += 3600 + LEEWAY - 1
    assert entra.principal(token)
    tenant.time += 1
    with pytest.raises(UnauthenticatedError, match="expired"):
        entra.principal(token)
    tenant.time -= 3700 + LEEWAY
    assert entra.principal(tenant.token(nbf=tenant.time + LEEWAY))
    with pytest.raises(UnauthenticatedError, match="not valid yet"):
        entra.principal(tenant.token(nbf=tenant.time + LEEWAY + 1))


def test_who_signs_nothing_and_who_signs_with_what_is_public(tenant: Tenant, entra: EntraTokens) -> None:
    claims = tenant.claims()
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "a"})
    by_modulus = jwt.encode(claims, jwk("a")["n"], algorithm="HS256", headers={"kid": "a"})
    renamed = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "a", "typ": "JWT"}).encode()).rstrip(b"=")
    for token in (unsigned, by_modulus, f"{renamed.decode()}.{by_modulus.split('.', 1)[1]}"):
        with pytest.raises(UnauthenticatedError):
            entra.principal(token)


DEEP = base64.urlsafe_b64encode(b"[" * 12_000).decode() + ".."


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "e30.e30.e30", "\udcff", "ü.ü.ü", "..", "eyJhbGciOiJSUzI1NiJ9..", DEEP]
)
def test_what_is_no_token(entra: EntraTokens, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        entra.principal(token)


def test_a_key_in_the_token_is_not_believed(tenant: Tenant, entra: EntraTokens) -> None:
    headers = {"kid": "a", "jwk": jwk("b"), "jku": "https://evil.example.com/keys"}
    token = jwt.encode(tenant.claims(), key("b"), algorithm="RS256", headers=headers)
    with pytest.raises(UnauthenticatedError, match="signature is wrong"):
        entra.principal(token)
