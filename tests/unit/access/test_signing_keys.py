"""Signing keys: fetched when needed, rotated, and never oftener than allowed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from groundswell.access.signing_keys import AGE, PAUSE, SigningKeys, fetcher
from groundswell.errors import TemporaryError
from tests.unit.access.conftest import Tenant, jwk


@pytest.fixture
def keys(tenant: Tenant) -> SigningKeys:
    return SigningKeys(tenant.fetch, tenant.clock)


def test_they_are_kept(tenant: Tenant, keys: SigningKeys) -> None:
    assert tenant.looks == 0
    assert all(keys.key("a") for _ in range(5))
    assert tenant.looks == 1


def test_a_new_key_is_looked_for(tenant: Tenant, keys: SigningKeys) -> None:
    assert keys.key("a")
    tenant.published = {"keys": [jwk("a"), jwk("b")]}
    tenant.time += PAUSE
    assert keys.key("b")
    assert tenant.looks == 2


def test_strangers_cannot_make_us_look_often(tenant: Tenant, keys: SigningKeys) -> None:
    assert [keys.key(f"x{n}") for n in range(100)] == [None] * 100
    assert tenant.looks == 1
    tenant.time += PAUSE
    assert keys.key("x") is None
    assert tenant.looks == 2


def test_a_withdrawn_key_goes(tenant: Tenant, keys: SigningKeys) -> None:
    assert keys.key("a")
    tenant.published = {"keys": [jwk("b")]}
    tenant.time += AGE
    assert keys.key("a") is None
    assert keys.key("b")


def test_while_they_cannot_be_read_those_we_have_serve_on(tenant: Tenant, keys: SigningKeys) -> None:
    assert keys.key("a")
    tenant.down = True
    tenant.time += AGE
    assert all(keys.key("a") for _ in range(5))
    assert tenant.looks == 2


def test_a_new_key_that_could_not_be_looked_for_is_no_wrong_one(tenant: Tenant, keys: SigningKeys) -> None:
    """It may have been rotated: who signs with it is asked to come again, and not told that he is nobody."""
    assert keys.key("a")
    tenant.published = {"keys": [jwk("a"), jwk("b")]}
    tenant.down = True
    tenant.time += PAUSE
    for _ in range(2):
        with pytest.raises(TemporaryError):
            keys.key("b")
    assert keys.key("a")
    tenant.down = False
    tenant.time += PAUSE
    assert keys.key("b")
    assert keys.key("c") is None


@pytest.mark.parametrize(
    "published", [{}, [], None, {"keys": 7}, {"keys": [7]}, {"keys": [{"kty": "RSA", "kid": "a"}]}, {"keys": None}]
)
def test_without_any_nobody_is_judged(tenant: Tenant, keys: SigningKeys, published: Any) -> None:
    tenant.published = published
    for _ in range(3):
        with pytest.raises(TemporaryError, match="cannot be read now"):
            keys.key("a")
    assert tenant.looks == 1
    tenant.published = {"keys": [jwk("a")]}
    tenant.time += PAUSE
    assert keys.key("a")


def test_keys_for_something_else_are_not_taken(tenant: Tenant, keys: SigningKeys) -> None:
    tenant.published = {"keys": [jwk("a", use="enc"), {"kty": "EC", "kid": "b"}, jwk("c")]}
    assert (keys.key("a"), keys.key("b")) == (None, None)
    assert keys.key("c")


@contextmanager
def served(status: int, body: bytes, **headers: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/keys"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_they_are_read_over_http(tenant: Tenant) -> None:
    with served(200, json.dumps(tenant.published).encode()) as url:
        assert SigningKeys(fetcher(url), tenant.clock).key("a")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "HTTP 500"),
        (302, b"", "HTTP 302"),
        (200, b"<html>", "JSONDecodeError"),
        (200, b" " * (1024 * 1024 + 1), "too large"),
    ],
)
def test_what_a_server_may_answer_instead(status: int, body: bytes, why: str) -> None:
    with served(status, body, Location="https://example.com/") as url, pytest.raises(TemporaryError, match=why):
        fetcher(url)()


def test_a_server_that_is_not_there() -> None:
    with served(200, b"") as url:
        pass
    with pytest.raises(TemporaryError, match="Connection refused"):
        fetcher(url)()
