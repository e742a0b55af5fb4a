"""What only SQLite has: several processes, a file that can be wrong, and a clock of our own."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from groundswell.errors import PermanentError, TemporaryError
from groundswell.store import sqlite_file
from groundswell.store.port import ANY, Put
from groundswell.store.sqlite import SqliteStore
from tests.support.stores import Clock

INCREMENT = """
import sys
from groundswell.errors import ConflictError
from groundswell.store.port import Put
from groundswell.store.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
done = 0
while done < 40:
    record = store.get("counters", "p", "n")
    write = Put(row="n", value={"n": record.value["n"] + 1 if record else 1}, etag=record.etag if record else None)
    try:
        store.commit("counters", "p", [write])
    except ConflictError:
        continue
    done += 1
store.close()
"""

CONSUME = """
import sys
from groundswell.store.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
while messages := store.receive("work", limit=2):
    for message in messages:
        store.delete("work", message)
        print(message.body)
store.close()
"""

CRASH = """
import os, sys
from groundswell.store.port import Put
from groundswell.store.sqlite import SqliteStore

store = SqliteStore(sys.argv[1])
store.commit("crashes", "p", [Put(row="kept", value={}, etag=None)])
store._file.write(lambda connection: (
    connection.execute("INSERT INTO documents VALUES ('crashes', 'p', 'half', '{}', 'e')"),
    os.kill(os.getpid(), 9),
))
"""


def start(script: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", script, str(path)]
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True
    )


def test_two_processes_make_the_file_and_lose_no_increment(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    for process in [start(INCREMENT, path) for _ in range(2)]:
        assert process.communicate(timeout=60) == ("", None)
        assert process.returncode == 0
    store = SqliteStore(path)
    record = store.get("counters", "p", "n")
    assert record is not None
    assert record.value == {"n": 80}
    store.close()


def test_two_processes_share_a_queue(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    for n in range(60):
        store.send("work", str(n))
    consumers = [start(CONSUME, tmp_path / "store.db") for _ in range(2)]
    seen = [line for process in consumers for line in process.communicate(timeout=60)[0].split()]
    assert sorted(seen, key=int) == [str(n) for n in range(60)]
    assert store.depth("work") == 0
    store.close()


def test_a_killed_process_leaves_whole_commits(tmp_path: Path) -> None:
    process = start(CRASH, tmp_path / "store.db")
    process.communicate(timeout=60)
    assert process.returncode == -9
    store = SqliteStore(tmp_path / "store.db")
    assert [record.row for record in store.scan("crashes", "p")] == ["kept"]
    store.commit("crashes", "p", [Put(row="after", value={}, etag=None)])
    store.close()


def test_messages_expire_after_seven_days(tmp_path: Path) -> None:
    clock = Clock()
    store = SqliteStore(tmp_path / "store.db", clock=clock)
    store.send("work", "old")
    (held,) = store.receive("work", lease=6 * 24 * 3600)
    clock.advance(7 * 24 * 3600)
    assert store.depth("work") == 0
    assert store.receive("work") == []
    with pytest.raises(Exception, match="no longer leased"):
        store.delete("work", held)
    store.send("work", "new")
    assert [message.body for message in store.receive("work")] == ["new"]
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (1,)  # the old one was removed
    connection.close()
    store.close()


def test_the_longest_visible_message_comes_first(tmp_path: Path) -> None:
    clock = Clock()
    store = SqliteStore(tmp_path / "store.db", clock=clock)
    store.send("work", "delayed", delay=10)
    clock.advance(5)
    store.send("work", "sent later, visible earlier")
    clock.advance(10)
    assert [message.body for message in store.receive("work")] == ["sent later, visible earlier", "delayed"]
    store.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "store.db").close()
    connection = sqlite3.connect(tmp_path / "store.db")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(PermanentError, match="schema version 2, this Groundswell knows 1: upgrade"):
        SqliteStore(tmp_path / "store.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("not a database, but long enough to be one at first sight" * 100)
    with pytest.raises(PermanentError, match="is not a SQLite database"):
        SqliteStore(tmp_path / "store.db")


def test_a_path_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be opened"):
        SqliteStore(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(PermanentError, match="cannot be opened; check that the folder exists"):
        SqliteStore(tmp_path / "file" / "store.db")


def test_a_mistyped_path_makes_no_folders(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="cannot be opened; check that the folder exists"):
        SqliteStore(tmp_path / "nonexist" / "store.db")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_waits_for_another_process_and_then_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "_BUSY_TIMEOUT_MS", 1)
    store = SqliteStore(tmp_path / "store.db")
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")

    timer = threading.Timer(0.2, other.execute, ("COMMIT",))
    timer.start()
    store.commit("waits", "p", [Put(row="a", value={}, etag=None)])
    timer.join()

    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(sqlite_file, "_PATIENCE", 0.05)
    with pytest.raises(TemporaryError, match="busy"):
        store.commit("waits", "p", [Put(row="b", value={}, etag=None)])
    assert [record.row for record in store.scan("waits", "p")] == ["a"]  # a reader does not wait
    other.close()
    store.commit("waits", "p", [Put(row="b", value={}, etag=None)])
    store.close()


def test_threads_leave_no_connections_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")

    def use() -> None:
        store.commit("threads", "p", [Put(row="a", value={}, etag=ANY)])

    for _ in range(20):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    open_files = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert sum(name == str(tmp_path / "store.db") for name in open_files) <= 2
    store.close()
    store.close()  # twice is once
    with pytest.raises(RuntimeError, match="closed"):
        store.get("threads", "p", "a")


def test_a_scan_survives_writes_between_its_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.store.sqlite._PAGE", 2)
    store = SqliteStore(tmp_path / "store.db")
    store.commit("pages", "p", [Put(row=row, value={}, etag=None) for row in "acegi"])
    scan = store.scan("pages", "p")
    seen = [next(scan).row]
    store.commit("pages", "p", [Put(row="d", value={}, etag=None), Put(row="b", value={}, etag=None)])
    seen += [record.row for record in scan]
    assert seen == [
        "a",
        "c",
        "d",
        "e",
        "g",
        "i",
    ]  # what was added before the page that it was on is not gone back for
    store.close()
