"""The store port: JSON documents with ETags, and queues. Everything durable goes through it.

Documents live in a table under (partition, row). A commit is atomic within one partition, which is what both
Azure Tables (entity group transactions) and SQLite can promise. Queues deliver at least once.

Names and keys are checked by every adapter alike (`limits.py`): a table is 3 to 63 lower-case letters and digits,
a queue may have single dashes too, partitions and rows are any text but the empty one, of 512 characters encoded at
most.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

type Json = Mapping[str, Any]

MAX_COMMIT = 100
"""Writes in one commit, at most (the limit of an Azure entity group transaction)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored document; `etag` changes with every write to its row (two rows may have equal ones)."""

    row: str
    value: Json
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write `value` under `row`.

    `etag` None means "must not exist yet"; ANY means "whatever is there"; else it must match what is stored.
    """

    row: str
    value: Json
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove `row`; `etag` as in Put (ANY: quietly nothing when it is not there)."""

    row: str
    etag: str


ANY = "*"

type Write = Put | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as received. `receipt` proves the lease; `dequeue_count` starts at 1."""

    id: str
    body: str
    receipt: str
    dequeue_count: int
    inserted_at: float
    expires_at: float
    visible_at: float


class Documents(Protocol):
    def get(self, table: str, partition: str, row: str) -> Record | None: ...

    def scan(
        self, table: str, partition: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Iterator[Record]:
        """Records of a partition whose row starts with `prefix` and sorts after `after`, in row order.

        Rows sort by Unicode code point. Pages are fetched as the caller goes on.
        """
        ...

    def tables(self) -> list[str]:
        """The tables that hold documents, or did, in order."""
        ...

    def every(self, table: str) -> Iterator[tuple[str, Record]]:
        """Every record of a table with its partition, in order of both. Pages are fetched as the caller goes on."""
        ...

    def commit(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        """Apply all writes or none; returns the new ETags (an empty string for a delete), in order.

        Raises ConflictError when any ETag does not match, ValueError on more than MAX_COMMIT writes or a row
        named twice, PermanentError when a value is too large to store (780 kB as JSON, compressed; 4 MiB in base64
        in one commit). After a TemporaryError the writes may or may not be stored: load again and decide again.
        """
        ...


class Queues(Protocol):
    def send(self, queue: str, body: str, *, delay: float = 0.0) -> None:
        """Put `body` (UTF-8, up to 48 KiB) on `queue`, invisible for `delay` seconds; makes the queue if needed.

        A message that nobody deletes is dropped after 7 days; `delay` must be shorter.
        """
        ...

    def receive(self, queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        """Take up to `limit` (1 to 32) visible messages and hide them for `lease` seconds; [] when none."""
        ...

    def renew(self, queue: str, message: Message, *, lease: float) -> Message:
        """Hide a received message for `lease` seconds from now (0 shows it at once).

        Raises NotFoundError when the lease was lost: the message is somebody else's now.
        """
        ...

    def delete(self, queue: str, message: Message) -> None:
        """Remove a received message; NotFoundError when the lease was lost."""
        ...

    def depth(self, queue: str) -> int:
        """About how many messages the queue holds, hidden ones included; 0 when there is no such queue."""
        ...

    def oldest(self, queue: str) -> float | None:
        """When the oldest was sent of the first 32 messages that could be received now; None when there is none."""
        ...


class Store(Documents, Queues, Protocol):
    """Both halves; `groundswell/store/sqlite.py` and `azure.py` are the adapters."""

    def close(self) -> None: ...
