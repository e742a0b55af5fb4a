"""The API server's front: Kubernetes 1.20 has CronJobs as batch/v1beta1 only, and here they are batch/v1.

Kubernetes 1.21 made batch/v1 of it without changing a field, and AKS has had nothing older since 2022. So that the
product need not know the old name, requests for `/apis/batch/v1/…/cronjobs` go on to batch/v1beta1, with the name
changed in the bodies both ways. Everything else passes as it is.
"""

import re
import ssl
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

_CRON_JOBS = re.compile(r"/apis/batch/v1(?=/(?:namespaces/[^/]+/)?cronjobs(?:/|\?|$))")
_NEW, _OLD = b'"batch/v1"', b'"batch/v1beta1"'
_PASSED_ON = ("Authorization", "Accept", "Content-Type", "User-Agent")
_PASSED_BACK = ("Content-Type", "Retry-After", "Warning", "WWW-Authenticate")
_MAX_BODY = 3 << 20
_MAX_LINE = 8 << 20


class Front:
    """An application that answers for the API server at `server`, whose certificate `ca` has signed."""

    def __init__(self, server: str, ca: Path) -> None:
        self._server = server
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._session: ClientSession

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_startup.append(self._begin)
        app.on_cleanup.append(self._end)
        return app

    async def _begin(self, _: web.Application) -> None:
        self._session = ClientSession(
            connector=TCPConnector(ssl=self._tls, limit=0),
            timeout=ClientTimeout(total=None, sock_connect=5.0),  # a watch lasts
            read_bufsize=_MAX_LINE,
        )

    async def _end(self, _: web.Application) -> None:
        await self._session.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked, renamed = _CRON_JOBS.subn("/apis/batch/v1beta1", request.rel_url.raw_path_qs, count=1)
        body = await request.read()
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        async with self._session.request(
            request.method,
            URL(self._server + asked, encoded=True),
            data=(body.replace(_NEW, _OLD) if renamed else body) or None,
            headers={**headers, "Accept-Encoding": "identity"},
            skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
            allow_redirects=False,
        ) as answer:
            kept = {name: answer.headers[name] for name in _PASSED_BACK if name in answer.headers}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            try:
                # a line is a whole answer, or one event of a watch
                async for part in answer.content if renamed else answer.content.iter_any():
                    await response.write(part.replace(_OLD, _NEW) if renamed else part)
            except ConnectionResetError:  # the client went away
                return response
            await response.write_eof()
            return response
