"""One SQLite file, used by many threads and several processes at once.

Guarantees: a write that returned survives a crash of the process and of the machine (WAL, synchronous=FULL); writes
take turns (in this process by a lock, which is fair and needs no polling; between processes by SQLite's own), and
readers never wait for them. Connections are kept in a pool, because threads come and go.
"""

import contextlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from groundswell.errors import PermanentError, TemporaryError

SCHEMA_VERSION = 1
_SCHEMA = (
    """CREATE TABLE documents (
        tbl TEXT NOT NULL, partition TEXT NOT NULL, row TEXT NOT NULL,
        value NOT NULL,  -- JSON as TEXT; a large one compressed, as BLOB
        etag TEXT NOT NULL,
        PRIMARY KEY (tbl, partition, row)
    )""",
    """CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, body TEXT NOT NULL,
        receipt TEXT NOT NULL DEFAULT '', dequeue_count INTEGER NOT NULL DEFAULT 0,
        inserted_at REAL NOT NULL, expires_at REAL NOT NULL, visible_at REAL NOT NULL
    )""",
    "CREATE INDEX messages_by_turn ON messages (queue, visible_at, id)",
    "CREATE INDEX messages_by_expiry ON messages (expires_at)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)

_PATIENCE = 30.0  # seconds that a write waits for others before it gives up
_BUSY_TIMEOUT_MS = 5000
_PAUSE = 0.005  # where SQLite says "busy" at once instead of waiting

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PASSING = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL})
_LASTING = {
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the folder exists and may be written",
    sqlite3.SQLITE_READONLY: "is read-only; check its owner and permissions",
    sqlite3.SQLITE_PERM: "may not be accessed; check its owner and permissions",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "is not a SQLite database; name another file",
}


class SqliteFile:
    """Connections to the database at `path`, made with its schema when there is none; its folder must be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._pool_lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _close_all, self._idle)  # also at interpreter exit
        self._prepare()

    def close(self) -> None:
        """Close every connection; one that is in use closes when its user is done."""
        with self._pool_lock:
            self._closed = True
            self._finalizer()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, one statement at a time."""
        with self._translated(), self._connection() as connection:
            yield connection

    def write[T](self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` in a transaction of its own: all of it is stored, or, when it raises, nothing.

        `act` is run again when another process was in the way, so all it may touch is the database.
        """
        deadline = time.monotonic() + _PATIENCE
        if not self._write_lock.acquire(timeout=_PATIENCE):
            raise self._busy()
        try:
            with self._translated(), self._connection() as connection:
                return _transaction(connection, act, deadline)
        finally:
            self._write_lock.release()

    def _prepare(self) -> None:
        with self.reading() as connection:
            version = _version(connection)
        if version == 0:
            version = self.write(_create)
        if version != SCHEMA_VERSION:
            self.close()
            raise PermanentError(
                f"the store {self._path} has schema version {version}, this Groundswell knows {SCHEMA_VERSION}: "
                "upgrade Groundswell, or name another file"
            )

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._pool_lock:
            if self._closed:
                raise RuntimeError(f"the store {self._path} is closed")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool_lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            deadline = time.monotonic() + _PATIENCE
            # Turning WAL on needs the file alone, and does not wait for it by itself.
            _until_free(deadline, lambda: connection.execute("PRAGMA journal_mode = WAL"))
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            code = _code(exc)
            if code in _BUSY:
                raise self._busy() from exc
            if code in _PASSING:
                raise TemporaryError(f"the store {self._path} cannot be used just now: {exc}") from exc
            if remedy := _LASTING.get(code):
                raise PermanentError(f"the store {self._path} {remedy}") from exc
            raise  # a fault in our own SQL

    def _busy(self) -> TemporaryError:
        return TemporaryError(f"the store {self._path} is kept busy by others for over {_PATIENCE:.0f} s")


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _code(exc: sqlite3.Error) -> int:
    """The primary result code; 0 where the error is the sqlite3 module's own."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def _until_free[T](deadline: float, act: Callable[[], T]) -> T:
    while True:
        try:
            return act()
        except sqlite3.OperationalError as exc:
            if _code(exc) not in _BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _transaction[T](connection: sqlite3.Connection, act: Callable[[sqlite3.Connection], T], deadline: float) -> T:
    def attempt() -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = act(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    return _until_free(deadline, attempt)


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _create(connection: sqlite3.Connection) -> int:
    if _version(connection) == 0:  # else another process was first
        for statement in _SCHEMA:
            connection.execute(statement)
    return _version(connection)
