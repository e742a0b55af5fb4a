"""Who is signed in, for how long, and what a form must carry."""

import base64
import json
from dataclasses import replace

import pytest

from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.access.sessions import LIFETIME
from tests.support.pages import ORIGIN, Browser
from tests.support.world import World

COOKIE = "__Host-groundswell"
PAGES = ["/ui", "/ui/", "/ui/audit", "/ui/cascades/0abc"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_leads_whoever_is_not_known_to_the_sign_in_and_back(browser: Browser, page: str) -> None:
    answer = browser.get(f"{page}?who=ann")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/ui/sign-in?next=%2Fui")
    form = browser.get(answer.headers["location"])
    assert f'name="next" value="{page}?who=ann"' in form.text


def test_signing_in_makes_a_guarded_cookie_that_opens_the_pages(browser: Browser) -> None:
    before = dict(browser.cookies)
    answer = browser.sign_in(Role.READER, back="/ui/audit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/audit")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {part.strip().lower() for part in cookie.split(";")[1:]} == {
        "httponly",
        "secure",
        "samesite=lax",
        "path=/",
        f"max-age={LIFETIME:.0f}",
    }
    assert browser.cookies != before
    assert browser.token not in cookie
    assert browser.get("/ui/audit").status_code == 200


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example/ui/",
        "/ui//evil.example/",
        "/ui\\evil.example",
        "/ui/\r\nSet-Cookie: a=b",
        "/uiless",
        "/ui/sign-in",
        "/ui/../.auth/login/aad?post_login_redirect_uri=https://evil.example/",
        "/ui/%2E%2e/api/v1/tokens",
        "/ui/lineage/.%2e/%2e./.auth/logout",
        "/ui/..",
    ],
)
def test_signing_in_leads_to_a_page_of_ours_and_nowhere_else(browser: Browser, back: str) -> None:
    assert browser.sign_in(Role.READER, back=back).headers["location"] == "/ui/"
    browser.sign_in(Role.READER)
    poll = {"HX-Request": "true", "HX-Current-URL": f"https://groundswell{back}", "Cookie": ""}
    shown = browser.get("/ui/audit", headers={name: text.replace("\r\n", " ") for name, text in poll.items()})
    assert shown.headers["HX-Redirect"] == "/ui/sign-in"


def test_the_secret_changes_when_one_signs_in(browser: Browser) -> None:
    browser.get("/ui/sign-in")
    planted = browser.cookies[COOKIE]
    browser.sign_in(Role.READER)
    assert browser.cookies[COOKIE] != planted
    assert browser.get("/ui/", headers={"Cookie": f"{COOKIE}={planted}"}).status_code == 303


LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
"""What a browser says when a link in a chat or a mail is followed."""


def test_a_link_of_another_site_opens_the_page_for_who_is_signed_in(reader: Browser) -> None:
    before = dict(reader.cookies)
    answer = reader.get("/ui/audit", headers=LINK)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)
    assert reader.get("/ui/sign-in", headers=LINK).headers.get("set-cookie") is None
    assert reader.cookies == before


