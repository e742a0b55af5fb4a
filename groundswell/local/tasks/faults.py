"""Faults on demand, so that tests can see what a client makes of them. Nothing fails unless a test asks for it."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong with requests whose `METHOD /path` matches `where`, and how many times."""

    where: str
    times: int = 1
    status: int = 0
    """Answer this instead, 0 for the real answer."""
    retry_after: int | None = None
    accepted: bool = False
    """Whether the request is carried out before it is answered wrongly."""
    delay: float = 0
    """Seconds before anything happens; a big number is a server that hangs."""


class Faults:
    """The faults still to come. Tests add them from their own thread."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults += [fault] * fault.times

    def _take(self, request: web.Request) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if re.search(fault.where, f"{request.method} {request.path}"):
                    self._faults.remove(fault)
                    return fault
        return None

    async def apply(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's answer, or that of the fault that meets this request."""
        fault = self._take(request)
        if fault is None:
            return await handler(request)
        await asyncio.sleep(fault.delay)
        if not fault.status:
            return await handler(request)
        if fault.accepted:
            await handler(request)
        headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        code = "TooManyRequests" if fault.status == 429 else "InternalServerError"
        error = {"error": {"code": code, "message": "a fault that a test asked for"}}
        return web.json_response(error, status=fault.status, headers=headers)
