"""HTTP requests as the worker takes them, and what functions return as HTTP responses."""

import datetime as dt
from http.cookies import SimpleCookie
from typing import Any

from aiohttp import web
from yarl import URL

from groundswell.local.host import protos
from groundswell.local.host.worker import Outcome

_OWN_HEADERS = ("content-length", "transfer-encoding")
_SAME_SITE = {1: "Lax", 2: "Strict", 3: "None"}
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def data_of(request: web.Request, body: bytes, parameters: dict[str, str]) -> Any:
    """A request as the worker takes it. What comes several times is joined with commas, as Azure's host does."""
    return protos.TypedData(
        http=protos.RpcHttp(
            method=request.method,
            url=str(request.url),
            headers={name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers},
            query={name: ",".join(request.query.getall(name)) for name in request.query},
            params=parameters,
            body=protos.TypedData(bytes=body) if body else None,
        )
    )


def path_of(url: URL) -> str:
    """The path as ASP.NET decodes it: all but an encoded slash, which is no separator."""
    return url.path_safe.replace("%25", "%")


def response_to(outcome: Outcome) -> web.Response:
    """500 without a word for a function that failed; what it raised is in the log."""
    if not outcome.ok:
        return web.Response(status=500)
    if outcome.value is None:
        return web.Response(status=204)
    kind = outcome.value.WhichOneof("data")
    if kind != "http":
        return web.Response(body=_bytes(getattr(outcome.value, kind)), headers=_TEXT)
    http: Any = outcome.value.http
    answer = web.Response(status=int(http.status_code or 200), body=_body(http.body))
    for name, text in http.headers.items():
        if name.lower() not in _OWN_HEADERS:
            answer.headers[name] = text
    for cookie in http.cookies:
        answer.headers.add("Set-Cookie", _cookie(cookie))
    return answer


def _cookie(given: Any) -> str:
    """A cookie as the worker read it from the function's headers, in a header again."""
    jar: SimpleCookie = SimpleCookie()
    jar[given.name] = given.value
    morsel = jar[given.name]
    expires = _value(given.expires)
    max_age = _value(given.max_age)
    attributes = {
        "path": _value(given.path),
        "domain": _value(given.domain),
        "expires": expires and f"{dt.datetime.fromtimestamp(expires.seconds, dt.UTC):%a, %d %b %Y %H:%M:%S} GMT",
        "max-age": None if max_age is None else str(int(max_age)),
        "secure": _value(given.secure),
        "httponly": _value(given.http_only),
        "samesite": _SAME_SITE.get(given.same_site),
    }
    morsel.update({name: value for name, value in attributes.items() if value})
    return morsel.OutputString()


def _value(nullable: Any) -> Any:
    return None if nullable is None else nullable.value


def _body(data: Any) -> bytes:
    kind = data.WhichOneof("data") if data is not None else None
    return _bytes(getattr(data, kind)) if kind else b""


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
