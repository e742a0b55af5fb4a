"""The one request that both pipelines are asked by, against servers that answer badly."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from groundswell.build import rest
from groundswell.build.rest import MAX_BYTES, Rest
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers

pytestmark = pytest.mark.stack


def app() -> web.Application:
    seen: list[str] = []

    async def big(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (MAX_BYTES + 1))

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    async def away(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/here"})

    async def here(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response(seen)

    async def refuse(request: web.Request) -> web.Response:
        headers = {"Retry-After": request.query.get("after", "")}
        return web.json_response(
            {"message": " the\nreason " * 100}, status=int(request.query["status"]), headers=headers
        )

    async def jenkins(_: web.Request) -> web.Response:
        return web.Response(status=409, headers={"X-Error": "build is not buildable!"}, text="<html>")

    made = web.Application()
    made.router.add_get("/served/big", big)
    made.router.add_get("/served/slow", slow)
    made.router.add_get("/served/away", away)
    made.router.add_get("/here", here)
    made.router.add_get("/served/refuse", refuse)
    made.router.add_get("/served/jenkins", jenkins)
    return made


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Rest]:
    with Servers(certificates(tmp_path)) as servers:
        url = f"http://127.0.0.1:{servers.serve(app, tls=False)}/served/"
        made = Rest(url, lambda: "Basic c2VjcmV0", service="The server", remedy="mend it")
        yield made
        made.close()


def test_an_answer_without_end_is_given_up(client: Rest, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermanentError, match=f"looking: The server answered with more than {MAX_BYTES} bytes"):
        client.send("GET", "big", subject="looking")
    assert len(client.send("GET", "big", subject="looking", cut=10).body) == 10
    monkeypatch.setattr(rest, "_WHOLE_SECONDS", 0.2)
    with pytest.raises(TemporaryError, match=r"looking: The server took more than 0\.2 s"):
        client.send("GET", "slow", subject="looking")


def test_a_redirect_is_not_followed(client: Rest) -> None:
    with pytest.raises(PermanentError, match="looking: The server answered 302; mend it"):
        client.send("GET", "away", subject="looking")


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (400, PermanentError, "400 the reason the"),
        (401, PermanentError, "mend it"),
        (403, PermanentError, "mend it"),
        (404, NotFoundError, "404 the reason"),
        (408, TemporaryError, "408"),
        (429, TemporaryError, "429"),
        (500, TemporaryError, "500"),
    ],
)
def test_what_a_status_means(client: Rest, status: int, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        client.json("GET", "refuse", subject="looking", params={"status": str(status)})
    assert type(caught.value) is kind
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("after", "delay"),
    [("17", 17.0), ("0", 1.0), ("99999", 600.0), ("Wed, 25 Nov 2026 10:00:00 GMT", 5.0), ("", 5.0)],
)
def test_the_delay_that_is_asked_for(client: Rest, after: str, delay: float) -> None:
    with pytest.raises(TemporaryError) as caught:
        client.json("GET", "refuse", subject="looking", params={"status": "429", "after": after})
    assert caught.value.delay == delay


def test_what_jenkins_says_stands_in_a_header(client: Rest) -> None:
    with pytest.raises(PermanentError, match="answered 409 build is not buildable!"):
        client.json("GET", "jenkins", subject="looking")


def test_nobody_answers() -> None:
    nobody = Rest("http://127.0.0.1:9", lambda: "Basic c2VjcmV0", service="The server", remedy="mend it")
    with pytest.raises(TemporaryError, match=r"looking: The server did not answer \(.*refused") as caught:
        nobody.send("GET", "x", subject="looking")
    assert caught.value.delay == 15.0
    assert "c2VjcmV0" not in str(caught.value)
    nobody.close()
