"""Bad weather outside: events lost, doubled and late; services that err or do not answer; clocks that jump."""

import random
from collections.abc import Iterable

import pytest

from groundswell.errors import TemporaryError
from tests.faults.effort import seeds
from tests.faults.harness import TOOLS, Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant, check_once, plant_of_all_kinds, undisturbed

PORTS = ("store", "registry", "artifacts", "builder", "scanner", "signer", "deployer")
OFTEN = {"store": 0.02, "artifacts": 0.05}
"""The share of failing calls where many calls make up one step."""


def test_events_dropped_doubled_and_late_lead_to_the_same_end(make_plant: MakePlant) -> None:
    schedules = faults = 0
    for seed in seeds(40, 0.1):
        ends = []
        for weather in (False, True):
            rng = random.Random(seed)
            plant = plant_of_all_kinds(make_plant)
            events = Post(rng)
            if weather:
                plant.post = events
            for version in range(2, 5):
                plant.push(version=version)
                plant.drive(rng=rng, until=rng.uniform(0, 120))
                plant.push(TOOLS, version=version)
            plant.drive(rng=rng)
            plant.check_end()
            plant.check_content()
            ends.append(plant.end())
            faults += events.faults
        assert ends[0] == ends[1], f"seed {seed}"
        schedules += 1
    tell("events: 30 % dropped, 30 % doubled, 30 % late", schedules=schedules, faults=faults)


def test_messages_that_get_lost_are_sent_again_by_the_sweep(make_plant: MakePlant) -> None:
    whole = undisturbed(make_plant)
    schedules = faults = 0
    for seed in seeds(25, 0.05):
        plant = plant_of_all_kinds(make_plant)
        losses = Losses(plant, random.Random(seed))
        plant.drive()
        plant.check_end()
        assert plant.end() == whole.end, f"seed {seed}"
        schedules, faults = schedules + 1, faults + losses.count
    tell("messages lost, one in eight", schedules=schedules, faults=faults)


class Losses:
    """Some of the first hundred messages are gone before anybody deals with them."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self.rng = rng
        self.seen = self.count = 0
        plant.lose = self

    def __call__(self) -> bool:
        self.seen += 1
        lost = self.seen < 100 and self.rng.random() < 0.125
        self.count += lost
        return lost


def test_messages_doubled_are_acted_on_once(make_plant: MakePlant) -> None:
    whole = undisturbed(make_plant)
    schedules = faults = 0
    for seed in seeds(15, 0.04):
        plant = plant_of_all_kinds(make_plant)
        plant.twice = True
        plant.outside.seconds = {name: random.Random(seed).uniform(1, 90) for name in whole.built}
        plant.drive(rng=random.Random(seed))
        plant.check_end()
        assert plant.end() == whole.end, f"seed {seed}"
        check_once(plant, whole.built, losses=0, told=f"seed {seed}")
        schedules, faults = schedules + 1, faults + plant.calls
    tell("every message doubled, in any order", schedules=schedules, faults=faults)


class Post:
    """Delivers an event not at all, twice, late by up to an hour, or (one in ten) as it should."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.faults = 0

    def __call__(self, reference: str, digest: str) -> Iterable[float]:
        chance, late = self.rng.random(), self.rng.uniform(1, 3600)
        self.faults += chance < 0.9
        if chance < 0.3:
            return []
        if chance < 0.6:
            return [0.0, late]
        return [late] if chance < 0.9 else [0.0]


@pytest.mark.parametrize("port", PORTS)
def test_a_service_that_errs_now_and_then_costs_only_time(make_plant: MakePlant, port: str) -> None:
    """Before the call has taken effect, or after it: then the answer is lost, and what was asked for is done."""
    whole = undisturbed(make_plant)
    schedules = faults = replays = 0
    for seed in seeds(15, 0.04):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant)
        errors = Errors(plant, rng, port, share=OFTEN.get(port, 0.3))
        plant.drive(rng=rng)
        plant.heal_services()
        replays += plant.replay()
        told = f"{port}, seed {seed}"
        plant.check_end()
        assert plant.end() == whole.end, told
        assert sum((plant.outside.built() - whole.built).values()) <= errors.count, told
        schedules, faults = schedules + 1, faults + errors.count
    tell(f"the {port} errs now and then", schedules=schedules, faults=faults, more=f"{replays} replays by hand")


