"""A receiver of notices on loopback: an https server that remembers what came, and answers as it is told.

It checks signatures by its own code, as a receiver would: nothing of the product is used for that.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from groundswell.local.certs import certificates
from groundswell.local.serve import Servers


@dataclass(frozen=True, kw_only=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def signed_with(self, secret: str, *, now: float) -> bool:
        """Whether one of the signatures is of this secret, and not older than five minutes."""
        stamp, ident = self.headers["webhook-timestamp"], self.headers["webhook-id"]
        if abs(now - int(stamp)) > 300:
            return False
        key = base64.b64decode(secret.split("_", 1)[1])
        digest = hmac.digest(key, f"{ident}.{stamp}.".encode() + self.body, hashlib.sha256)
        wanted = base64.b64encode(digest).decode()
        given = [each.split(",") for each in self.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(each, wanted) for version, each in given)


@dataclass
class Receiver:
    port: int = 0
    got: list[Received] = field(default_factory=list)
    answers: dict[str, web.Response] = field(default_factory=dict)
    """By path; 202 where nothing is said. An answer of status 599 never comes."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/hook") -> str:
        return f"https://localhost:{self.port}{path}"

    def answer(self, status: int, path: str = "/hook", text: str = "", **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = web.Response(status=status, text=text, headers=told)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Received(path=request.path, headers=headers, body=await request.read()))
        told = self.answers.get(request.path)
        if told is None:
            return web.Response(status=202)
        if told.status == 599:
            await self.over.wait()
        return web.Response(status=told.status, text=told.text, headers=dict(told.headers))

    async def end(self, _: web.Application) -> None:
        self.over.set()

    def application(self) -> web.Application:
        made = web.Application()
        made.on_shutdown.append(self.end)
        made.router.add_route("*", "/{path:.*}", self.handle)
        return made


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """A receiver whose certificate this process trusts while the block lasts."""
    files, receiver = certificates(folder / "certs"), Receiver()
    with Servers(files) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))
        receiver.port = servers.serve(receiver.application)
        yield receiver
