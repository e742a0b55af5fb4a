"""Round the whole API: whatever is raised becomes an answer, and no cache between us and a client keeps one."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.api.problems import answer


class Guard:
    """ASGI middleware. Starlette raises an unknown error again after it answered; the host would answer then."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(
                    {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
                )
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception as exc:
            if started:
                raise
            response = await answer(Request(scope), exc)
            await response(scope, receive, tell)