class Errors:
    """A share of the calls of a port fail, before or after they took effect."""

    def __init__(self, plant: Plant, rng: random.Random, port: str, *, share: float) -> None:
        self.rng = rng
        self.port = port
        self.share = share
        self.count = 0
        plant.fault = self

    def __call__(self, worker: str, port: str, verb: str, done: bool) -> None:
        if port == self.port and self.rng.random() < self.share:
            self.count += 1
            raise TemporaryError(f"{port} {verb} timed out", delay=1.0)


@pytest.mark.parametrize("port", PORTS)
def test_a_service_that_is_away_for_a_while_costs_only_time(make_plant: MakePlant, port: str) -> None:
    whole = undisturbed(make_plant)
    schedules = faults = replays = 0
    for seed in seeds(15, 0.04):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant)
        outage = Outage(plant, port, start=rng.randrange(len(whole.calls)), seconds=rng.uniform(5, 240))
        plant.drive(rng=rng)
        plant.heal_services()
        replays += plant.replay()
        told = f"{port}, seed {seed}"
        plant.check_end()
        assert plant.end() == whole.end, told
        schedules, faults = schedules + 1, faults + outage.count
    tell(f"the {port} is away for a while", schedules=schedules, faults=faults, more=f"{replays} replays by hand")


class Outage:
    """From its call `start` on, a port does not answer for some seconds, and each try takes one."""

    def __init__(self, plant: Plant, port: str, *, start: int, seconds: float) -> None:
        self.plant = plant
        self.port = port
        self.start = start
        self.seconds = seconds
        self.until: float | None = None
        self.count = 0
        plant.fault = self

    def __call__(self, worker: str, port: str, verb: str, done: bool) -> None:
        plant = self.plant
        if port != self.port or done or plant.calls < self.start:
            return
        if self.until is None:
            self.until = plant.time + self.seconds
            if port == "store":
                plant.store_back = self.until
        if plant.time < self.until:
            self.count += 1
            plant.time += 1.0
            raise TemporaryError(f"{port} does not answer", delay=5.0)


def test_clocks_that_jump_lead_to_the_same_end(make_plant: MakePlant) -> None:
    """Forward by hours, so that deadlines pass and leases end; backward by minutes."""
    whole = undisturbed(make_plant)
    schedules = faults = replays = 0
    for seed in seeds(40, 0.1):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant, workers=("a", "b"))
        jumps = Jumps(plant, rng)
        plant.drive(rng=rng)
        plant.heal_services()
        replays += plant.replay()
        plant.check_end()
        assert plant.end() == whole.end, f"seed {seed}"
        schedules, faults = schedules + 1, faults + jumps.count
    tell("clocks that jump", schedules=schedules, faults=faults, more=f"{replays} replays by hand")


class Jumps:
    """Some calls find the clock hours ahead or minutes back; one worker's clock may be alone in that."""

    def __init__(self, plant: Plant, rng: random.Random) -> None:
        self.plant = plant
        self.rng = rng
        self.count = 0
        plant.fault = self

    def __call__(self, worker: str, port: str, verb: str, done: bool) -> None:
        rng, plant = self.rng, self.plant
        if self.count >= 12 or rng.random() > 0.015:
            return
        self.count += 1
        jump = rng.choice((rng.uniform(600, 4 * 3600), -rng.uniform(10, 600)))
        if rng.random() < 0.5:
            plant.time += jump
        else:
            rng.choice(plant.workers).skew = jump
