"""Backup and restore, from each kind of store into each: what comes back, and a cascade in flight goes on."""

import gzip
import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from groundswell import audit
from groundswell.cascade import backup
from groundswell.cascade.backup import LEFT_OUT
from groundswell.cascade.restoring import restore
from groundswell.errors import InputError, NewerError
from groundswell.local.azurite import Azurite
from groundswell.store.azure import AzureStore
from groundswell.store.port import ANY, Put, Record, Store
from groundswell.store.sqlite import SqliteStore
from groundswell.wiring import App
from tests.support import azurite as azurite_support
from tests.support.stores import noise
from tests.support.world import BASE, QUEUES, World, ref, registration, workload

azurite = azurite_support.azurite
NOW = 1_800_000_000.0
type Documents = dict[tuple[str, str, str], Any]
type MakeStore = Callable[[str], Store]


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.stack)])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Makes empty stores. Azurite has one account: each store there finds it emptied."""
    made: list[Store] = []

    def make(name: str) -> Store:
        if request.param == "sqlite":
            made.append(SqliteStore(tmp_path / f"{name}.db"))
        else:
            running = request.getfixturevalue("azurite")
            store = AzureStore.from_connection_string(running.connection_string)
            made.append(store)
            empty(store)
        return made[-1]

    yield make
    for store in made:
        store.close()


def empty(store: AzureStore) -> None:
    from groundswell.cascade.restoring import _clear

    for table in store.tables():
        _clear(store, table)


def take(store: Store) -> io.BytesIO:
    file = io.BytesIO()
    backup.write(store, file, at=NOW)
    file.seek(0)
    return file


def put_back(store: Store, file: BinaryIO, *, force: bool = False) -> backup.Summary:
    return restore(store, file, force=force, who="ann", why="a test", clock=lambda: NOW)


def contents(store: Store, *but: str) -> Documents:
    return {
        (table, partition, record.row): record.value
        for table in store.tables()
        if table not in but
        for partition, record in store.every(table)
    }


def fill(store: Store) -> None:
    awkward = ["a", "b/ü?#", "c:\u00e9\U0001f600", "z" * 200]
    for partition in awkward:
        store.commit(
            "lineage", partition, [Put(row=row, value={"at": [partition, row]}, etag=ANY) for row in awkward]
        )
    store.commit("tokens", "tokens", [Put(row="large", value={"text": noise(900_000)}, etag=ANY)])
    many = [Put(row=f"r{number:04}", value={"n": number, "lone": "\ud800"}, etag=ANY) for number in range(100)]
    for part in ("one", "two"):
        store.commit("good", part, many)
    store.commit("answers", "answers", [Put(row="a", value={}, etag=ANY)])


def test_what_was_stored_comes_back(make_store: MakeStore, tmp_path: Path) -> None:
    first = make_store("first")
    fill(first)
    kept = contents(first, *LEFT_OUT)
    file = take(first)
    second = make_store("second")
    summary = put_back(second, file)
    assert contents(second, "audit") == kept
    assert (summary.documents, summary.at) == (len(kept), NOW)
    (entry,) = audit.entries(second)
    assert (entry["who"], entry["action"], entry["why"]) == ("ann", "restore", "a test")
    assert entry["after"]["sha256"] == summary.sha256


def test_only_into_an_empty_store_unless_forced(make_store: MakeStore) -> None:
    store = make_store("one")
    fill(store)
    audit.record(store, at=NOW, who="bob", action="x", subject="s", why="w", before={}, after={})
    file = take(store)
    before = contents(store)
    store.commit("lineage", "later", [Put(row="r", value={}, etag=ANY)])
    audit.record(store, at=NOW + 1, who="bob", action="later", subject="s", why="w", before={}, after={})
    with pytest.raises(InputError, match=r"the store is not empty \(1 in answers, 2 in audit, .*--force"):
        put_back(store, file)
    file.seek(0)
    put_back(store, file, force=True)
    assert contents(store, "audit") == {
        key: value for key, value in before.items() if key[0] not in ("audit", "answers")
    }
    assert {entry["action"] for entry in audit.entries(store)} == {"x", "later", "restore"}


@pytest.mark.parametrize("moment", ["pushed", "planned", "building", "scanning", "held", "deploying"])
def test_a_cascade_in_flight_is_finished_after_a_restore(moment: str, tmp_path: Path) -> None:
    """In a new store, by an instance that knows nothing else; the queues of before are gone."""
    whole = World(make(tmp_path, "whole"), *diamond())
    lost = World(make(tmp_path, "lost"), *diamond())
    for world in (whole, lost):
        world.push_base()
    whole.drive()
    assert drive_to(lost, moment)
    file = take(lost.app.store)
    app = lost.another()
    store = SqliteStore(tmp_path / "new.db", clock=lambda: lost.time)
    put_back(store, file)
    replace_store(lost, store)
    settle(lost)
    assert statuses(lost) == statuses(whole)
    assert lost.app.engine.pool().running == {}
    assert stable_tags(lost) == stable_tags(whole)
    assert len(lost.deployer.patches) == 1
    app.store.close()
    for world in (whole, lost):
        world.close()


class InTables(SqliteStore):
    """Documents in Azure Tables; the queues, which no backup holds, in a file, where time is the world's."""

    def __init__(self, azurite: Azurite, path: Path, clock: Callable[[], float]) -> None:
        super().__init__(path, clock=clock)
        self.account = AzureStore.from_connection_string(azurite.connection_string)
        for name in ("get", "scan", "tables", "every", "commit"):
            setattr(self, name, getattr(self.account, name))
        empty(self.account)

    def close(self) -> None:
        super().close()
        self.account.close()


