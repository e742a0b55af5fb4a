"""Scans that take their time, elsewhere: workers killed while they wait for them, and how often they look."""

from tests.faults.harness import Plant
from tests.faults.scenario import MakePlant, plant_of_all_kinds, undisturbed
from tests.faults.test_crashes import killed_at_random

SECONDS = 100.0


def slow(make_plant: MakePlant, **rest: int) -> Plant:
    plant = plant_of_all_kinds(make_plant, **rest)
    plant.outside.scan_seconds = SECONDS
    return plant


def test_killed_while_scans_are_waited_for_the_end_is_the_same(make_plant: MakePlant) -> None:
    killed_at_random(make_plant, slow, few=25, most=19, what="killed while scans are waited for")


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
