"""The blobs beside the ARM surface: logs to read and sources to upload, by signed links that expire.

They act as Azure's do where a client can tell: an expired link is 403, a log is read with Range while it grows, an
upload must say `x-ms-blob-type: BlockBlob`.
"""

import hashlib
import hmac
import secrets
import time
from pathlib import Path

from aiohttp import web

from groundswell.local.tasks.download import save
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.model import Limits
from groundswell.local.tasks.runner import Runner

_READ, _WRITE = "r", "cw"


class Blobs:
    """Makes links and serves what they lead to."""

    def __init__(self, runner: Runner, limits: Limits) -> None:
        self._runner = runner
        self._limits = limits
        self._key = secrets.token_bytes(32)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/logs/{run_id:[a-z0-9]+}/rawtext.log", self._read_log)
        app.router.add_put("/source/{name:[0-9a-f]{32}[.]tar[.]gz}", self._upload)

    def log_link(self, origin: str, run_id: str) -> str:
        return self._link(origin, f"/logs/{run_id}/rawtext.log", _READ)

    def upload_link(self, origin: str) -> tuple[str, str]:
        """A link to PUT a tarball to, and the path that a request then names as its source."""
        path = f"source/{secrets.token_hex(16)}.tar.gz"
        return self._link(origin, f"/{path}", _WRITE), path

    def _link(self, origin: str, path: str, permission: str) -> str:
        expiry = str(int(time.time()) + self._limits.link_seconds)
        return f"{origin}{path}?sp={permission}&se={expiry}&sig={self._sign(path, permission, expiry)}"

    def _sign(self, path: str, permission: str, expiry: str) -> str:
        return hmac.new(self._key, f"{path}\n{permission}\n{expiry}".encode(), hashlib.sha256).hexdigest()

    def _refused(self, request: web.Request, permission: str) -> web.Response | None:
        """The refusal, when the link of this request does not allow it."""
        expiry = request.query.get("se", "")
        expected = self._sign(request.path, permission, expiry)
        if not hmac.compare_digest(request.query.get("sig", "").encode(), expected.encode()):
            return _refusal(403, "AuthenticationFailed", "Signature did not match")
        if int(expiry) <= time.time():
            return _refusal(403, "AuthenticationFailed", "Signature not valid in the specified time frame")
        return None

    async def _read_log(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refused(request, _READ):
            return refused
        path = self._runner.log_path(request.match_info["run_id"])
        if not path.is_file():
            return _refusal(404, "BlobNotFound", "The specified blob does not exist.")
        return web.FileResponse(path, headers={"Content-Type": "text/plain; charset=utf-8"})

    async def _upload(self, request: web.Request) -> web.Response:
        if refused := self._refused(request, _WRITE):
            return refused
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            return _refusal(400, "MissingRequiredHeader", "x-ms-blob-type is missing")
        part = self._runner.uploads / f"{secrets.token_hex(8)}.part"
        try:
            await save(request.content, part, limit=self._limits.source_bytes)
        except RunError as exc:
            return _refusal(413, "RequestBodyTooLarge", str(exc))
        part.replace(self._runner.uploads / Path(request.match_info["name"]).name)
        return web.Response(status=201)


def _refusal(status: int, code: str, message: str) -> web.Response:
    """An answer in the form of Azure Storage."""
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return web.Response(status=status, text=text, content_type="application/xml", headers={"x-ms-error-code": code})
