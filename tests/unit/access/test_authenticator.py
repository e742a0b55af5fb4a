"""Which way a request takes, and Easy Auth's header, which is believed only where it is switched on."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.access import easy_auth
from groundswell.access.authenticator import Authenticator
from groundswell.access.entra import EntraTokens
from groundswell.access.principal import Principal, Role, UnauthenticatedError
from groundswell.access.signing_keys import SigningKeys
from groundswell.access.tokens import TokenBook
from groundswell.settings import parse
from groundswell.store.sqlite import SqliteStore
from groundswell.wiring import App
from tests.unit.access.conftest import AUDIENCE, AUTHORITY, OID, TENANT, Tenant

LONG = "http://schemas.microsoft.com/identity/claims/"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"


@pytest.fixture
def book(tmp_path: Path, tenant: Tenant) -> Iterator[TokenBook]:
    store = SqliteStore(tmp_path / "store.db")
    yield TokenBook(store, tenant.clock)
    store.close()


def authenticator(book: TokenBook, tenant: Tenant | None, *, easy: bool = False) -> Authenticator:
    entra = None
    if tenant:
        keys = SigningKeys(tenant.fetch, tenant.clock)
        entra = EntraTokens(authority=AUTHORITY, tenant=TENANT, audiences=[AUDIENCE], keys=keys, clock=tenant.clock)
    return Authenticator(tokens=book, entra=entra, easy_auth=easy, tenant=TENANT if tenant else "")


def ask(of: Authenticator, **headers: str) -> Principal:
    return of.principal(lambda name: headers.get(name.replace("-", "_")))


def told(*claims: tuple[object, object], **changes: Any) -> str:
    document = {
        "auth_typ": "aad",
        "name_typ": "n",
        "role_typ": "roles",
        "claims": [{"typ": typ, "val": val} for typ, val in claims],
    }
    return base64.b64encode(json.dumps({**document, **changes}).encode()).decode()


GOOD = told(
    (f"{LONG}objectidentifier", OID),
    (f"{LONG}tenantid", TENANT),
    ("preferred_username", "ann@contoso.com"),
    ("roles", "operator"),
    (ROLE, "registrar:shop"),
)


def test_an_api_token(book: TokenBook, tenant: Tenant) -> None:
    _, text = book.create("ci", roles=[Role.READER], seconds=60, who="a", why="b")
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert ask(authenticator(book, tenant), Authorization=f"{scheme} {text}").name == "ci"


def test_an_access_token(book: TokenBook, tenant: Tenant) -> None:
    assert ask(authenticator(book, tenant), Authorization=f"Bearer {tenant.token()}").id == f"entra:{OID}"


@pytest.mark.parametrize("given", ["", "Basic YTpi", "Bearer", "Bearer ", "x"])
def test_nothing_of_use(book: TokenBook, tenant: Tenant, given: str) -> None:
    with pytest.raises(UnauthenticatedError, match="or an access token of Entra ID"):
        ask(authenticator(book, tenant), Authorization=given)


def test_without_a_tenant_no_access_token_is_taken(book: TokenBook, tenant: Tenant) -> None:
    with pytest.raises(UnauthenticatedError, match=r"give an API token \(`groundswell token create`\) as"):
        ask(authenticator(book, None), Authorization=f"Bearer {tenant.token()}")


def test_the_platforms_header_is_believed_only_where_it_is_switched_on(book: TokenBook, tenant: Tenant) -> None:
    with pytest.raises(UnauthenticatedError):
        ask(authenticator(book, tenant), X_MS_CLIENT_PRINCIPAL=GOOD)
    found = ask(authenticator(book, tenant, easy=True), X_MS_CLIENT_PRINCIPAL=GOOD)
    assert (found.id, found.name) == (f"entra:{OID}", "ann@contoso.com")
    assert (found.roles, found.teams) == ({Role.OPERATOR, Role.REGISTRAR}, {"shop"})
    assert ask(authenticator(book, None, easy=True), X_MS_CLIENT_PRINCIPAL=GOOD) == found


def test_a_wrong_token_is_not_passed_over_for_the_header(book: TokenBook, tenant: Tenant) -> None:
    for wrong in ("gs_x", "e30.e30.e30"):
        with pytest.raises(UnauthenticatedError):
            ask(
                authenticator(book, tenant, easy=True),
                Authorization=f"Bearer {wrong}",
                X_MS_CLIENT_PRINCIPAL=GOOD,
            )


def test_where_the_platform_looks_at_access_tokens_we_need_not(book: TokenBook, tenant: Tenant) -> None:
    of = authenticator(book, None, easy=True)
    found = ask(of, Authorization=f"Bearer {tenant.token()}", X_MS_CLIENT_PRINCIPAL=GOOD)
    assert found.id == f"entra:{OID}"


@pytest.mark.parametrize(
    "header",
    [
        "x",
        "ü",
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"7").decode(),
        base64.b64encode(b"\xff").decode(),
        base64.b64encode(b"[" * 100_000).decode(),
        told(claims=7),
        told(claims=[7]),
        told(claims=[{"typ": "oid"}]),
        told(),
        told(("oid", 7), ("tid", TENANT)),
        told((7, OID), ("tid", TENANT)),
        told(("oid", OID)),
        told(("oid", OID), ("tid", "other")),
        told(("oid", OID), ("tid", TENANT), auth_typ="google"),
        told(("oid", OID), ("tid", TENANT), auth_typ=None),
    ],
)
def test_headers_that_say_nothing_of_use(header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        easy_auth.principal(header, TENANT)


def test_it_is_wired_from_the_settings() -> None:
    values = {"GROUNDSWELL_STORE": "sqlite:///unused.db"}
    app = App(parse(values))
    vars(app)["store"] = object()
    assert (app.authenticator.entra, app.authenticator.easy_auth) == (None, False)
    more = {"GROUNDSWELL_ENTRA_TENANT": TENANT.upper(), "GROUNDSWELL_ENTRA_AUDIENCE": "a, b"}
    app = App(parse({**values, **more, "GROUNDSWELL_EASY_AUTH": "yes", "GROUNDSWELL_API_RATE": "2"}))
    vars(app)["store"] = object()
    assert app.authenticator.entra is not None
    assert (app.authenticator.easy_auth, app.authenticator.tenant) == (True, TENANT)
    assert app.settings.entra_audiences == ("a", "b")
    assert [app.buckets.take("x") == 0 for _ in range(11)] == [True] * 10 + [False]
