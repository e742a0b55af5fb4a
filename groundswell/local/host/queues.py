"""The queue trigger: takes messages in batches, renews their leases, and gives up on what fails again and again.

After the Azure Storage queues extension: a new batch is fetched when no more than `threshold` messages are in hand;
a message that fails shows again after `retry` seconds; after `max_dequeue` deliveries it goes to `QUEUE-poison`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from groundswell.errors import GroundswellError, NotFoundError
from groundswell.local.host import protos
from groundswell.local.host.config import Queues as Limits
from groundswell.local.host.worker import Function, Outcome
from groundswell.store.port import Message, Queues

logger = logging.getLogger("groundswell.host")

LEASE = 600.0
_FIRST_PAUSE = 0.02
_LAST_PAUSE = 0.15  # on one machine a look costs little, and every stage waits for the next look
_TROUBLE_PAUSE = 1.0
_BATCH = 32  # what a storage queue gives at once

type Invoke = Callable[[Function, Any, dict[str, Any]], Awaitable[Outcome]]


@dataclass(slots=True, kw_only=True)
class Lease:
    """A message in hand; its receipt changes when the lease is renewed."""

    message: Message
    lost: bool = field(default=False)


class Listener:
    """Serves one queue until `stop`."""

    def __init__(
        self,
        function: Function,
        queues: Queues,
        limits: Limits,
        invoke: Invoke,
        *,
        threads: ThreadPoolExecutor,
        lease: float = LEASE,
    ) -> None:
        self._function = function
        self._queues = queues
        self._limits = limits
        self._invoke = invoke
        self._threads = threads
        self._lease = lease
        self._queue = str(function.trigger["queueName"])
        self._in_hand: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no more messages."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until stopped, then wait for what is in hand."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                messages = await self._receive()
            except GroundswellError as exc:
                logger.warning("queue not read", extra={"queue": self._queue, "why": str(exc)})
                await self._rest(_TROUBLE_PAUSE)
                continue
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self._in_hand.add(task)
                task.add_done_callback(self._handled)
            while len(self._in_hand) > self._limits.threshold:
                await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)
            if messages:
                pause = _FIRST_PAUSE
            else:
                await self._rest(pause)
                pause = min(self._limits.max_poll, _LAST_PAUSE, pause * 1.5)
        if self._in_hand:
            await asyncio.wait(self._in_hand)

    def _handled(self, task: asyncio.Task[None]) -> None:
        self._in_hand.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("message not handled", extra={"queue": self._queue}, exc_info=error)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    async def _handle(self, message: Message) -> None:
        held = Lease(message=message)
        renewing = asyncio.create_task(self._renew(held))
        try:
            ok = message.dequeue_count <= self._limits.max_dequeue and await self._run(message)
        finally:
            renewing.cancel()
        try:
            await self._settle(held, ok=ok)
        except NotFoundError:
            logger.warning("lease lost", extra={"queue": self._queue, "id": message.id})
        except GroundswellError as exc:
            logger.warning("message not settled", extra={"queue": self._queue, "why": str(exc)})

    async def _run(self, message: Message) -> bool:
        metadata = {
            "Id": protos.TypedData(string=message.id),
            "DequeueCount": protos.TypedData(json=str(message.dequeue_count)),
        }
        return (await self._invoke(self._function, protos.TypedData(string=message.body), metadata)).ok

    async def _settle(self, held: Lease, *, ok: bool) -> None:
        message = held.message
        if ok:
            await self._call(self._queues.delete, message)
        elif message.dequeue_count < self._limits.max_dequeue:
            await self._call(self._queues.renew, message, lease=self._limits.retry)
        else:
            logger.error(
                "message moved to poison queue",
                extra={"queue": self._queue, "id": message.id, "deliveries": message.dequeue_count},
            )
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._queues.send, f"{self._queue}-poison", message.body)
            await self._call(self._queues.delete, message)

    async def _renew(self, held: Lease) -> None:
        while True:
            await asyncio.sleep(self._lease / 2)
            try:
                held.message = await self._call(self._queues.renew, held.message, lease=self._lease)
            except GroundswellError as exc:
                logger.warning("lease not renewed", extra={"queue": self._queue, "why": str(exc)})
                return

    async def _receive(self) -> list[Message]:
        limit = max(1, min(self._limits.batch, _BATCH))
        found: list[Message] = await self._call(self._queues.receive, limit=limit, lease=self._lease)
        return found

    async def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call of the store off the loop's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: method(self._queue, *args, **kwargs))
