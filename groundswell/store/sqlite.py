"""The embedded store: everything in one SQLite file, for one machine.

It keeps the promises of the port as Azure Storage does (limits included), so that what runs on it runs on Azure.
SQLite compares text byte by byte, and UTF-8 keeps the order of code points.
"""

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from groundswell.errors import ConflictError, NotFoundError
from groundswell.store import codec, keys, limits, versions
from groundswell.store.limits import Checked
from groundswell.store.port import ANY, Delete, Message, Record, Write
from groundswell.store.sqlite_file import SqliteFile

_PAGE = 500
_AFTER_ALL_TEXT = b""  # SQLite sorts every BLOB after every TEXT

_GET = "SELECT row, value, etag FROM documents WHERE tbl = ? AND partition = ? AND row = ?"
_SCAN = """SELECT row, value, etag FROM documents
    WHERE tbl = ? AND partition = ? AND row {} ? AND row < ? ORDER BY row LIMIT ?"""
_SCAN_FROM, _SCAN_AFTER = _SCAN.format(">="), _SCAN.format(">")  # of two lower bounds SQLite would seek one only
_TABLES = "SELECT DISTINCT tbl FROM documents ORDER BY tbl"
_EVERY = """SELECT partition, row, value, etag FROM documents
    WHERE tbl = ? AND (partition, row) > (?, ?) ORDER BY partition, row LIMIT ?"""
_INSERT = """INSERT INTO documents (value, etag, tbl, partition, row) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING"""
_UPSERT = """INSERT INTO documents (value, etag, tbl, partition, row) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET value = excluded.value, etag = excluded.etag"""
_REPLACE = "UPDATE documents SET value = ?, etag = ? WHERE tbl = ? AND partition = ? AND row = ? AND etag = ?"
_REMOVE = "DELETE FROM documents WHERE tbl = ? AND partition = ? AND row = ?"
_REMOVE_IF = f"{_REMOVE} AND etag = ?"

_SEND = "INSERT INTO messages (queue, body, inserted_at, expires_at, visible_at) VALUES (?, ?, ?, ?, ?)"
_EXPIRE = "DELETE FROM messages WHERE expires_at <= ?"
_VISIBLE = """SELECT id, body, dequeue_count, inserted_at, expires_at FROM messages
    WHERE queue = ? AND visible_at <= ? AND expires_at > ? ORDER BY visible_at, id LIMIT ?"""
_LEASE = "UPDATE messages SET receipt = ?, dequeue_count = ?, visible_at = ? WHERE id = ?"
_RENEW = """UPDATE messages SET receipt = ?, visible_at = ?
    WHERE queue = ? AND id = ? AND receipt = ? AND expires_at > ?"""
_DELETE = "DELETE FROM messages WHERE queue = ? AND id = ? AND receipt = ? AND expires_at > ?"
_OLDEST = """
    SELECT min(inserted_at) FROM (
        SELECT inserted_at FROM messages
        WHERE queue = ? AND expires_at > ? AND visible_at <= ? ORDER BY visible_at LIMIT 32
    )"""
_DEPTH = "SELECT count(*) FROM messages WHERE queue = ? AND expires_at > ?"


