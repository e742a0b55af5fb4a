"""The HTTP trigger and the admin endpoints, on loopback."""

import json
from collections.abc import Mapping

from aiohttp import web

from groundswell.local.host import exchange, protos, routes
from groundswell.local.host.keys import Keys
from groundswell.local.host.timers import Timer
from groundswell.local.host.worker import Function, Invoke

MAX_BODY = 100 * 1024 * 1024  # Azure's limit


class Handler:
    """Serves the HTTP functions, and `/admin` with the master key."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        timers: Mapping[str, Timer],
        invoke: Invoke,
        *,
        prefix: str,
        keys: Keys,
    ) -> None:
        self._functions = functions
        self._timers = timers
        self._table = routes.table(functions.values(), prefix)
        self._invoke = invoke
        self._keys = keys

    def application(self, max_body: int) -> web.Application:
        app = web.Application(client_max_size=max_body)
        app.router.add_get("/admin/host/status", self.status)
        app.router.add_get("/admin/functions", self.list_functions)
        app.router.add_post("/admin/functions/{name}", self.fire)
        app.router.add_route("*", "/{tail:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.Response:
        found = routes.find(self._table, request.method, exchange.path_of(request.url))
        if found is None:
            return web.Response(status=404)
        route, parameters = found
        function = route.function
        if not self._keys.admit(request, str(function.trigger.get("authLevel", "function")).lower()):
            return web.Response(status=401)
        body = await request.read()
        data = exchange.data_of(request, body, parameters)
        trace = request.headers.get("traceparent", "")
        return exchange.response_to(await self._invoke(function, data, {}, trace=trace))

    async def status(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.json_response({"state": "Running"})

    async def list_functions(self, request: web.Request) -> web.Response:
        self._admit(request)
        return web.json_response([{"name": f.name, "trigger": f.trigger} for f in self._functions.values()])

    async def fire(self, request: web.Request) -> web.Response:
        """Run a timer or queue function by hand (`{"input": "the message"}`) and say how it went: 202 or 500.

        Azure's host answers 202 without waiting for the end.
        """
        self._admit(request)
        name = request.match_info["name"]
        if timer := self._timers.get(name):
            outcome = await timer.fire()
        elif (function := self._functions.get(name)) and function.kind == "queueTrigger":
            outcome = await self._invoke(function, protos.TypedData(string=await _input(request)), {})
        else:
            raise web.HTTPNotFound(text=f"no timer or queue function {name}")
        return web.Response(status=202 if outcome.ok else 500)

    def _admit(self, request: web.Request) -> None:
        if not self._keys.admit(request, "admin"):
            raise web.HTTPUnauthorized


async def _input(request: web.Request) -> str:
    try:
        document = json.loads(await request.read())
    except ValueError as exc:
        raise web.HTTPBadRequest(text="the body must be JSON") from exc
    if not isinstance(document, dict) or not isinstance(document.get("input", ""), str):
        raise web.HTTPBadRequest(text='the body must be an object with the message as text in "input"')
    return str(document.get("input", ""))
