"""What is counted, and what the gauges tell and for how long."""

from pathlib import Path

import pytest

from groundswell.cascade.engine import REBUILDS
from groundswell.cascade.observing import observe_with
from groundswell.cascade.records import Records
from groundswell.cascade.schedule import DEFAULT
from groundswell.telemetry.gauges import levels
from groundswell.telemetry.measures import FRESH
from groundswell.telemetry.names import METRICS, Metric
from tests.support.world import BASE, World, registration, workload
from tests.unit.telemetry.conftest import Watched, watch


def counts(watched: Watched, name: str) -> dict[str, float]:
    """A counter's values, or a histogram's counts, by the values of their attributes."""
    return {
        "/".join(str(value) for _, value in sorted(about.items())): getattr(point, "value", None)
        or getattr(point, "count", 0)
        for about, point in watched.points(name)
    }


def test_what_a_good_cascade_counts(watched: Watched) -> None:
    world = watched.world
    world.takes = {"bottom": 3}
    world.push_base()
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    world.app.sweep.run()
    assert counts(watched, "groundswell.verdicts") == {"true": 2}
    assert counts(watched, "groundswell.stage.duration")["verifying/build"] == 2
    assert counts(watched, "groundswell.stage.duration")["done/rollout"] == 1
    assert counts(watched, "groundswell.cascade.lag") == {"done": 1}
    ((_, lag),) = watched.points("groundswell.cascade.lag")
    assert header.ended_at is not None
    assert lag.sum == pytest.approx(header.ended_at - header.started_at)
    assert lag.sum > 0
    pushes = counts(watched, "groundswell.pushes")
    assert (pushes["settling"], pushes["cascade"]) == (1, 1)
    assert counts(watched, "groundswell.failures") == {}
    world.app.sweep.run()
    assert counts(watched, "groundswell.cascade.lag") == {"done": 1}  # told once


@pytest.mark.parametrize(
    ("harm", "metric", "expected"),
    [
        ("broken", "groundswell.failures", {"build": 1}),
        ("vulnerable", "groundswell.verdicts", {"false": 1}),
        ("unhealthy", "groundswell.rollbacks", {"": 1}),
        ("unhealthy", "groundswell.failures", {"deploy": 1}),
    ],
)
def test_what_goes_wrong_is_counted_once(
    tmp_path: Path, harm: str, metric: str, expected: dict[str, float]
) -> None:
    world = World(tmp_path, registration("bottom", BASE, deployments=[workload("bottom")]))
    getattr(world, harm).add("bottom")
    watched = watch(world)
    try:
        world.push_base()
        world.drive(double=True)
        world.app.sweep.run()
        assert counts(watched, metric) == expected
        assert counts(watched, "groundswell.cascade.lag") == {"incomplete": 1}
    finally:
        observe_with(None)
        world.close()


def test_a_message_that_gave_up(watched: Watched) -> None:
    world = watched.world
    world.push_base()
    world.drive(until=40)
    (message, *_) = world.app.store.receive(REBUILDS)
    world.app.engine.poisoned(message.body)
    assert counts(watched, "groundswell.messages.given_up") == {"rebuilds": 1}


def test_the_look_tells_queues_and_slots_for_a_while(watched: Watched) -> None:
    world, app = watched.world, watched.world.app
    world.takes = {"bottom": 100}
    world.push_base()
    world.drive(until=40)
    app.store.send("scans-poison", "x")
    world.time += 60
    watched.telemetry.look(levels(app.store, app.engine, {DEFAULT: 4, "large": 2}, app.clock))
    assert counts(watched, "groundswell.queue.depth")["scans-poison"] == 1
    assert counts(watched, "groundswell.queue.age")["scans-poison"] == 60
    assert counts(watched, "groundswell.queue.age")["scans"] == 0
    assert counts(watched, "groundswell.slots.used") == {"default": 1, "large": 0}
    assert counts(watched, "groundswell.slots.limit") == {"default": 4, "large": 2}
    assert counts(watched, "groundswell.cascades.open") == {"": 1}
    world.time += FRESH + 1  # another instance has the sweep by now
    assert counts(watched, "groundswell.queue.depth") == {}


def test_collecting_asks_nobody(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    app = watched.world.app
    watched.telemetry.look(levels(app.store, app.engine, {DEFAULT: 4}, app.clock))
    monkeypatch.setattr(Records, "open", lambda self: pytest.fail("asked"))
    for call in ("get", "scan", "depth", "oldest"):
        monkeypatch.setattr(app.store, call, lambda *_, **__: pytest.fail("asked"))
    assert watched.points("groundswell.queue.depth")


def test_a_timer_tells_when_it_ended_well(watched: Watched) -> None:
    watched.telemetry.timer("sweep")
    assert counts(watched, "groundswell.timer.last_success") == {"sweep": watched.world.time}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metrics_carry_the_attributes_that_they_are_said_to(tmp_path: Path, metric: Metric) -> None:
    world = World(tmp_path, registration("bottom", BASE, deployments=[workload("bottom")]))
    world.unhealthy.add("bottom")
    watched = watch(world)
    try:
        world.push_base()
        world.drive()
        world.app.sweep.run()
        watched.telemetry.timer("sweep")
        watched.telemetry.gave_up(REBUILDS)
        watched.telemetry.look(levels(world.app.store, world.app.engine, {DEFAULT: 4}, world.app.clock))
        found = watched.points(metric.name)
        assert found
        assert {frozenset(about) for about, _ in found} == {frozenset(metric.attributes)}
    finally:
        observe_with(None)
        world.close()
