"""Old and new instances on one store: what a newer program wrote is neither misread, nor lost, nor written over.

The newer program is this one, with another schema version: what is tested is what an old one does with it.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from groundswell import audit
from groundswell.cascade import codec, push
from groundswell.cascade.codec import command_from_text, command_to_text, rebuild_from_json, rebuild_to_json
from groundswell.cascade.model import Command, Kind
from groundswell.cascade.push import Push
from groundswell.errors import NewerError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.store import versions
from groundswell.store.port import ANY, Put, Write
from groundswell.wiring import App
from tests.support.world import BASE, HOST, QUEUES, World, ref, registration, workload

type MakeWorld = Callable[..., World]

PUSH = Push(id="e", registry=HOST, repository="mirror/debian", tag="12", digest="d", source="webhook")
COMMAND = Command(kind=Kind.SCAN, cascade="c", image="i", turn=1)


def diamond() -> Sequence[Registration]:
    return (
        registration("top", BASE),
        registration("left", ref("top"), deployments=[workload("w")]),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")]),
    )


@contextmanager
def program(*, writes: int, reads: int) -> Iterator[None]:
    """Within, this program is one of these schema versions, over today's."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (codec, push):
            patch.setattr(module, "VERSION", module.VERSION + writes)
            patch.setattr(module, "READ", module.READ + reads)
        patch.setattr(versions, "READ", {"cascades": codec.READ})
        yield


def newer(text: str) -> str:
    return json.dumps({**json.loads(text), "v": 99, "unheard_of": True})


def test_versions_that_are_written_are_read() -> None:
    assert codec.VERSION <= codec.READ == versions.READ.get("cascades", 1)
    assert push.VERSION <= push.READ


