"""The dashboard as the Function app mounts it, through the adapter of azure-functions."""

import asyncio
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest

from functions import http
from groundswell.access.principal import Role
from tests.support.pages import Browser
from tests.support.world import World


@pytest.fixture
def mounted(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(http, "app", lambda: world.app)
    http._pages.cache_clear()
    yield world
    http._pages.cache_clear()


def ask(path: str, headers: dict[str, str]) -> func.HttpResponse:
    request = func.HttpRequest(method="GET", url=f"https://app.example.net{path}", headers=headers, body=b"")
    context: Any = None
    function: Any = http.dashboard
    answer: func.HttpResponse = asyncio.run(function._function.get_user_function()(request, context))
    return answer


def test_a_page_comes_through_whole(mounted: World, reader: Browser) -> None:
    cookie = "; ".join(f"{name}={value}" for name, value in reader.cookies.items())
    answer = ask("/ui/", {"Cookie": cookie})
    assert (answer.status_code, answer.mimetype) == (200, "text/html; charset=utf-8")
    assert b"Nothing is under way" in answer.get_body()
    form = ask("/ui/sign-in", {})
    assert form.headers["Set-Cookie"].startswith("__Host-groundswell=")
    assert ask("/ui/%ff", {"Cookie": cookie}).status_code in (400, 404)


@pytest.mark.parametrize(
    ("address", "name", "secure"),
    [
        ("https://app.example.net/ui/sign-in", "__Host-groundswell", True),
        ("http://app.example.net/ui/sign-in", "__Host-groundswell", True),
        ("http://127.0.0.1:7071/ui/sign-in", "groundswell", False),
        ("http://localhost:7071/ui/sign-in", "groundswell", False),
    ],
)
def test_only_on_loopback_a_cookie_goes_over_plain_http(
    mounted: World, address: str, name: str, secure: bool
) -> None:
    host = address.split("/")[2]
    request = func.HttpRequest(method="GET", url=address, headers={"Host": host}, body=b"")
    context: Any = None
    function: Any = http.dashboard
    answer = asyncio.run(function._function.get_user_function()(request, context))
    cookie = answer.headers["Set-Cookie"]
    assert (cookie.partition("=")[0], "; Secure" in cookie) == (name, secure)


def test_roles_of_the_mounted_pages_are_looked_at(mounted: World, browser: Browser) -> None:
    browser.sign_in(Role.OPERATOR)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert ask("/ui/audit", {"Cookie": cookie}).status_code == 200
