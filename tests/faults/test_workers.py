"""Two workers on one store: one is paused in the middle of its work while the other goes on, then let go again.

While it stands still, everything it has read grows stale; after a lease's time its message is the other's too.
"""

import random

import pytest

from tests.faults.effort import SOAK, seeds
from tests.faults.harness import LEASE, Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant, check_once, plant_of_all_kinds, undisturbed

PAUSES = ("a breath", "a lease", "to the end")


@pytest.mark.parametrize("length", PAUSES)
def test_paused_at_every_point_the_end_is_the_same(make_plant: MakePlant, length: str) -> None:
    whole = undisturbed(make_plant)
    points = [number for number, (*_, done) in enumerate(whole.calls, start=1) if not done]
    if not SOAK:
        points = points[PAUSES.index(length) :: len(PAUSES)]
    paused = 0
    for point in points:
        plant = plant_of_all_kinds(make_plant, workers=("a", "b"))
        pauses = pause_at(plant, point, length)
        plant.drive()
        paused += len(pauses)
        told = f"paused for {length} at call {point}: {whole.calls[point - 1]}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=1, told=told)
    assert paused == len(points)
    tell(f"paused for {length}, another working", schedules=len(points), faults=paused)


def pause_at(plant: Plant, point: int, length: str) -> list[int]:
    """Let worker b work while a stands still before the plant's call number `point`; returns when it did."""
    first, other = plant.workers
    pauses: list[int] = []

    def pause(worker: str, port: str, verb: str, done: bool) -> None:
        if plant.calls < point or worker != first.name or done or pauses:
            return
        pauses.append(plant.calls)
        match length:
            case "a breath":
                plant.run_for(other, 4)
            case "a lease":
                plant.time += LEASE + 1
                plant.run_for(other, 40)
            case _:
                plant.time += LEASE + 1
                plant.drive(worker=other)

    plant.fault = pause
    return pauses


class Interleaving:
    """Pauses whoever works at random, and lets others work meanwhile, one of whom may be paused in turn."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self.plant = plant
        self.rng = rng
        self.share = rng.choice((0.01, 0.03, 0.1))
        self.paused: list[str] = []
        self.pauses = 0
        plant.fault = self

    def __call__(self, worker: str, port: str, verb: str, done: bool) -> None:
        rng = self.rng
        free = [each for each in self.plant.workers if each.name not in (worker, *self.paused)]
        if not free or rng.random() > self.share:
            return
        self.paused.append(worker)
        self.pauses += 1
        self.plant.time += rng.choice((0.0, 1.0, LEASE + 1))
        for _ in range(rng.randrange(1, 12)):
            rng.choice(free).turn(rng)
        if rng.random() < 0.2:
            rng.choice(free).sweep()
        self.paused.pop()


def test_paused_at_random_with_clocks_that_differ_the_end_is_the_same(make_plant: MakePlant) -> None:
    whole = undisturbed(make_plant)
    schedules = pauses = 0
    for seed in seeds(60, 0.1):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant, workers=("a", "b", "c"), deliveries=1000)
        plant.workers[1].skew, plant.workers[2].skew = rng.uniform(0, 1500), -rng.uniform(0, 300)
        interleaving = Interleaving(plant, rng)
        plant.drive(rng=rng)
        told = f"seed {seed}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=interleaving.pauses, told=told)
        schedules, pauses = schedules + 1, pauses + interleaving.pauses
    tell("three workers paused at random, their clocks apart", schedules=schedules, faults=pauses)