def test_a_newer_record_is_not_misread(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.push_base()
    world.drive()
    document = rebuild_to_json(world.states()["top"])
    assert rebuild_from_json(document).image == "top"
    with pytest.raises(NewerError, match="version 2, this program reads 1: it is left to the newer program"):
        rebuild_from_json({**document, "v": 2})


def test_a_newer_message_is_not_misread() -> None:
    with pytest.raises(NewerError, match="version 99"):
        command_from_text(newer(command_to_text(COMMAND)))
    with pytest.raises(NewerError, match="version 99"):
        Push.from_text(newer(PUSH.to_text()))


@pytest.mark.parametrize("how", ["delivered", "poisoned"])
@pytest.mark.parametrize(
    ("text", "queue"),
    [
        (newer(PUSH.to_text()), "pushes"),
        (newer(command_to_text(COMMAND)), "scans"),
        (json.dumps({"v": 2, "kind": "dance"}), "rebuilds"),
        (json.dumps({"v": 2, "kind": ["dance"]}), "rebuilds"),
        (json.dumps({"v": 2}), "rebuilds"),
    ],
)
def test_a_newer_message_goes_back_on_its_queue(make_world: MakeWorld, how: str, text: str, queue: str) -> None:
    world = make_world(*diamond())
    handler: Any = world.app.intake if queue == "pushes" else world.app.engine
    (handler.handle if how == "delivered" else handler.poisoned)(text)
    assert [world.app.store.depth(name) for name in QUEUES] == [int(name == queue) for name in QUEUES]
    assert world.app.store.receive(queue) == []  # not at once, over and over
    world.time += 61.0
    (message,) = world.app.store.receive(queue)
    assert message.body == text
    assert [entry["action"] for entry in audit.entries(world.app.store)] == ["register"]


def test_what_is_above_a_newer_record_waits_and_all_else_goes_on(make_world: MakeWorld) -> None:
    world = make_world(*diamond(), registration("other", f"{HOST}/mirror/tools:1"))
    world.push_base()
    world.deliver("pushes", world.app.store.receive("pushes")[0].body)
    record = world.app.store.get("cascades", world.cascade, "image:top")
    assert record is not None
    theirs = {**record.value, "v": 2, "unheard_of": True}
    world.app.store.commit("cascades", world.cascade, [Put(row="image:top", value=theirs, etag=record.etag)])
    world.push_base("sha256:tools", f"{HOST}/mirror/tools:1")
    instance = world.another()  # it remembers nothing
    for _ in range(10):
        run(world, instance, seconds=60.0)
        instance.sweep.run()
    cascade = world.cascades[0]
    assert world.statuses(cascade) == {"other": "done"}
    with program(writes=0, reads=1):
        kept = world.app.store.get("cascades", world.cascades[1], "image:top")
        assert kept is not None
        assert kept.value == theirs
    assert sum(map(world.app.store.depth, QUEUES)) == 1  # its message comes again and again
    mended = {key: value for key, value in theirs.items() if key not in ("v", "unheard_of")}
    world.app.store.commit("cascades", world.cascades[1], [Put(row="image:top", value=mended, etag=ANY)])
    world.drive()
    assert set(world.statuses(world.cascades[1]).values()) == {"done"}


@pytest.mark.parametrize("seed", range(3))
def test_a_rolling_upgrade_with_a_cascade_in_flight(make_world: MakeWorld, seed: int) -> None:
    world = make_world(*diamond())
    old, new = world.app, world.another()
    commits = [watch(app) for app in (old, new)]
    rng = random.Random(seed)
    world.push_base()
    for _ in range(400):
        version = rng.randrange(2)
        with program(writes=version, reads=version):
            run(world, new if version else old, seconds=rng.choice((0.0, 1.0, 30.0)), most=1)
            if rng.random() < 0.1:
                (new if version else old).sweep.run()
    with program(writes=1, reads=1):  # the old ones are gone
        finish(world, new)
        assert set(world.statuses().values()) == {"done"}
    assert any(commits), "no newer record was ever written"
    assert len(world.deployer.patches) == 1
    assert len(world.builder.requests) == 4  # nothing was built twice


@pytest.mark.parametrize("steps", [0, 3, 6, 9])
def test_back_to_a_program_that_does_not_read_it_nothing_is_lost(make_world: MakeWorld, steps: int) -> None:
    world = make_world(*diamond())
    world.push_base()
    with program(writes=1, reads=1):
        new = world.another()
        for _ in range(steps):
            run(world, new, seconds=5.0, most=1)
    for _ in range(20):
        old = world.another()
        run(world, old, seconds=60.0)
        old.sweep.run()
    with program(writes=1, reads=1):
        finish(world, world.another())
        assert set(world.statuses().values()) == {"done"}


@pytest.mark.parametrize("steps", [0, 3, 6, 9])
def test_back_to_a_program_that_reads_it_all_goes_on(make_world: MakeWorld, steps: int) -> None:
    world = make_world(*diamond())
    world.push_base()
    with program(writes=1, reads=1):
        new = world.another()
        for _ in range(steps):
            run(world, new, seconds=5.0, most=1)
    with program(writes=0, reads=1):
        finish(world, world.another())
        assert set(world.statuses().values()) == {"done"}


def test_the_api_says_to_come_again(make_world: MakeWorld) -> None:
    """It is no fault of the client, nor of this program: 503 and `Retry-After`, by being temporary."""
    with pytest.raises(TemporaryError) as refused:
        command_from_text(newer(command_to_text(COMMAND)))
    assert refused.value.delay == 60.0


def watch(app: App) -> list[str]:
    """Notes commits of newer records from now on, and fails one that puts an older in the place of a newer."""
    seen: list[str] = []
    commit = app.store.commit

    def watched(table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        for write in writes:
            if table == "cascades" and isinstance(write, Put) and write.row.startswith("image:"):
                with program(writes=1, reads=1):
                    known = app.store.get(table, partition, write.row)
                was = known.value["v"] if known and known.etag == write.etag else 0
                assert write.value["v"] >= was, f"{write.row} of version {was} was written over"
                seen.extend([write.row] if write.value["v"] > 1 else [])
        return commit(table, partition, writes)

    app.store.commit = watched  # type: ignore[method-assign]  # to look on
    return seen


def run(world: World, app: App, *, seconds: float, most: int = 32) -> None:
    """Let time pass, and let an instance deal with what there is then."""
    world.time += seconds
    for name in QUEUES:
        for message in app.store.receive(name, limit=most):
            if name == "pushes":
                app.intake.handle(message.body)
            else:
                app.engine.handle(message.body)
            app.store.delete(name, message)


def finish(world: World, app: App) -> None:
    for _ in range(60):
        run(world, app, seconds=61.0)
        app.sweep.run()