@pytest.mark.stack
def test_one_in_azure_tables_is_finished_after_a_restore_there(azurite: Azurite, tmp_path: Path) -> None:
    """As above, out of an account and into one that holds nothing."""
    images = diamond()[:2]
    whole = World(make(tmp_path, "whole"), *images)
    whole.push_base()
    whole.drive()
    lost: World = World(tmp_path, *images, store=InTables(azurite, tmp_path / "old", lambda: lost.time))
    lost.push_base()
    assert drive_to(lost, "building")
    file = take(lost.app.store)
    lost.app.store.close()
    store = InTables(azurite, tmp_path / "new", lambda: lost.time)
    assert contents(store) == {}
    put_back(store, file)
    lost.app = App(lost.app.settings, lambda: lost.time)
    lost._equip(lost.app, store)
    assert lost.app.engine.records.open() == lost.cascades
    settle(lost, rounds=6)
    assert statuses(lost) == statuses(whole) == {"top": "done", "left": "done"}
    assert lost.app.engine.pool().running == {}
    assert stable_tags(lost) == stable_tags(whole)
    assert len(lost.deployer.patches) == 1
    for world in (whole, lost):
        world.close()


@pytest.mark.parametrize("every", [1, 2, 3, 5, 8])
def test_one_that_is_taken_while_the_cascade_moves_is_good(every: int, tmp_path: Path) -> None:
    """A step of the app between each few documents that the backup reads."""
    whole, world = World(make(tmp_path, "whole"), *diamond()), World(make(tmp_path, "moving"), *diamond())
    whole.push_base()
    whole.drive()
    world.push_base()
    drive_to(world, "building")
    file = io.BytesIO()
    backup.write(Moving(world, every), file, at=NOW)
    file.seek(0)
    store = SqliteStore(tmp_path / "new.db", clock=lambda: world.time)
    put_back(store, file)
    replace_store(world, store)
    settle(world)
    # Tags that were promoted after the book was read are news to it: a second cascade may follow.
    for cascade in world.cascades:
        header = world.app.engine.records.header(cascade).value
        assert (header.open, header.total) == (0, len(world.statuses(cascade)))
        assert set(world.statuses(cascade).values()) <= {"done", "unchanged"}
    assert len(statuses(world)) == 4
    assert stable_tags(world) == stable_tags(whole)
    whole.close()
    assert world.app.engine.records.open() == []
    world.close()


class Moving:
    """A store to read from while the world goes on."""

    def __init__(self, world: World, every: int) -> None:
        self.world, self.step = world, every

    def tables(self) -> list[str]:
        return self.world.app.store.tables()

    def every(self, table: str) -> Iterator[tuple[str, Record]]:
        after: tuple[str, str] = ("", "")
        while True:  # one page a step: what is read later is younger
            rest = [each for each in self.world.app.store.every(table) if (each[0], each[1].row) > after]
            if not rest:
                return
            for partition, record in rest[: self.step]:
                after = (partition, record.row)
                yield partition, record
            step(self.world)


def test_the_restored_store_counts_and_lists_what_is_there(tmp_path: Path) -> None:
    world = World(make(tmp_path, "one"), *diamond())
    world.push_base()
    drive_to(world, "building")
    cascade = world.cascade
    lines = [json.loads(line) for line in gzip.decompress(take(world.app.store).read()).splitlines()]
    for line in lines:
        if line.get("row") == "cascade":
            line["value"] = {**line["value"], "open": 0, "total": 9, "phase": "ended", "ended_at": NOW}
    lines = [line for line in lines if line.get("table") != "index"]
    store = SqliteStore(tmp_path / "new.db", clock=lambda: world.time)
    put_back(store, packed(lines))
    replace_store(world, store)
    records = world.app.engine.records
    header = records.header(cascade).value
    assert (header.open, header.total, header.phase.value, header.ended_at) == (4, 4, "running", None)
    assert records.open() == [cascade] == world.cascades
    assert records.holders.of(["bottom"], since=cascade) == {cascade}
    world.close()