class SqliteStore:
    """The store in the file `path`. Threads may share one; processes each open their own."""

    def __init__(self, path: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self._file = SqliteFile(Path(path))
        self._clock = clock

    def close(self) -> None:
        self._file.close()

    def get(self, table: str, partition: str, row: str) -> Record | None:
        limits.check_table(table)
        limits.check_key("partition", partition)
        limits.check_key("row", row)
        with self._file.reading() as connection:
            found = connection.execute(_GET, (table, partition, row)).fetchone()
        return _record(table, found) if found else None

    def scan(
        self, table: str, partition: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Iterator[Record]:
        limits.check_scan(table, partition, prefix, after, limit)
        return self._pages(table, partition, prefix, after, limit)

    def _pages(self, table: str, partition: str, prefix: str, after: str, limit: int | None) -> Iterator[Record]:
        end = keys.end(prefix) or _AFTER_ALL_TEXT
        statement, start = (_SCAN_AFTER, after) if after >= prefix else (_SCAN_FROM, prefix)
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            with self._file.reading() as connection:
                page = connection.execute(statement, (table, partition, start, end, size)).fetchall()
            yield from (_record(table, found) for found in page)
            if len(page) < size:
                return
            statement, start = _SCAN_AFTER, page[-1][0]
            left = None if left is None else left - size

    def tables(self) -> list[str]:
        with self._file.reading() as connection:
            return [table for (table,) in connection.execute(_TABLES)]

    def every(self, table: str) -> Iterator[tuple[str, Record]]:
        limits.check_table(table)
        after = ("", "")
        while True:
            with self._file.reading() as connection:
                page = connection.execute(_EVERY, (table, *after, _PAGE)).fetchall()
            for partition, *found in page:
                yield partition, _record(table, found)
            if len(page) < _PAGE:
                return
            after = page[-1][:2]

    def commit(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        checked = limits.check_commit(table, partition, writes)
        if not checked:
            return []
        return self._file.write(lambda connection: [_apply(connection, table, partition, each) for each in checked])

    def send(self, queue: str, body: str, *, delay: float = 0.0) -> None:
        limits.check_queue(queue)
        limits.check_body(queue, body)
        limits.check_delay(delay)
        now = self._clock()

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(_EXPIRE, (now,))
            connection.execute(_SEND, (queue, body, now, now + limits.MESSAGE_LIFETIME, now + delay))

        self._file.write(insert)

    def receive(self, queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        limits.check_queue(queue)
        limits.check_receive(limit, lease)
        now = self._clock()
        with self._file.reading() as connection:
            if not _visible(connection, queue, now, limit=1):
                return []  # a poll that finds nothing must not keep writers waiting
        return self._file.write(lambda connection: _lease(connection, queue, now, limit, lease))

    def renew(self, queue: str, message: Message, *, lease: float) -> Message:
        limits.check_queue(queue)
        limits.check_delay(lease)
        now = self._clock()
        renewed = replace(message, receipt=uuid.uuid4().hex, visible_at=now + lease)
        parameters = (renewed.receipt, renewed.visible_at, queue, message.id, message.receipt, now)
        self._held(queue, message, _RENEW, parameters)
        return renewed

    def delete(self, queue: str, message: Message) -> None:
        limits.check_queue(queue)
        self._held(queue, message, _DELETE, (queue, message.id, message.receipt, self._clock()))

    def _held(self, queue: str, message: Message, statement: str, parameters: tuple[object, ...]) -> None:
        """Run `statement`, which must touch exactly the leased message."""
        if not self._file.write(lambda connection: connection.execute(statement, parameters).rowcount):
            raise NotFoundError(f"message {message.id} of queue {queue} is no longer leased to this receiver")

    def depth(self, queue: str) -> int:
        limits.check_queue(queue)
        with self._file.reading() as connection:
            count: int = connection.execute(_DEPTH, (queue, self._clock())).fetchone()[0]
        return count

    def oldest(self, queue: str) -> float | None:
        limits.check_queue(queue)
        now = self._clock()
        with self._file.reading() as connection:
            at: float | None = connection.execute(_OLDEST, (queue, now, now)).fetchone()[0]
        return at


def _record(table: str, found: Sequence[Any]) -> Record:
    row, stored, etag = found
    value = codec.loads(stored if isinstance(stored, str) else codec.decompress(stored))
    versions.check_document(table, row, value)
    return Record(row=row, value=value, etag=etag)


def _apply(connection: sqlite3.Connection, table: str, partition: str, checked: Checked) -> str:
    """One write of a commit; returns its new ETag. Raises ConflictError, which undoes the whole commit."""
    write = checked.write
    at = (table, partition, write.row)
    if isinstance(write, Delete):
        etag = ""
        if write.etag == ANY:
            connection.execute(_REMOVE, at)
            return etag
        done = connection.execute(_REMOVE_IF, (*at, write.etag))
    else:
        etag = uuid.uuid4().hex
        document = (checked.text if checked.packed is None else checked.packed, etag, *at)
        if write.etag is None:
            done = connection.execute(_INSERT, document)
        elif write.etag == ANY:
            done = connection.execute(_UPSERT, document)
        else:
            done = connection.execute(_REPLACE, (*document, write.etag))
    if not done.rowcount:
        raise ConflictError(f"document {write.row!r} of table {table} was changed by somebody else; load it again")
    return etag


type _Visible = tuple[int, str, int, float, float]


def _visible(connection: sqlite3.Connection, queue: str, now: float, *, limit: int) -> list[_Visible]:
    return connection.execute(_VISIBLE, (queue, now, now, limit)).fetchall()


def _lease(connection: sqlite3.Connection, queue: str, now: float, limit: int, lease: float) -> list[Message]:
    messages = [
        Message(
            id=str(id_),
            body=body,
            receipt=uuid.uuid4().hex,
            dequeue_count=count + 1,
            inserted_at=inserted_at,
            expires_at=expires_at,
            visible_at=now + lease,
        )
        for id_, body, count, inserted_at, expires_at in _visible(connection, queue, now, limit=limit)
    ]
    connection.executemany(
        _LEASE, [(message.receipt, message.dequeue_count, message.visible_at, message.id) for message in messages]
    )
    return messages
