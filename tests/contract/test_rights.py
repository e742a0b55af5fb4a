"""What may be done, found out without doing it: of the registry look-alike, and of one that grants less."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers
from groundswell.registry.dates import date_of
from groundswell.registry.login import DockerLogin
from groundswell.registry.rights import AcrRights
from tests.support import acr as support
from tests.support.acr import Acr, Credential, everybody

ACTIONS = ("pull", "push", "metadata_read", "delete")


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    with support.running(tmp_path_factory.mktemp("acr")) as running:
        yield running


@pytest.fixture
def trusted(acr: Acr, monkeypatch: pytest.MonkeyPatch) -> Acr:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(acr.certificates.ca))
    return acr


def test_who_may_do_all_misses_nothing(trusted: Acr) -> None:
    rights = AcrRights(DockerLogin(Credential(trusted.identity), everybody))
    assert rights.missing(trusted.registry.login_server, "shop/web", ACTIONS) == ()


def test_a_stranger_is_refused(trusted: Acr) -> None:
    rights = AcrRights(DockerLogin(Credential(None), everybody))
    with pytest.raises(PermanentError, match="AcrPull"):
        rights.missing(trusted.registry.login_server, "shop/web", ACTIONS)


def test_what_time_it_is_there(trusted: Acr) -> None:
    assert abs(date_of(f"https://{trusted.registry.login_server}/v2/") - time.time()) < 60


def test_who_is_not_there_says_no_time() -> None:
    with pytest.raises(TemporaryError, match="does not answer"):
        date_of("https://127.0.0.1:9/")


class Stingy:
    """Grants less than is asked for, each time in another way."""

    def __init__(self) -> None:
        self.way = "less"

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/oauth2/token", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        scope = str((await request.post())["scope"])
        _, repository, action = scope.split(":")
        if self.way == "refused" and action == "push":
            return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
        if self.way == "busy":
            return web.json_response({}, status=503)
        if self.way == "garbled":
            return web.json_response({"access_token": "x.!.y"})
        granted = [] if action == "push" else [action]
        access = [{"type": "repository", "name": repository, "actions": granted}]
        payload = base64.urlsafe_b64encode(json.dumps({"access": access}).encode()).decode().rstrip("=")
        return web.json_response({"access_token": f"x.{payload}.y"})


@pytest.fixture(scope="module")
def stingy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stingy, str, Path]]:
    files, server = certificates(tmp_path_factory.mktemp("certs")), Stingy()
    with Servers(files) as servers:
        yield server, f"localhost:{servers.serve(server.app)}", files.ca


@pytest.mark.parametrize("way", ["less", "refused", "busy", "garbled"])
def test_who_may_less(stingy: tuple[Stingy, str, Path], monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    server, host, ca = stingy
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca))
    server.way = way
    rights = AcrRights(lambda _: ("user", "planted-refresh-token"))
    if way in ("less", "refused"):
        assert rights.missing(host, "shop/web", ACTIONS) == ("push",)
        return
    with pytest.raises(TemporaryError) as raised:
        rights.missing(host, "shop/web", ACTIONS)
    assert "planted" not in str(raised.value)
