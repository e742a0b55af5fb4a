"""What a store refuses, in one place, so that the adapters refuse the same things with the same words.

The limits are Azure's. Names and counts that only a programmer chooses raise ValueError; what comes from data
raises PermanentError, for a key InputError: somebody named what cannot be there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.errors import InputError, PermanentError
from groundswell.store import codec, keys
from groundswell.store.port import MAX_COMMIT, Put, Write

MAX_KEY = 512
"""Characters of an encoded key: 1 KiB as Azure counts it, in UTF-16."""

MAX_READABLE = 32_000
"""Characters of JSON kept as plain text; Azure ends a string property at 32 Ki characters."""

MAX_MESSAGE = 48 * 1024
"""Bytes of a message body; base64 makes it 64 KiB."""

MAX_RECEIVE = 32
MESSAGE_LIFETIME = 7 * 24 * 3600.0
"""Seconds until an unread message is dropped."""

_MAX_PAYLOAD = 4 * 1024 * 1024
_PART_OVERHEAD = 4 * 1024  # headers, keys and property names of one write in a batch, at most
_TABLE = re.compile(r"[a-z][a-z0-9]{2,62}")
_QUEUE = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Checked:
    """A write that may be sent: `text` is the JSON of a Put, `packed` that text compressed when it is large."""

    write: Write
    text: str = ""
    packed: bytes | None = None


def is_table(name: str) -> bool:
    """Whether a table may be one of ours, by its name."""
    return _TABLE.fullmatch(name) is not None


def check_table(table: str) -> None:
    if not _TABLE.fullmatch(table):
        raise ValueError(f"table name {table!r} must be 3 to 63 lower-case letters and digits, a letter first")


def check_queue(queue: str) -> None:
    if not _QUEUE.fullmatch(queue):
        raise ValueError(f"queue name {queue!r} must be 3 to 63 lower-case letters, digits and single inner dashes")


def check_key(kind: str, key: str) -> str:
    """The encoded form of a partition or row."""
    if not key:
        raise ValueError(f"a {kind} must not be empty")
    try:
        encoded = keys.encode(key)
    except UnicodeEncodeError as exc:
        raise InputError(f"{kind} {key!r} cannot be stored: it is not valid Unicode text") from exc
    if len(encoded) > MAX_KEY:
        raise InputError(f"{kind} {key[:80]!r}… is too long: {len(encoded)} characters encoded, at most {MAX_KEY}")
    return encoded


def check_scan(table: str, partition: str, prefix: str, after: str, limit: int | None) -> None:
    check_table(table)
    check_key("partition", partition)
    for kind, key in (("prefix", prefix), ("row", after)):
        if key:
            check_key(kind, key)
    if limit is not None and limit < 0:
        raise ValueError(f"limit must not be negative, not {limit}")


def check_commit(table: str, partition: str, writes: Sequence[Write]) -> list[Checked]:
    """The writes of a commit, ready to send."""
    check_table(table)
    check_key("partition", partition)
    if len(writes) > MAX_COMMIT:
        raise ValueError(f"a commit holds at most {MAX_COMMIT} writes, not {len(writes)}")
    if len({write.row for write in writes}) != len(writes):
        raise ValueError(f"a commit to table {table} names a row twice")
    checked = [_check_write(table, write) for write in writes]
    payload = sum(_payload(write) for write in checked)
    if payload > _MAX_PAYLOAD:
        raise PermanentError(
            f"a commit to table {table} is too large: {payload} bytes, at most {_MAX_PAYLOAD}; split it"
        )
    return checked


def _check_write(table: str, write: Write) -> Checked:
    check_key("row", write.row)
    if not isinstance(write, Put):
        return Checked(write)
    subject = f"document {write.row!r} of table {table}"
    text = codec.dumps(write.value, subject)
    return Checked(write, text, codec.compress(text, subject) if len(text) > MAX_READABLE else None)


def _payload(checked: Checked) -> int:
    """Bytes of this write in a batch: base64 when compressed, else JSON inside JSON."""
    if checked.packed is not None:
        return _PART_OVERHEAD + len(checked.packed) * 4 // 3
    return _PART_OVERHEAD + len(checked.text) + checked.text.count('"') + checked.text.count("\\")


def check_body(queue: str, body: str) -> bytes:
    """The body as bytes."""
    try:
        raw = body.encode()
    except UnicodeEncodeError as exc:
        raise PermanentError(f"a message for queue {queue} is not valid Unicode text") from exc
    if len(raw) > MAX_MESSAGE:
        raise PermanentError(f"a message for queue {queue} has {len(raw)} bytes, at most {MAX_MESSAGE}; send a key")
    return raw


def check_delay(delay: float) -> None:
    if not 0 <= delay < MESSAGE_LIFETIME:
        raise ValueError(f"a delay must be at least 0 and under {MESSAGE_LIFETIME:.0f} seconds, not {delay}")


def check_receive(limit: int, lease: float) -> None:
    if not 1 <= limit <= MAX_RECEIVE:
        raise ValueError(f"limit must be 1 to {MAX_RECEIVE} messages, not {limit}")
    if not 0 < lease < MESSAGE_LIFETIME:
        raise ValueError(f"a lease must be over 0 and under {MESSAGE_LIFETIME:.0f} seconds, not {lease}")
