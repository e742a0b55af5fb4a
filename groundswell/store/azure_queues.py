"""Queues in Azure Storage, as Functions queue triggers read them: bodies in base64 (host.json `messageEncoding`).

Calls are retried for a few seconds. A send that is retried after its answer was lost puts the message twice, which
the port allows. A delete or renew so retried raises NotFoundError although the first one worked: the receiver must
let go of the message, and if it was not deleted it comes again.
"""

import base64
import binascii
import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from groundswell.errors import NotFoundError
from groundswell.store import limits
from groundswell.store.azure_errors import code, present, translated
from groundswell.store.port import Message

_LEASE_LOST = frozenset({"MessageNotFound", "PopReceiptMismatch", "QueueNotFound"})


class AzureQueues:
    """The Queues half of the store, on one storage account. Queues are made when first sent to."""

    def __init__(self, queues: QueueServiceClient) -> None:
        self._queues = queues
        self._queue_clients: dict[str, QueueClient] = {}

    def _queue(self, queue: str) -> QueueClient:
        if queue not in self._queue_clients:
            self._queue_clients[queue] = self._queues.get_queue_client(queue)
        return self._queue_clients[queue]

    def send(self, queue: str, body: str, *, delay: float = 0.0) -> None:
        limits.check_queue(queue)
        content = base64.b64encode(limits.check_body(queue, body)).decode("ascii")
        limits.check_delay(delay)
        client = self._queue(queue)

        def send() -> None:
            client.send_message(
                content, visibility_timeout=math.ceil(delay), time_to_live=int(limits.MESSAGE_LIFETIME)
            )

        with translated(f"sending to queue {queue}"):
            try:
                send()
            except ResourceNotFoundError:
                with contextlib.suppress(ResourceExistsError):  # another process was first
                    client.create_queue()
                send()

    def receive(self, queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        limits.check_queue(queue)
        limits.check_receive(limit, lease)
        with translated(f"receiving from queue {queue}"):
            pages = self._queue(queue).receive_messages(
                messages_per_page=limit, visibility_timeout=math.ceil(lease)
            )
            try:
                return [_message(found) for found in next(pages.by_page(), ())]
            except ResourceNotFoundError:
                return []  # no such queue yet

    def renew(self, queue: str, message: Message, *, lease: float) -> Message:
        limits.check_queue(queue)
        limits.check_delay(lease)
        updated = _held(
            queue,
            message,
            lambda: self._queue(queue).update_message(
                message.id, message.receipt, visibility_timeout=math.ceil(lease)
            ),
        )
        return replace(
            message,
            receipt=present(updated.pop_receipt, "a pop receipt"),
            visible_at=_seconds(updated.next_visible_on),
        )

    def delete(self, queue: str, message: Message) -> None:
        limits.check_queue(queue)
        _held(queue, message, lambda: self._queue(queue).delete_message(message.id, message.receipt))

    def depth(self, queue: str) -> int:
        limits.check_queue(queue)
        with translated(f"counting queue {queue}"):
            try:
                return self._queue(queue).get_queue_properties().approximate_message_count or 0
            except ResourceNotFoundError:
                return 0

    def oldest(self, queue: str) -> float | None:
        limits.check_queue(queue)
        with translated(f"looking into queue {queue}"):
            try:
                seen = self._queue(queue).peek_messages(max_messages=limits.MAX_RECEIVE)
            except ResourceNotFoundError:
                return None
        return min((_seconds(each.inserted_on) for each in seen), default=None)


def _held[T](queue: str, message: Message, act: Callable[[], T]) -> T:
    with translated(f"message {message.id} of queue {queue}"):
        try:
            return act()
        except HttpResponseError as exc:
            if code(exc) not in _LEASE_LOST:
                raise
            raise NotFoundError(
                f"message {message.id} of queue {queue} is no longer leased to this receiver"
            ) from exc


def _message(found: QueueMessage) -> Message:
    return Message(
        id=found.id,
        body=_body(found.content or ""),
        receipt=present(found.pop_receipt, "a pop receipt"),
        dequeue_count=present(found.dequeue_count, "a dequeue count"),
        inserted_at=_seconds(found.inserted_on),
        expires_at=_seconds(found.expires_on),
        visible_at=_seconds(found.next_visible_on),
    )


def _seconds(moment: datetime | None) -> float:
    return present(moment, "a time").timestamp()


def _body(content: str) -> str:
    """The body of a message. One that is not base64 was put there by hand; its reader will refuse it."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return content