def packed(lines: list[dict[str, Any]]) -> io.BytesIO:
    import hashlib

    text = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines[:-1])
    end = {"end": len(lines) - 2, "sha256": hashlib.sha256(text).hexdigest()}
    return io.BytesIO(gzip.compress(text + json.dumps(end).encode() + b"\n"))


def test_what_is_damaged_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "first.db")
    fill(first)
    whole = take(first).read()
    text = gzip.decompress(whole)
    bad = {
        "empty": b"",
        "no gzip": b"{}\n",
        "cut": whole[: len(whole) // 2],
        "cut in its text": gzip.compress(text[: len(text) // 2]),
        "without its end": gzip.compress(text[: text.rindex(b"\n", 0, -1) + 1]),
        "another value": gzip.compress(text.replace(b'{"n":7,', b'{"n":8,', 1)),
        "a line less": gzip.compress(text.replace(text.splitlines(keepends=True)[5], b"", 1)),
        "more behind": gzip.compress(text + b"{}\n"),
        "no object": gzip.compress(b"[]\n"),
        "no backup": gzip.compress(b'{"a":1}\n'),
        "no document": gzip.compress(b'{"groundswell-backup":1,"at":1}\n{"x":1}\n'),
        "a number for a table": gzip.compress(
            b'{"groundswell-backup":1}\n{"table":1,"partition":"p","row":"r","value":{}}\n'
        ),
    }
    second = SqliteStore(tmp_path / "second.db")
    for what, content in bad.items():
        with pytest.raises(InputError, match=r"damaged at line \d|no backup of Groundswell"):
            put_back(second, io.BytesIO(content))
        assert second.tables() == [], what
    first.close()
    second.close()


def test_a_newer_programs_backup_is_left_alone(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "first.db")
    with pytest.raises(NewerError, match="the backup has schema version 2"):
        put_back(store, io.BytesIO(gzip.compress(b'{"groundswell-backup":2}\n')))
    document = {"table": "bases", "partition": "bases", "row": "r", "value": {"v": 7}}
    lines = [{"groundswell-backup": 1, "at": 1.0}, document, {}]
    with pytest.raises(NewerError, match="document 'r' of table bases has schema version 7"):
        put_back(store, packed(lines))
    assert store.tables() == []
    with pytest.raises(InputError, match="needs a reason"):
        restore(store, io.BytesIO(), force=False, who="ann", why=" ", clock=time.time)
    store.close()


# The world.


def make(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def diamond() -> list[Any]:
    return [
        registration("top", BASE),
        registration("left", ref("top"), deployments=[workload("w")]),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")]),
    ]


def statuses(world: World) -> dict[str, str]:
    return world.statuses(world.cascades[-1])


def stable_tags(world: World) -> dict[str, str]:
    return {name: digest for name, digest in world.registry.tags.items() if ":gs-" not in name}


def step(world: World) -> bool:
    """One message; False when there is none, and time has passed instead."""
    for name in QUEUES:
        for message in world.app.store.receive(name, limit=1):
            world.deliver(name, message.body)
            world.app.store.delete(name, message)
            return True
    world.time += 1.0
    return False


def drive_to(world: World, moment: str) -> bool:
    """Drive until some rebuild is there."""
    for _ in range(300):
        found = world.cascades and world.statuses()
        if moment == "pushed" or (moment == "planned" and found):
            return True
        if found and moment == "held":
            world.app.operator.hold(world.cascade, "left", who="ann", why="wait")
            world.drive()
            return world.statuses()["left"] == "held"
        if found and moment in found.values():
            return True
        if moment == "deploying":
            world.slow.add("w")
        step(world)
    return False


def replace_store(world: World, store: Store) -> None:
    world.app.store.close()
    world.app = App(world.app.settings, lambda: world.time)
    world._equip(world.app, store)


def settle(world: World, *, rounds: int = 40) -> None:
    """As the timers do it, until nothing is left to do."""
    world.slow.clear()
    for number in range(rounds):
        world.time += 61.0
        if number % 5 == 0:
            world.app.reconcile.bases()
        world.app.sweep.run()
        world.drive(until=60.0)
        if number == 3:
            for cascade in world.cascades:
                for image, status in world.statuses(cascade).items():
                    if status == "held":
                        world.app.operator.release(cascade, image, who="ann", why="go on")
