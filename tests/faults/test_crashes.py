"""Killed at every point of a cascade and started again: the end is that of the run which nothing disturbed.

A kill loses what a worker had in memory and nothing else. So of two points between which nothing durable happened
one is enough: after every call that leaves something behind. A soak takes them all, before and after every call.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.effort import SOAK, seeds
from tests.faults.harness import Plant, cascade_of_all_kinds
from tests.faults.report import tell
from tests.faults.tap import Killed

type MakePlant = Callable[..., Plant]


def plant_of_all_kinds(make_plant: MakePlant, **rest: Any) -> Plant:
    plant = make_plant(*cascade_of_all_kinds(), static={"static", "page"}, vulnerable={"bad"}, **rest)
    plant.push()
    return plant


def undisturbed(make_plant: MakePlant) -> tuple[dict[str, Any], Counter[str], list[tuple[str, str, bool]]]:
    """How it ends, what was built, and every call that was made."""
    plant = plant_of_all_kinds(make_plant)
    calls: list[tuple[str, str, bool]] = []
    plant.fault = lambda worker, port, verb, done: calls.append((port, verb, done))
    plant.drive()
    plant.check_end()
    plant.check_content()
    assert set(plant.outside.built().values()) == {1}
    assert not plant.outside.repeated
    return plant.end(), plant.outside.built(), calls


def test_killed_at_every_point_the_end_is_the_same(make_plant: MakePlant) -> None:
    end, built, calls = undisturbed(make_plant)
    points = [number for number, (*_, done) in enumerate(calls, start=1) if done or SOAK]
    assert {verb for _, verb, _ in calls} >= {"commit", "send", "promote", "start", "scan", "patch", "delete"}
    for point in points:
        plant = plant_of_all_kinds(make_plant)
        plant.fault = lambda *_, plant=plant, point=point: die_at(plant, {point})
        plant.drive()
        told = f"killed at call {point}: {calls[point - 1]}"
        assert sum(worker.deaths for worker in plant.workers) == 1, told
        assert plant.end() == end, told
        plant.check_end()
        check_once(plant, built, kills=1, told=told)
    tell("killed at every point", schedules=len(points), faults=len(points))


def test_killed_again_and_again_the_end_is_the_same(make_plant: MakePlant) -> None:
    end, built, calls = undisturbed(make_plant)
    schedules = kills = 0
    for seed in seeds(60, 0.1):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant, deliveries=1000)
        points = {rng.randrange(1, 2 * len(calls)) for _ in range(rng.randrange(2, 40))}
        plant.fault = lambda *_, plant=plant, points=points: die_at(plant, points)
        plant.drive(rng=rng)
        died = sum(worker.deaths for worker in plant.workers)
        told = f"seed {seed}: killed {died} times of {sorted(points)}"
        assert plant.end() == end, told
        plant.check_end()
        check_once(plant, built, kills=died, told=told)
        schedules, kills = schedules + 1, kills + died
    tell("killed again and again", schedules=schedules, faults=kills)


def die_at(plant: Plant, points: set[int]) -> None:
    if plant.calls in points:
        raise Killed


def check_once(plant: Plant, built: Counter[str], *, kills: int, told: str) -> None:
    """No promotion is repeated but where its answer was lost, no run started but one more for every such loss."""
    assert len(plant.outside.repeated) <= kills, (told, plant.outside.repeated)
    more = plant.outside.built() - built
    assert sum(more.values()) <= kills, (told, more)
    assert all(count == 1 for count in more.values()), (told, more)
