"""A git server for the local stack: git's own `http-backend` behind aiohttp, for reading only.

Builds clone from it and the product asks it for commits, both over HTTP, as they do of a company's git host.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from aiohttp import web

from groundswell.local.tasks.process import environment

_SERVICE = "git-upload-pack"


def application(folder: Path) -> web.Application:
    """Serves every bare repository in `folder`, which may come later, as `/NAME.git`."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(folder, request)

    app = web.Application()
    app.router.add_get("/{repository}.git/info/refs", serve)
    app.router.add_post(f"/{{repository}}.git/{_SERVICE}", serve)
    return app


async def _serve(folder: Path, request: web.Request) -> web.StreamResponse:
    if request.method == "GET" and request.query.get("service") != _SERVICE:
        raise web.HTTPForbidden(text="only git-upload-pack is served")
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_cgi(folder, request)
    )
    answer, _ = await process.communicate(await request.read())
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
    status = int(headers.pop("Status", "200").split()[0]) if headers else 500
    return web.Response(status=status, body=body, headers=headers)


def _cgi(folder: Path, request: web.Request) -> dict[str, str]:
    """The request as CGI says it (RFC 3875), and nobody's git settings."""
    return environment(
        GIT_PROJECT_ROOT=str(folder),
        GIT_HTTP_EXPORT_ALL="1",
        GIT_CONFIG_GLOBAL="/dev/null",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_CONFIG_COUNT="1",
        GIT_CONFIG_KEY_0="safe.directory",
        GIT_CONFIG_VALUE_0="*",
        GIT_PROTOCOL=request.headers.get("Git-Protocol", ""),
        REQUEST_METHOD=request.method,
        PATH_INFO=request.path,
        QUERY_STRING=request.query_string,
        CONTENT_TYPE=request.headers.get("Content-Type", ""),
        HTTP_CONTENT_ENCODING="",  # aiohttp has unpacked it
    )
