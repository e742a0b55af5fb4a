"""The HTTP trigger and the admin endpoints."""

import asyncio
import datetime as dt
import hmac
from typing import Any

from aiohttp import web

from groundswell.local.host import protos, routes, timers
from groundswell.local.host.timers import Invoke
from groundswell.local.host.worker import Function, Outcome

MAX_BODY = 100 * 1024 * 1024  # the real host's limit
_OWN_HEADERS = ("content-length", "transfer-encoding")


def application(functions: dict[str, Function], invoke: Invoke, *, prefix: str, key: str) -> web.Application:
    """Serves the HTTP functions. `key` opens the admin endpoints and functions of level `function` and `admin`."""
    table = [routes.route(function, prefix) for function in functions.values() if function.kind == "httpTrigger"]
    handler = _Handler(functions, sorted(table, key=lambda route: route.rank), invoke, key)
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/admin/host/status", handler.status)
    app.router.add_get("/admin/functions", handler.list_functions)
    app.router.add_post("/admin/functions/{name}", handler.fire)
    app.router.add_route("*", "/{tail:.*}", handler.handle)
    return app


class _Handler:
    def __init__(self, functions: dict[str, Function], table: list[routes.Route], invoke: Invoke, key: str) -> None:
        self._functions = functions
        self._table = table
        self._invoke = invoke
        self._key = key

    async def handle(self, request: web.Request) -> web.Response:
        found = routes.find(self._table, request.method, request.path)
        if found is None:
            return web.Response(status=404)
        route, parameters = found
        if str(route.function.trigger.get("authLevel", "function")).lower() != "anonymous" and not self._open(
            request
        ):
            return web.Response(status=401)
        body = await request.read()
        data = protos.RpcHttp(
            method=request.method,
            url=str(request.url),
            headers={name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers},
            query={name: ",".join(request.query.getall(name)) for name in request.query},
            params=parameters,
            body=protos.TypedData(bytes=body) if body else None,
        )
        outcome = await self._invoke(route.function, protos.TypedData(http=data), {})
        return _response(outcome)

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response({"state": "Running"}) if self._open(request) else web.Response(status=401)

    async def list_functions(self, request: web.Request) -> web.Response:
        if not self._open(request):
            return web.Response(status=401)
        return web.json_response([{"name": f.name, "trigger": f.trigger} for f in self._functions.values()])

    async def fire(self, request: web.Request) -> web.Response:
        """Run a timer or queue function by hand: `{"input": "the message"}`."""
        if not self._open(request):
            return web.Response(status=401)
        function = self._functions.get(request.match_info["name"])
        if function is None:
            return web.Response(status=404)
        if function.kind == "timerTrigger":
            outcome = await timers.fire(function, self._invoke, None, dt.datetime.now(dt.UTC))
        else:
            text = str((await request.json()).get("input", ""))
            outcome = await self._invoke(function, protos.TypedData(string=text), {})
        return web.Response(status=202 if outcome.ok else 500)

    def _open(self, request: web.Request) -> bool:
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return bool(self._key) and hmac.compare_digest(given.encode(), self._key.encode())


def _response(outcome: Outcome) -> web.Response:
    if not outcome.ok:
        return web.Response(status=500)
    value = outcome.value
    if value is None:
        return web.Response(status=204)
    kind = value.WhichOneof("data")
    if kind != "http":
        return web.Response(body=_bytes(getattr(value, kind)))
    http: Any = value.http
    response = web.Response(status=int(http.status_code or 200), body=_body(http.body))
    for name, text in http.headers.items():
        if name.lower() not in _OWN_HEADERS:
            response.headers[name] = text
    return response


def _body(data: Any) -> bytes:
    kind = data.WhichOneof("data") if data is not None else None
    return _bytes(getattr(data, kind)) if kind else b""


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def serve(app: web.Application, port: int) -> tuple[web.AppRunner, int]:
    """Serve on loopback; returns the runner and the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.sleep(0)
    bound: int = runner.addresses[0][1]
    return runner, bound
