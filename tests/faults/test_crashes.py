"""Killed at every point of a cascade and started again: the end is that of the run which nothing disturbed.

A kill loses what a worker had in memory and nothing else. So of two points between which nothing durable happened
one is enough: after every call that leaves something behind. A soak takes them all, before and after every call.
"""

import random
from collections.abc import Callable

from tests.faults.effort import SOAK, seeds
from tests.faults.harness import Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant, check_once, plant_of_all_kinds, undisturbed
from tests.faults.tap import Killed


def test_killed_at_every_point_the_end_is_the_same(make_plant: MakePlant) -> None:
    whole = undisturbed(make_plant)
    points = [number for number, (*_, done) in enumerate(whole.calls, start=1) if done or SOAK]
    assert {verb for _, verb, _ in whole.calls} >= {"commit", "send", "promote", "start", "scan", "patch", "delete"}
    for point in points:
        plant = plant_of_all_kinds(make_plant)
        die_at(plant, {point})
        plant.drive()
        told = f"killed at call {point}: {whole.calls[point - 1]}"
        assert sum(worker.deaths for worker in plant.workers) == 1, told
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=1, told=told)
    tell("killed at every point", schedules=len(points), faults=len(points))


def test_killed_again_and_again_the_end_is_the_same(make_plant: MakePlant) -> None:
    killed_at_random(make_plant, plant_of_all_kinds, few=40, most=39, what="killed again and again")


def killed_at_random(
    make_plant: MakePlant, furnish: Callable[..., Plant], *, few: int, most: int, what: str
) -> None:
    """Cascades of the plant that `furnish` makes, each with up to `most` kills at points drawn by chance."""
    whole = undisturbed(make_plant)
    schedules = kills = 0
    for seed in seeds(few, 0.1):
        rng = random.Random(seed)
        plant = furnish(make_plant, deliveries=1000)
        points = {rng.randrange(1, 2 * len(whole.calls)) for _ in range(rng.randint(1, most))}
        die_at(plant, points)
        plant.drive(rng=rng)
        died = sum(worker.deaths for worker in plant.workers)
        told = f"seed {seed}: killed {died} times of {sorted(points)}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=died, told=told)
        schedules, kills = schedules + 1, kills + died
    tell(what, schedules=schedules, faults=kills)


def die_at(plant: Plant, points: set[int]) -> None:
    """Kill the worker that makes the plant's Nth call, for each of the points."""

    def die(worker: str, port: str, verb: str, done: bool) -> None:
        if plant.calls in points:
            raise Killed

    plant.fault = die
