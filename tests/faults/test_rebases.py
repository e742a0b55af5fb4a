"""Rebases, and the builds that follow them, with the worker killed at every point and started again."""

from tests.faults.effort import SOAK
from tests.faults.harness import Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant
from tests.faults.tap import Killed
from tests.support.world import BASE, ref, registration, workload


def about_to_rebase(make_plant: MakePlant) -> Plant:
    """Two images that were built once, and a base that was pushed again."""
    plant = make_plant(
        registration("top", BASE, strategy="rebase"),
        registration("app", ref("top"), strategy="rebase-then-rebuild", deployments=[workload("web")]),
    )
    plant.push()
    plant.drive()
    assert sorted(plant.outside.built().elements()) == ["app", "top"]
    plant.push(version=2)
    return plant


def see_through(plant: Plant) -> None:
    """Drive until the sweep has left every cascade, too."""
    plant.drive()
    while plant.eye.engine.records.open():
        plant.time += 60.0
        plant.workers[0].sweep()
        plant.drive()


def test_killed_at_every_point_the_end_is_the_same(make_plant: MakePlant) -> None:
    plant = about_to_rebase(make_plant)
    before, calls = plant.calls, list[tuple[str, str, bool]]()
    plant.fault = lambda worker, port, verb, done: calls.append((port, verb, done))
    see_through(plant)
    plant.check_end()
    plant.check_content()
    end, built = plant.end(), plant.outside.built()
    assert built == {"top": 1, "app": 2}
    assert [(port, verb) for port, verb, done in calls if done].count(("registry", "rebase")) == 2
    points = [number for number, (*_, done) in enumerate(calls, start=before + 1) if done or SOAK]
    for point in points:
        plant = about_to_rebase(make_plant)
        assert plant.calls == before

        def die(worker: str, port: str, verb: str, done: bool, plant: Plant = plant, point: int = point) -> None:
            if plant.calls == point:
                raise Killed

        plant.fault = die
        see_through(plant)
        told = f"killed at call {point}: {calls[point - before - 1]}"
        assert sum(worker.deaths for worker in plant.workers) == 1, told
        assert plant.end() == end, told
        plant.check_end()
        plant.check_content()
        more = plant.outside.built() - built
        assert sum(more.values()) <= 1, (told, more)
    tell("killed at every point of a rebase", schedules=len(points), faults=len(points))
