"""Scans that take their time, elsewhere: workers killed while they wait for them, and how often they look."""

import random

from tests.faults.effort import seeds
from tests.faults.harness import Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant, check_once, plant_of_all_kinds, undisturbed
from tests.faults.test_crashes import die_at

SECONDS = 100.0


def slow(make_plant: MakePlant, **rest: int) -> Plant:
    plant = plant_of_all_kinds(make_plant, **rest)
    plant.outside.scan_seconds = SECONDS
    return plant


def test_killed_while_scans_are_waited_for_the_end_is_the_same(make_plant: MakePlant) -> None:
    whole = undisturbed(make_plant)
    schedules = kills = 0
    for seed in seeds(25, 0.1):
        rng = random.Random(seed)
        plant = slow(make_plant, deliveries=1000)
        points = {rng.randrange(1, 2 * len(whole.calls)) for _ in range(rng.randrange(1, 20))}
        die_at(plant, points)
        plant.drive(rng=rng)
        died = sum(worker.deaths for worker in plant.workers)
        told = f"seed {seed}: killed {died} times of {sorted(points)}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=died, told=told)
        schedules, kills = schedules + 1, kills + died
    tell("killed while scans are waited for", schedules=schedules, faults=kills)


def test_a_slow_scan_is_looked_at_few_times_and_ends_as_a_fast_one(make_plant: MakePlant) -> None:
    looks: list[str] = []
    whole, plant = undisturbed(make_plant), slow(make_plant)
    plant.fault = lambda worker, port, verb, done: (
        looks.append(verb) if (port, done) == ("scanner", False) else None
    )
    plant.drive()
    plant.check_end()
    assert plant.end() == whole.end
    scanned = len(plant.outside.scanned_since)
    assert 3 * scanned < len(looks) <= 8 * scanned, f"{len(looks)} looks at {scanned} scans of {SECONDS:.0f} s"
