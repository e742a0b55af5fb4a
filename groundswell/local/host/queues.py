"""The queue trigger: takes messages in batches, renews their leases, and gives up on what fails again and again.

After the Azure Storage queues extension: a new batch is fetched when no more than `threshold` messages are in hand;
a message that fails shows again after `retry` seconds; after `max_dequeue` deliveries it goes to `QUEUE-poison`.
An empty queue is asked less and less often, but at once when the host says that something was done (`wake`).
"""

import asyncio
import datetime as dt
import json
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from groundswell.errors import GroundswellError, NotFoundError
from groundswell.local.host import protos
from groundswell.local.host.config import Queues as Limits
from groundswell.local.host.worker import Function, Invoke
from groundswell.store.port import Message, Queues

logger = logging.getLogger("groundswell.host")

LEASE = 600.0
_FIRST_PAUSE = 0.02
_LAST_PAUSE = 0.15  # on one machine a look costs little, and every stage waits for the next look
_GROWTH = 1.5
_TROUBLE_PAUSE = 1.0


@dataclass(slots=True, kw_only=True)
class _Held:
    """A message in hand, with the newest receipt."""

    message: Message


class Listener:
    """Serves one queue until stopped. `threads` is where the store is called: the loop never waits for it."""

    def __init__(
        self,
        function: Function,
        queues: Queues,
        limits: Limits,
        invoke: Invoke,
        *,
        threads: Executor,
        lease: float = LEASE,
    ) -> None:
        self._function = function
        self._queues = queues
        self._limits = limits
        self._invoke = invoke
        self._threads = threads
        self._lease = lease
        self.queue = str(function.trigger["queueName"])
        self._in_hand: dict[asyncio.Task[None], _Held] = {}
        self._stopping = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look into the queue now."""
        self._woken.set()

    def stop(self) -> None:
        """Take no more messages."""
        self._stopping = True
        self._woken.set()

    async def release(self) -> None:
        """Show what is still in hand to other receivers: this process will not finish it."""
        for held in list(self._in_hand.values()):
            try:
                await self._call(self._queues.renew, self.queue, held.message, lease=0)
            except GroundswellError as exc:
                logger.warning("message not released", extra=self._about(held.message, why=str(exc)))

    async def run(self) -> None:
        """Serve until stopped, then wait for what is in hand."""
        pause = _FIRST_PAUSE
        while not self._stopping:
            self._woken.clear()
            try:
                messages = await self._call(
                    self._queues.receive, self.queue, limit=self._limits.batch, lease=self._lease
                )
            except GroundswellError as exc:
                logger.warning("queue not read", extra={"queue": self.queue, "why": str(exc)})
                await self._rest(_TROUBLE_PAUSE)
                continue
            for message in messages:
                self._take(message)
            if messages:
                pause = _FIRST_PAUSE
                while len(self._in_hand) > self._limits.threshold:
                    await asyncio.wait(self._in_hand, return_when=asyncio.FIRST_COMPLETED)
            else:
                await self._rest(pause)
                pause = min(self._limits.max_poll, _LAST_PAUSE, pause * _GROWTH)
        if self._in_hand:
            await asyncio.wait(self._in_hand)

    async def _rest(self, seconds: float) -> None:
        """Until woken or `seconds` are over; never so short that a busy host keeps asking empty queues."""
        await asyncio.sleep(_FIRST_PAUSE)
        try:
            await asyncio.wait_for(self._woken.wait(), seconds - _FIRST_PAUSE)
        except TimeoutError:
            return

    def _take(self, message: Message) -> None:
        held = _Held(message=message)
        task = asyncio.create_task(self._handle(held), name=f"{self.queue} {message.id}")
        self._in_hand[task] = held
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        held = self._in_hand.pop(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            # The lease ends by itself, and the message comes again.
            logger.critical("fault of the host", extra=self._about(held.message), exc_info=fault)

    async def _handle(self, held: _Held) -> None:
        done = asyncio.Event()
        renewing = asyncio.create_task(self._renew(held, done))
        try:
            ok = held.message.dequeue_count <= self._limits.max_dequeue and await self._run(held.message)
        finally:
            done.set()
            await renewing  # one under way ends first: only the newest receipt counts
        try:
            await self._settle(held.message, ok=ok)
        except NotFoundError:
            logger.warning("lease lost", extra=self._about(held.message))
        except GroundswellError as exc:
            logger.warning("message not settled", extra=self._about(held.message, why=str(exc)))

    async def _run(self, message: Message) -> bool:
        metadata = {
            "QueueTrigger": protos.TypedData(string=message.body),
            "Id": protos.TypedData(string=message.id),
            "PopReceipt": protos.TypedData(string=message.receipt),
            "DequeueCount": protos.TypedData(json=str(message.dequeue_count)),
            "InsertionTime": _moment(message.inserted_at),
            "ExpirationTime": _moment(message.expires_at),
            "NextVisibleTime": _moment(message.visible_at),
        }
        return (await self._invoke(self._function, protos.TypedData(string=message.body), metadata)).ok

    async def _settle(self, message: Message, *, ok: bool) -> None:
        if not ok and message.dequeue_count < self._limits.max_dequeue:
            await self._call(self._queues.renew, self.queue, message, lease=self._limits.retry)
            return
        if not ok:
            logger.error(
                "message moved to poison queue", extra=self._about(message, deliveries=message.dequeue_count)
            )
            await self._call(self._queues.send, f"{self.queue}-poison", message.body)
        await self._call(self._queues.delete, self.queue, message)

    async def _renew(self, held: _Held, done: asyncio.Event) -> None:
        """Keep the lease until `done`, trying again soon when the store is in trouble."""
        pause = self._lease / 2
        while True:
            try:
                await asyncio.wait_for(done.wait(), pause)
            except TimeoutError:
                pass
            else:
                return
            try:
                held.message = await self._call(self._queues.renew, self.queue, held.message, lease=self._lease)
                pause = self._lease / 2
            except NotFoundError:
                logger.warning("lease lost", extra=self._about(held.message))
                return
            except GroundswellError as exc:
                logger.warning("lease not renewed", extra=self._about(held.message, why=str(exc)))
                pause = self._lease / 10

    def _about(self, message: Message, **more: object) -> dict[str, object]:
        return {"queue": self.queue, "message_id": message.id, **more}

    async def _call[T](self, method: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: method(*args, **kwargs))


def _moment(seconds: float) -> Any:
    return protos.TypedData(json=json.dumps(dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()))
