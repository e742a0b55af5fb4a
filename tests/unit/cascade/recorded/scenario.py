"""What is recorded: a cascade of every kind of rebuild, at some moments, as it is stored and on the queues.

`python -m tests.unit.cascade.recorded.scenario v2` records it into `v2/` beside this file. A folder that belongs to
a release is never recorded again: it is what that release wrote.
"""

import gzip
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

from groundswell.cascade import model
from groundswell.cascade.backup import LEFT_OUT
from groundswell.lineage.model import Registration
from groundswell.store.port import ANY, Put, Store
from tests.support.world import BASE, QUEUES, World, ref, registration, workload

HERE = Path(__file__).parent
MOMENTS = ("pushed", "planned", "building", "deploying", "ended")
_ID = "0z8681rec0"

type Recording = Mapping[str, Any]
"""`documents`, each [table, partition, row, value], and `messages`, each [queue, body]."""


def images() -> Sequence[Registration]:
    return (
        registration("top", BASE),
        registration("left", ref("top"), deployments=[workload("w")]),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")], deployments=[workload("v")], approval="required"),
        registration("broken", ref("top")),
        registration("above", ref("broken")),
        registration("bad", ref("top")),
    )


def world_at(folder: Path) -> Iterator[tuple[str, World]]:
    """The world at each moment, the same one."""
    with patch("groundswell.cascade.planning.new_id", lambda at: _ID):
        world = World(folder, *images())
        world.broken.add("broken")
        world.vulnerable.add("bad")
        world.slow.add("w")
        world.push_base()
        try:
            yield "pushed", world
            _drive(world, lambda: bool(world.cascades))
            yield "planned", world
            _drive(world, lambda: "building" in world.statuses().values())
            yield "building", world
            _drive(world, lambda: world.statuses()["left"] == "deploying")
            yield "deploying", world
            world.slow.clear()
            world.drive()
            yield "ended", world
        finally:
            world.close()


def _drive(world: World, until: Any) -> None:
    for _ in range(2000):
        if until():
            return
        for name in QUEUES:
            taken = world.app.store.receive(name, limit=1)
            for message in taken:
                world.deliver(name, message.body)
                world.app.store.delete(name, message)
            if taken:
                break
        else:
            world.time += 1.0
    raise AssertionError(f"it did not come to that: {world.statuses()}")


def recording(world: World) -> Recording:
    """What is stored, and what is on its way. The world cannot go on after that: its messages are taken."""
    store = world.app.store
    documents = [
        [table, partition, record.row, record.value]
        for table in store.tables()
        for partition, record in store.every(table)
    ]
    messages = [[name, body] for name in QUEUES for body in _bodies(world, name)]
    found: Recording = json.loads(json.dumps({"documents": documents, "messages": messages}))
    return found


def _bodies(world: World, name: str) -> list[str]:
    """The messages of a queue, those to come as well; they are put back."""
    store, found = world.app.store, []
    world.time += 86_400.0
    while taken := store.receive(name, limit=32):
        for message in taken:
            found.append(message.body)
            store.delete(name, message)
    world.time -= 86_400.0
    for body in found:
        store.send(name, body)
    return found


def put_in(store: Store, recorded: Recording) -> None:
    """Make a store hold what was recorded."""
    for table, partition, row, value in recorded["documents"]:
        if table not in LEFT_OUT:
            store.commit(table, partition, [Put(row=row, value=value, etag=ANY)])
    for queue, body in recorded["messages"]:
        store.send(queue, body)


def load(version: str, moment: str) -> Recording:
    found: Recording = json.loads(gzip.decompress((HERE / version / f"{moment}.json.gz").read_bytes()))
    return found


def words() -> dict[str, list[str]]:
    """The words that records and messages are written in: all enumerations of the model."""
    kinds = [each for each in vars(model).values() if isinstance(each, type) and issubclass(each, StrEnum)]
    return {kind.__name__: sorted(kind) for kind in kinds if kind is not StrEnum}


def shapes(recorded: Recording) -> dict[str, list[str]]:
    """Which fields there are, by table and kind of row, and by kind of message; lists and maps seen through."""
    found: dict[str, set[str]] = {}
    for table, _, row, value in recorded["documents"]:
        kind = row.partition(":")[0] if ":" in row and table in ("cascades", "gathering", "good", "pools") else ""
        found.setdefault(f"{table} {kind}".strip(), set()).update(_fields(value))
    for queue, body in recorded["messages"]:
        message = json.loads(body)
        found.setdefault(f"{queue} {message.get('kind', '')}".strip(), set()).update(_fields(message))
    return {kind: sorted(fields) for kind, fields in sorted(found.items())}


_BY_NAME = {
    "waits",
    "built_on",
    "edges",
    "joins",
    "former",
    "running",
    "lines",
    "holds",
    "proof",
    "verdict",
    "inputs",
}
"""Fields whose keys are names of images and the like, or evidence that nobody decides on."""


def _fields(value: Any, under: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            path = f"{under}/{key}"
            yield path
            if key in _BY_NAME and isinstance(inner, Mapping):
                for each in inner.values():
                    yield from _fields(each, f"{path}/*")
            else:
                yield from _fields(inner, path)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each, under)


def main(version: str) -> None:
    folder = HERE / version
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for moment, world in world_at(Path(place)):
            text = json.dumps(recording(world), separators=(",", ":")).encode()
            (folder / f"{moment}.json.gz").write_bytes(gzip.compress(text, mtime=0))
    (folder / "words.json").write_text(json.dumps(words(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
