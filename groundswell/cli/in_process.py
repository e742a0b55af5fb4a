"""The API in this process: where no service is named, but a store is.

The same handlers answer as behind HTTP, so that the code of a command exists once (docs/adr/0025).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote

from groundswell.cli.common import who
from groundswell.cli.transport import Reply

type _Message = MutableMapping[str, Any]
type _Receive = Callable[[], Awaitable[_Message]]
type _Send = Callable[[_Message], Awaitable[None]]
type _App = Callable[[Any, _Receive, _Send], Awaitable[None]]


class InProcess:
    """An ASGI application as the service; each request is one run of an event loop."""

    place = "the store"

    def __init__(self, app: _App) -> None:
        self._app = app

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Reply:
        del patience  # what is done here ends when it is done
        return asyncio.run(self._send(method, target, headers, body))

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "client": None,
            "server": ("localhost", None),
        }
        status, told, parts = 0, {}, bytearray()

        async def receive() -> _Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: _Message) -> None:
            nonlocal status, told
            if message["type"] == "http.response.start":
                status = message["status"]
                told = {name.decode().lower(): text.decode() for name, text in message["headers"]}
            else:
                parts.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return Reply(status=status, headers=told, body=bytes(parts))


def in_process() -> InProcess:
    """Over the store of the settings. Raises InputError when they name none."""
    from groundswell.api.local import create
    from groundswell.wiring import app as product

    return InProcess(create(product(), who))
