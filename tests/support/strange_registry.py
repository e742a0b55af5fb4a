"""A registry of somebody else for tests, over TLS: it keeps one image, and misbehaves as it is told."""

import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from groundswell.local.certs import certificates
from groundswell.local.serve import Servers
from groundswell.registry.external import ExternalRegistry
from groundswell.settings import ExternalRegistry as Login
from tests.support import oci

type Answer = web.StreamResponse | None


@dataclass
class Stranger:
    """`hook` answers instead of the registry where it returns something; `asked` holds every request."""

    content: oci.Content = field(default_factory=lambda: oci.image(b"base", b"own"))
    hook: Callable[[web.Request], Awaitable[Answer]] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    etags: bool = False
    tells_digest: bool = True
    token: str = ""
    token_seconds: int | None = 300
    realm: str = ""
    port: int = 0
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def methods(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.asked]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        with self.lock:
            self.asked.append((request.method, request.path_qs, request.headers.get("Authorization", "")))
        if self.hook is not None and (answer := await self.hook(request)) is not None:
            return answer
        if request.path == "/token":
            seconds = {} if self.token_seconds is None else {"expires_in": self.token_seconds}
            return web.json_response({"token": self.token, **seconds})
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            realm = self.realm or f"https://{self.host}/token"
            challenge = f'Bearer realm="{realm}",service=here,scope="repository:a:pull,push"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return self._serve(request)

    def _serve(self, request: web.Request) -> web.Response:
        kind, _, name = request.path.rpartition("/")
        everything = {self.content.digest: self.content, "1": self.content}
        everything |= {child.digest: child for child in self.content.children}
        if kind.endswith("/blobs"):
            owners = (self.content, *self.content.children)
            blobs = {oci.digest_of(blob): blob for owner in owners for blob in owner.blobs}
            return web.Response(body=blobs[name]) if name in blobs else web.Response(status=404)
        if name not in everything:
            return web.Response(status=404, text=json.dumps({"errors": []}))
        found = everything[name]
        headers = {"Content-Type": found.media_type, **self.headers}
        if self.tells_digest:
            headers.setdefault("Docker-Content-Digest", found.digest)
        if self.etags:
            headers["ETag"] = f'"{found.digest}"'
            if request.headers.get("If-None-Match") == headers["ETag"]:
                return web.Response(status=304, headers={"ETag": headers["ETag"]})
        return web.Response(body=found.manifest, headers=headers)


class Strangers:
    """Serves any number of them, and makes the adapter that may ask them."""

    def __init__(self, folder: Path) -> None:
        self.certificates = certificates(folder / "certs")
        self.servers = Servers(self.certificates)
        self._adapters: list[ExternalRegistry] = []

    def serve(self, stranger: Stranger) -> Stranger:
        def app() -> web.Application:
            made = web.Application()
            made.router.add_route("*", "/{rest:.*}", stranger.handle)
            return made

        stranger.port = self.servers.serve(app)
        return stranger

    def adapter(self, *strangers: Stranger, login: Login | None = None, **rest: object) -> ExternalRegistry:
        logins = {stranger.host: login or Login(private=True) for stranger in strangers}
        made = ExternalRegistry(logins, **rest)  # type: ignore[arg-type]  # a test's own mixture
        self._adapters.append(made)
        return made

    def close_adapters(self) -> None:
        while self._adapters:
            self._adapters.pop().close()