@pytest.mark.parametrize(
    ("said", "given"),
    [
        (LINK, True),
        ({**LINK, "Sec-Fetch-Site": "same-site"}, True),
        ({}, True),
        ({**LINK, "Sec-Fetch-Dest": "iframe"}, False),
        ({**LINK, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, False),
        ({**LINK, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, False),
    ],
)
def test_where_a_browser_keeps_its_cookie_back_none_takes_its_place(
    browser: Browser, said: dict[str, str], given: bool
) -> None:
    answer = browser.get("/ui/sign-in", headers=said)
    assert (answer.status_code, "set-cookie" in answer.headers) == (200, given)


@pytest.mark.parametrize("other", ['a="', "a[b]=1", '{"a": 1}', "nothing", "=", "a b=c d", f"x{COOKIE}=1"])
def test_a_strange_cookie_of_another_app_does_not_hide_the_session(reader: Browser, other: str) -> None:
    ours = f"{COOKIE}={reader.cookies[COOKIE]}"
    for jar in (f"{other}; {ours}", f"{ours}; {other}"):
        assert reader.get("/ui/audit", headers={"Cookie": jar}).status_code == 200
        assert "set-cookie" not in reader.get("/ui/sign-in", headers={"Cookie": jar}).headers


@pytest.mark.parametrize("token", ["", "nonsense", "gs_0123456789ab_" + "a" * 43])
def test_a_wrong_token_is_told_and_opens_nothing(browser: Browser, token: str) -> None:
    browser.get("/ui/sign-in")
    answer = browser.send("/ui/sign-in", token=token)
    assert answer.status_code == 401
    assert "there is no such API token" in answer.text
    assert not token or token not in answer.text
    assert browser.get("/ui/").status_code == 303


def test_a_session_ends_after_eight_hours_however_it_is_used(reader: Browser, world: World) -> None:
    world.time += LIFETIME - 1
    assert reader.get("/ui/").status_code == 200
    world.time += 1
    assert reader.get("/ui/").status_code == 303
    assert world.app.sessions.forget() == 1
    assert world.app.sessions.forget() == 0


def test_a_session_ends_with_its_token(reader: Browser, world: World) -> None:
    (token,) = world.app.tokens.each()
    world.app.tokens.revoke(token.id, who="test", why="leaked")
    assert reader.get("/ui/").status_code == 303


def test_signing_out_ends_the_session_for_copies_of_the_cookie_too(reader: Browser) -> None:
    reader.get("/ui/")
    copy = dict(reader.cookies)
    answer = reader.send("/ui/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/sign-in")
    assert reader.cookies == {}
    reader.cookies = copy
    assert reader.get("/ui/").status_code == 303


def test_the_store_holds_no_secret_of_a_session(reader: Browser, world: World) -> None:
    rows = list(world.app.store.scan("sessions", "sessions"))
    assert len(rows) == 1
    assert reader.cookies[COOKIE] not in json.dumps([dict(rows[0].value), rows[0].row])


@pytest.mark.parametrize(
    ("headers", "csrf"),
    [
        ({}, "0" * 64),
        ({}, ""),
        ({}, "é"),
        ({"Origin": "https://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({"Origin": "http://[evil"}, None),
        ({"Origin": "http://groundswell.evil.example"}, None),
        ({"Origin": "", "Sec-Fetch-Site": "cross-site"}, None),
        ({"Sec-Fetch-Site": "same-site"}, None),
        ({"Sec-Fetch-Site": "none"}, None),
        ({"Origin": ""}, None),
        ({"Cookie": "a=b"}, None),
        ({"Cookie": f"{COOKIE}={'a' * 43}"}, None),
    ],
)
def test_a_form_of_somebody_else_is_refused(browser: Browser, headers: dict[str, str], csrf: str | None) -> None:
    browser.get("/ui/sign-in")
    fields = {} if csrf is None else {"csrf": csrf}
    answer = browser.send("/ui/sign-in", headers=headers, token="x", **fields)
    assert answer.status_code == 403
    assert "load the page again" in answer.text


@pytest.mark.parametrize("headers", [{}, {"Origin": "", "Sec-Fetch-Site": "same-origin"}, {"Origin": ORIGIN}])
def test_a_form_of_ours_is_taken(reader: Browser, headers: dict[str, str]) -> None:
    reader.get("/ui/")
    assert reader.send("/ui/sign-out", headers=headers).status_code == 303


def test_htmx_may_send_the_token_in_a_header(reader: Browser) -> None:
    reader.get("/ui/")
    assert reader.send("/ui/sign-out", headers={"X-CSRF-Token": "0" * 64}).status_code == 403
    assert reader.send("/ui/sign-out", headers={"X-CSRF-Token": reader.csrf}, csrf="").status_code == 303


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 422),
        (b"token=%ff", "application/x-www-form-urlencoded", 422),
        (b"token=\xff", "application/x-www-form-urlencoded", 422),
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 422),
        (b"a" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_what_is_no_form_is_told(browser: Browser, content: bytes, kind: str, status: int) -> None:
    answer = browser.post("/ui/sign-in", content=content, headers={"Content-Type": kind, "Origin": ORIGIN})
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_a_poll_of_a_session_that_is_over_leads_to_the_sign_in(browser: Browser) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://app.example.net/ui/audit?who=ann"}
    answer = browser.get("/ui/audit?who=ann", headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["HX-Redirect"] == "/ui/sign-in?next=%2Fui%2Faudit%3Fwho%3Dann"


def test_who_asks_too_often_is_told_to_wait(reader: Browser, world: World) -> None:
    vars(world.app)["buckets"] = Buckets(rate=0.1, burst=1, clock=lambda: world.time)
    assert reader.get("/ui/").status_code == 200
    answer = reader.get("/ui/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    assert "Wait a little" in answer.text


def easy_auth(*roles: str) -> dict[str, str]:
    claims = [{"typ": "oid", "val": "1"}, {"typ": "preferred_username", "val": "ann@contoso.com"}]
    claims += [{"typ": "roles", "val": role} for role in roles]
    told = {"auth_typ": "aad", "role_typ": "roles", "claims": claims}
    return {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(told).encode()).decode()}


def test_the_platforms_header_is_believed_only_where_the_setting_says_so(browser: Browser, world: World) -> None:
    assert browser.get("/ui/", headers=easy_auth("reader")).status_code == 303
    world.app.settings = replace(world.app.settings, easy_auth=True)
    page = browser.get("/ui/", headers=easy_auth("reader"))
    assert (page.status_code, "ann@contoso.com" in page.text) == (200, True)
    assert browser.get("/ui/", headers=easy_auth()).status_code == 403
    out = browser.send("/ui/sign-out", headers=easy_auth("reader"))
    assert (out.status_code, out.headers["location"]) == (303, "/.auth/logout")
    assert "/.auth/login/aad" in browser.get("/ui/sign-in").text
