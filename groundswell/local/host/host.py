"""The host as a whole: worker, listeners, timers, HTTP; started together, drained together."""

import asyncio
import logging
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from groundswell.local.host import server, timers
from groundswell.local.host.config import HostConfig, read
from groundswell.local.host.queues import Listener
from groundswell.local.host.worker import Function, Outcome, Worker
from groundswell.store.port import Queues

logger = logging.getLogger("groundswell.host")

DRAIN = 60.0
_SETTING = re.compile(r"%([^%]+)%")


class Host:
    """Runs the app in `app_dir` on `queues`. `key` is the host key; empty closes everything that needs one."""

    def __init__(self, app_dir: Path, queues: Queues, *, key: str = "", drain: float = DRAIN) -> None:
        self._config: HostConfig = read(app_dir)
        self._worker = Worker(app_dir)
        self._queues = queues
        self._key = key
        self._drain = drain
        self._stopping = asyncio.Event()
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._runner: Any = None

    async def start(self, port: int) -> str:
        """Start everything; returns the address."""
        await self._worker.start()
        functions = {f.name: _expanded(f, os.environ) for f in self._worker.functions.values() if _enabled(f.name)}
        listened = [function for function in functions.values() if function.kind == "queueTrigger"]
        self._threads = ThreadPoolExecutor(max_workers=max(4, 3 * len(listened)), thread_name_prefix="queues")
        for function in listened:
            listener = Listener(function, self._queues, self._config.queues, self._invoke, threads=self._threads)
            self._listeners.append(listener)
            self._tasks.append(asyncio.create_task(listener.run(), name=function.name))
        for function in functions.values():
            if function.kind == "timerTrigger":
                task = asyncio.create_task(timers.run(function, self._invoke, self._stopping), name=function.name)
                self._tasks.append(task)
        app = server.application(functions, self._invoke, prefix=self._config.route_prefix, key=self._key)
        self._runner, bound = await server.serve(app, port)
        logger.info("host started", extra={"functions": len(functions), "port": bound})
        return f"http://127.0.0.1:{bound}"

    async def stop(self) -> None:
        """Take nothing more, let what is in hand end (for a minute at most), and stop."""
        self._stopping.set()
        for listener in self._listeners:
            listener.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._drain)
            for task in late:
                logger.warning("not drained in time", extra={"function": task.get_name()})
                task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        self._worker.stop()

    async def _invoke(self, function: Function, data: Any, metadata: dict[str, Any]) -> Outcome:
        try:
            async with asyncio.timeout(self._config.timeout):
                return await self._worker.invoke(function, data, metadata)
        except TimeoutError:
            logger.error("function timed out", extra={"function": function.name})  # noqa: TRY400  # its trace is ours
            return Outcome(ok=False)


def _enabled(name: str) -> bool:
    return os.environ.get(f"AzureWebJobs.{name}.Disabled", "").lower() not in ("1", "true")


def _expanded(function: Function, settings: Mapping[str, str]) -> Function:
    """App settings in binding expressions (`%NAME%`) put in their place."""
    trigger = {
        key: _SETTING.sub(lambda found: settings.get(found[1], found[0]), value)
        if isinstance(value, str)
        else value
        for key, value in function.trigger.items()
    }
    return Function(id=function.id, name=function.name, trigger=trigger)
