"""What each release wrote is read by this one, and the shape of what is written is what was recorded.

When the second fails, records or messages have changed: read "A new shape" in docs/upgrade.md.
"""

import json
from pathlib import Path

import pytest

from groundswell.cascade import codec
from groundswell.cascade.codec import command_from_text, rebuild_from_json, rebuild_to_json
from groundswell.cascade.push import Push
from groundswell.cascade.records import header_from_json
from groundswell.store.sqlite import SqliteStore
from groundswell.wiring import App
from tests.support.world import QUEUES
from tests.unit.cascade.recorded.scenario import (
    HERE,
    MOMENTS,
    load,
    put_in,
    recording,
    shapes,
    words,
    world_at,
)

VERSIONS = sorted(path.name for path in HERE.glob("v*"))
NEWEST = f"v{codec.VERSION}"


def test_there_is_a_recording_of_what_is_written_today() -> None:
    assert NEWEST in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_each_record_and_message_is_read(version: str, moment: str) -> None:
    recorded = load(version, moment)
    for table, _, row, value in recorded["documents"]:
        if table == "cascades" and row == "cascade":
            assert header_from_json(value).total >= 0
        elif table == "cascades":
            state = rebuild_from_json(value)
            assert rebuild_from_json(json.loads(json.dumps(rebuild_to_json(state)))) == state
    for queue, body in recorded["messages"]:
        assert Push.from_text(body) if queue == "pushes" else command_from_text(body)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_what_was_in_flight_is_finished(version: str, moment: str, tmp_path: Path) -> None:
    """The services as they were at that moment; the store is that of the recording."""
    for name, world in world_at(tmp_path):
        if name != moment:
            continue
        ends = load(version, "ended")
        store = SqliteStore(tmp_path / "recorded.db", clock=world.app.clock)
        put_in(store, load(version, moment))
        world.app.store.close()
        world.app = App(world.app.settings, world.app.clock)
        world._equip(world.app, store)
        world.slow.clear()
        for _ in range(20):
            world.drive()
            world.time += 61.0
            world.app.sweep.run()
        recorded = {
            value["image"]: value["status"]
            for table, _, row, value in ends["documents"]
            if table == "cascades" and row != "cascade"
        }
        assert world.statuses() == recorded
        assert sum(map(store.depth, QUEUES)) == 0
        assert world.app.catalog.registration("top").name == "top"
        return


def test_the_shape_of_what_is_written_is_as_recorded(tmp_path: Path) -> None:
    for moment, world in world_at(tmp_path):
        assert shapes(recording(world)) == shapes(load(NEWEST, moment)), moment
    assert words() == json.loads((HERE / NEWEST / "words.json").read_text("utf-8"))
