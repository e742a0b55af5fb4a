"""Round all pages: headers that keep browsers strict, and a page for whatever went wrong.

Nothing is loaded from elsewhere and no script or style stands in a page, so that text which got into one, from an
image's name or a build's log, runs nothing even if it were not escaped.
"""

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import URL, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from groundswell.api.problems import kind_of, request_id
from groundswell.dashboard import render
from groundswell.dashboard.returning import HOME, sign_in
from groundswell.errors import TemporaryError

logger = logging.getLogger(__name__)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a form's Origin would be null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_HELP: Mapping[int, str] = {
    403: "Go back and load the page again. If you need to do this, ask an administrator for the role.",
    404: "It may have been removed, or the address may be mistyped.",
    405: "Go back, and use the buttons of the page.",
    409: "Go back and load the page again: it may have changed meanwhile.",
    413: "Shorten what you entered.",
    422: "Go back and change what you entered.",
    429: "Wait a little, then load the page again.",
    500: "Try again. If it stays so, look for the number below in the log of the app.",
    503: "Try again in a moment: the store or a service behind it does not answer.",
}
_LONGEST = 1000


class Guard:
    """ASGI middleware, as the API's: no exception leaves it."""

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
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "private, no-store")
            await send(message)

        try:
            await self._app(scope, receive, tell)
        except Exception as exc:
            if started:
                raise
            response = answer(Request(scope), exc)
            await response(scope, receive, tell)


async def framework(request: Request, error: Exception) -> Response:
    """What Starlette itself raises: no such address, no such method."""
    return answer(request, error)


def answer(request: Request, error: Exception) -> Response:
    """What went wrong as a page; who is not signed in is asked to, and comes back to what was asked for."""
    asked = request.scope.get("groundswell.asked")
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        title, detail, headers = status.phrase, f"{request.url.path}: {status.phrase.lower()}", error.headers
        if status is HTTPStatus.NOT_FOUND:
            title, detail = "There is no such page", f"Nothing is at {request.url.path}."
        return _page(asked, status, title, detail, headers=headers)
    kind = kind_of(error)
    if kind.status is HTTPStatus.UNAUTHORIZED:
        return _to_sign_in(request)
    detail, told = str(error)[:_LONGEST], {}
    number = ""
    extra = {"request": request_id(request.scope), "method": request.method, "path": request.url.path}
    if isinstance(error, TemporaryError):
        told["Retry-After"] = str(max(1, math.ceil(error.delay)))
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("page put off", exc_info=error, extra=extra)
    if kind.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("page failed", exc_info=error, extra=extra)
        detail, number = "The fault is ours.", request_id(request.scope)
    return _page(asked, kind.status, kind.title, detail, number=number, headers=told)


def _to_sign_in(request: Request) -> Response:
    """A poll is told by htmx's header to leave the page; after a form it is back to the first one."""
    if request.headers.get("HX-Request"):
        shown = URL(request.headers.get("HX-Current-URL", ""))
        place = shown.path + (f"?{shown.query}" if shown.query else "")
        return Response(status_code=401, headers={"HX-Redirect": sign_in(place)})
    place = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(sign_in(place if request.method == "GET" else HOME), 303)


def _page(asked: Any, status: HTTPStatus, title: str, detail: str, *, number: str = "", headers: Any) -> Response:
    help_ = _HELP.get(status, "")
    response = render.page(
        "problem.html",
        asked,
        status=status,
        code=status.value,
        title=title,
        detail=detail,
        help=help_,
        number=number,
    )
    response.headers.update(headers or {})
    return response
