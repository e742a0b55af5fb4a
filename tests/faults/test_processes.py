"""The real thing: processes on one SQLite file, killed with SIGKILL or stopped and let go on, at any moment."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from tests.faults.effort import SOAK, seeds
from tests.faults.harness import Plant
from tests.faults.report import tell
from tests.faults.scenario import MakePlant, check_once, plant_of_all_kinds, undisturbed
from tests.faults.shared import Site, work

SLOTS = 2
PATIENCE = 120.0
KILLS = 30


@pytest.fixture(scope="module")
def forks() -> Any:
    """Processes that begin with everything imported, made by a server that has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.shared"])
    return context


class Crew:
    """Workers by name, each a process that is started again when it is gone."""

    def __init__(self, forks: Any, folder: Path, names: str) -> None:
        self.forks = forks
        self.folder = folder
        self.workers: dict[str, BaseProcess] = {}
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        up = self.folder / f"up-{name}"
        up.unlink(missing_ok=True)
        self.workers[name] = self.forks.Process(target=work, args=(self.folder, name, SLOTS), daemon=True)
        self.workers[name].start()
        wait_for(up.exists, "the worker to come up")

    def kill(self, name: str) -> None:
        self.workers[name].kill()
        self.workers[name].join()
        self.workers[name].close()

    def signal(self, name: str, number: int) -> None:
        os.kill(self.workers[name].pid or 0, number)

    def dismiss(self) -> None:
        for name in self.workers:
            self.kill(name)


def wait_for(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.01)


def open_site(plant: Plant) -> Site:
    """The plant's outside and store for processes; the plant looks on."""
    site = Site.found(plant.folder, plant.outside)
    clock = site.clock()

    def on_outside(port: str, verb: str, args: Any, kwargs: Any) -> Any:
        with site.outside() as outside:
            return outside.call(port, verb, args, kwargs, clock())

    plant.elsewhere = on_outside
    return site


def busy(plant: Plant, site: Site) -> bool:
    """Whether there is something left to do."""
    with site.outside() as outside:
        plant.outside = outside
    plant.time = site.clock()()
    return not plant.idle()


def finish(plant: Plant, site: Site) -> None:
    wait_for(lambda: not busy(plant, site), "the cascades to end")


def test_killed_at_random_moments_the_end_is_the_same(make_plant: MakePlant, forks: Any) -> None:
    whole = undisturbed(make_plant)
    schedules = kills = 0
    for seed in seeds(1, 0.15):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant)
        site = open_site(plant)
        crew = Crew(forks, plant.folder, "a")
        try:
            for _ in range(KILLS):
                time.sleep(rng.uniform(0, 0.06))  # the moment is what is tested
                crew.kill("a")
                kills += busy(plant, site)
                crew.start("a")
            finish(plant, site)
        finally:
            crew.dismiss()
        plant.workers[0].sweep()  # a slot whose release was lost is free within a minute
        told = f"seed {seed}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=KILLS, told=told)
        schedules += 1
    tell("processes killed with SIGKILL", schedules=schedules, faults=kills)


def test_two_processes_stopped_and_let_go_on_the_end_is_the_same(make_plant: MakePlant, forks: Any) -> None:
    """Stopped for longer than a lease, so that both work on one message; now and then one is killed."""
    whole = undisturbed(make_plant)
    schedules = faults = 0
    for seed in seeds(1, 0.15):
        rng = random.Random(seed)
        plant = plant_of_all_kinds(make_plant)
        site = open_site(plant)
        crew = Crew(forks, plant.folder, "ab")
        try:
            for _ in range(40 if SOAK else 12):
                name = rng.choice("ab")
                time.sleep(rng.uniform(0, 0.04))
                crew.signal(name, signal.SIGSTOP)
                time.sleep(rng.choice((0.02, 0.1, 0.4)))
                crew.signal(name, signal.SIGCONT)
                if rng.random() < 0.2:
                    crew.kill(name)
                    crew.start(name)
                    faults += 1
                faults += 1
            finish(plant, site)
        finally:
            crew.dismiss()
        plant.workers[0].sweep()  # a slot whose release was lost is free within a minute
        told = f"seed {seed}"
        assert plant.end() == whole.end, told
        plant.check_end()
        check_once(plant, whole.built, losses=faults, told=told)
        schedules += 1
    tell("two processes stopped and let go on", schedules=schedules, faults=faults)
