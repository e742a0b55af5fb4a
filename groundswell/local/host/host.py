"""The host as a whole: worker, HTTP, listeners, timers; started together, drained together."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from groundswell.errors import InputError, PermanentError
from groundswell.local.host.config import HostConfig, expanded, read
from groundswell.local.host.keys import Keys
from groundswell.local.host.queues import LEASE, Listener
from groundswell.local.host.server import MAX_BODY, Handler
from groundswell.local.host.timers import Timer
from groundswell.local.host.worker import Function, Outcome, Worker
from groundswell.store.port import Queues

logger = logging.getLogger("groundswell.host")

CONNECTION = "GROUNDSWELL_STORE"
_POISON = "-poison"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`port` 0 takes any free one; `drain` is how long what is in hand may take to end; times in seconds."""

    port: int = 0
    keys: Keys = field(default_factory=Keys)
    max_body: int = MAX_BODY
    drain: float = 60.0
    lease: float = LEASE


class Host:
    """Runs the app in `app_dir` on `queues`, with the app settings `values`."""

    def __init__(self, app_dir: Path, queues: Queues, values: Mapping[str, str], options: Options) -> None:
        self._config: HostConfig = read(app_dir)
        self._worker = Worker(app_dir)
        self._queues = queues
        self._values = values
        self._options = options
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Start everything; returns the address. Call `stop` whether or not this succeeds."""
        await self._worker.start()
        functions = {f.name: self._bound(f) for f in self._worker.functions.values() if self._enabled(f.name)}
        timers = {f.name: Timer(f, self._invoke) for f in functions.values() if f.kind == "timerTrigger"}
        handler = Handler(
            functions, timers, self._invoke, prefix=self._config.route_prefix, keys=self._options.keys
        )
        address = await self._serve(handler.application(self._options.max_body))
        listened = [function for function in functions.values() if function.kind == "queueTrigger"]
        self._threads = ThreadPoolExecutor(max_workers=max(4, 3 * len(listened)), thread_name_prefix="queues")
        for function in listened:
            listener = Listener(
                function,
                self._queues,
                self._config.queues,
                self._invoke,
                threads=self._threads,
                lease=self._options.lease,
            )
            self._listeners.append(listener)
            self._tasks.append(asyncio.create_task(listener.run(), name=function.name))
        for name, timer in timers.items():
            self._tasks.append(asyncio.create_task(timer.run(self._wait), name=name))
        logger.info("host started", extra={"functions": len(functions), "address": address})
        return address

    async def _serve(self, app: web.Application) -> str:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=self._options.drain)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._options.port).start()
        except OSError as exc:
            raise PermanentError(f"port {self._options.port} cannot be served: {exc.strerror}") from exc
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def run_until(self, done: asyncio.Event) -> None:
        """Come back when `done` is set. A fault of the host itself (not of a function) is raised."""
        waiting = asyncio.create_task(done.wait())
        try:
            ended, _ = await asyncio.wait([waiting, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for task in ended - {waiting}:
            if fault := task.exception():
                logger.critical("fault of the host", extra={"function": task.get_name()}, exc_info=fault)
                raise fault

    async def stop(self) -> bool:
        """Take nothing more and let what is in hand end; whether all of it did within the time for draining.

        Messages that were not finished are shown again at once. Threads cannot be ended from outside: after False
        some of the app's may still be at work, and the process should go.
        """
        self._stopping.set()
        for listener in self._listeners:
            listener.stop()
        ends = [*self._tasks, asyncio.create_task(self._close(), name="http")]
        ends.append(asyncio.create_task(self._join(ends[:]), name="threads"))
        _, late = await asyncio.wait(ends, timeout=self._options.drain)
        if late:
            logger.warning(
                "not drained in time", extra={"what": ", ".join(sorted(task.get_name() for task in late))}
            )
            for listener in self._listeners:
                await listener.release()
        elif self._threads is not None:
            self._threads.shutdown()
        return not late

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _join(self, callers: list[asyncio.Task[None]]) -> None:
        """Wait for the app's threads, once nothing calls them any more."""
        await asyncio.wait(callers)
        await asyncio.to_thread(self._worker.stop)

    async def _wait(self, seconds: float) -> bool:
        try:
            return await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False

    async def _invoke(self, function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
        try:
            async with asyncio.timeout(self._config.timeout):
                return await self._worker.invoke(function, data, metadata, trace=trace)
        except TimeoutError:
            # Azure's host would restart the worker here; this one leaves the function's thread to itself.
            logger.error("function timed out", extra={"function": function.name})  # noqa: TRY400  # no trace to show
            return Outcome(ok=False)
        finally:
            for listener in self._listeners:
                if not listener.queue.endswith(_POISON):  # those are not in a hurry
                    listener.wake()  # what ran may have sent messages, and somebody waits for what follows

    def _enabled(self, name: str) -> bool:
        return self._values.get(f"AzureWebJobs.{name}.Disabled", "").lower() not in ("1", "true")

    def _bound(self, function: Function) -> Function:
        """The function with app settings in the place of binding expressions, and a connection that we have."""
        trigger = {
            key: expanded(value, self._values, function.name) if isinstance(value, str) else value
            for key, value in function.trigger.items()
        }
        if function.kind == "queueTrigger" and trigger.get("connection") != CONNECTION:
            raise InputError(f"function {function.name}: its connection must be {CONNECTION}, the store's")
        return replace(function, trigger=trigger)
