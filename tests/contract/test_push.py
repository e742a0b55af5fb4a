"""Pushing an image: to a real registry with a password, and to one that asks for a token as ACR does."""

from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.oci import make_image
from groundswell.local.push import Login, push
from groundswell.local.serve import Servers
from tests.support.layers import layer
from tests.support.login_registry import login_registry

IMAGE = make_image([layer({"a": "1"}), layer({"b": "2"})], config={"Cmd": ["sh"]})


@pytest.mark.stack
def test_a_real_registry_takes_it_and_taking_it_twice_is_harmless(tmp_path: Path) -> None:
    with login_registry(tmp_path) as login:
        assert push(IMAGE, login, "tests/image", "1") == IMAGE.digest
        assert push(IMAGE, login, "tests/image", "1") == IMAGE.digest
        with pytest.raises(PermanentError, match="answered 401"):
            push(IMAGE, replace(login, password="wrong"), "tests/image", "1")
    with pytest.raises(TemporaryError, match="does not answer"):
        push(IMAGE, login, "tests/image", "1")


class TokenRegistry:
    """Stores blobs and manifests by path; wants a bearer token that its own endpoint gives for a password."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.tokens = 0
        self.fails = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/token", self.token)
        app.router.add_route("*", "/v2/{path:.*}", self.content)
        return app

    async def token(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != encode_basic_auth("tester", "look-alike"):
            return web.json_response({}, status=401)
        assert request.query["scope"] == "repository:tests/image:pull,push"
        assert request.query["service"] == "look-alike"
        self.tokens += 1
        return web.json_response({"access_token": "good"})

    async def content(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer good":
            challenge = (
                f'Bearer realm="https://{request.host}/token",service="look-alike",scope="repository:x:pull"'
            )
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.fails:
            return web.Response(status=self.fails)
        if request.method == "HEAD":
            return web.Response(status=200 if request.path in self.stored else 404)
        if request.method == "POST":
            return web.Response(status=202, headers={"Location": "/v2/tests/image/blobs/uploads/7?_state=x"})
        name = request.path
        if digest := request.query.get("digest"):
            assert request.query["_state"] == "x"
            name = f"/v2/tests/image/blobs/{digest}"
        self.stored[name] = await request.read()
        return web.Response(status=201)


def test_a_registry_that_wants_a_token(tmp_path: Path) -> None:
    files = certificates(tmp_path)
    registry = TokenRegistry()
    with Servers(files) as servers:
        host = f"localhost:{servers.serve(registry.app)}"
        login = Login(registry=host, user="tester", password="look-alike", ca=files.ca)
        push(IMAGE, login, "tests/image", "1")
        assert registry.stored == {
            **{f"/v2/tests/image/blobs/{digest}": blob for digest, blob in IMAGE.blobs.items()},
            "/v2/tests/image/manifests/1": IMAGE.manifest,
        }
        assert registry.tokens == 1
        with pytest.raises(PermanentError, match="answered 401 to login") as caught:
            push(IMAGE, replace(login, password="wrong"), "tests/image", "1")
        assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(403, PermanentError), (429, TemporaryError), (503, TemporaryError)])
def test_refusals(tmp_path: Path, status: int, error: type[Exception]) -> None:
    files = certificates(tmp_path)
    registry = TokenRegistry()
    registry.fails = status
    with Servers(files) as servers:
        host = f"localhost:{servers.serve(registry.app)}"
        login = Login(registry=host, user="tester", password="look-alike", ca=files.ca)
        with pytest.raises(error, match=f"answered {status}"):
            push(IMAGE, login, "tests/image", "1")
