"""NCRONTAB schedules, and timers on a clock that the test turns."""

import asyncio
import datetime as dt
import json
from typing import Any

import pytest

from groundswell.errors import InputError
from groundswell.local.host.ncrontab import Schedule
from groundswell.local.host.timers import Timer
from groundswell.local.host.worker import Function, Outcome


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


NEXT = [  # 2026-11-24 is a Tuesday
    ("0 * * * * *", "2026-11-24 12:00:00", "2026-11-24 12:01:00"),
    ("* * * * * *", "2026-11-24 12:00:00.9", "2026-11-24 12:00:01"),
    ("*/15 * * * * *", "2026-11-24 12:00:46", "2026-11-24 12:01:00"),
    ("30 */5 * * * *", "2026-11-24 12:05:30", "2026-11-24 12:10:30"),
    ("* * * * *", "2026-11-24 12:00:10", "2026-11-24 12:01:00"),
    ("0 30 9 * * mon-fri", "2026-11-27 09:30:00", "2026-11-30 09:30:00"),
    ("0 0 0 * * Sunday", "2026-11-24 00:00:00", "2026-11-29 00:00:00"),
    ("0 0 0 1 Jan *", "2026-11-24 00:00:00", "2027-01-01 00:00:00"),
    ("0 0 0 1 april,october *", "2026-11-24 00:00:00", "2027-04-01 00:00:00"),
    ("0 0 5/6 * * *", "2026-11-24 12:00:00", "2026-11-24 17:00:00"),
    ("0 0 8-18/5 * * *", "2026-11-24 13:00:00", "2026-11-24 18:00:00"),
    ("0 0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
    ("0 0 0 13 * 5", "2026-11-24 00:00:00", "2027-08-13 00:00:00"),  # the 13th and a Friday, unlike Unix cron
]


@pytest.mark.parametrize(("expression", "after", "expected"), NEXT)
def test_the_next_time(expression: str, after: str, expected: str) -> None:
    assert Schedule(expression).next(at(after)) == at(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "*/0 * * * * *",
        "*/ * * * * *",
        "5-1 * * * * *",
        "x * * * * *",
        "mon * * * * *",
        "* * * * monday *",
        "1,,2 * * * * *",
    ],
)
def test_what_is_not_a_schedule(expression: str) -> None:
    with pytest.raises(InputError):
        Schedule(expression)


def test_a_schedule_that_never_comes() -> None:
    with pytest.raises(InputError, match="never comes"):
        Schedule("0 0 0 30 2 *").next(at("2026-11-24"))


class World:
    """Time, which passes only by waiting and by what the function takes."""

    def __init__(self, *, waits: int, takes: float = 0.0, early: float = 0.0) -> None:
        self.now = at("2026-11-24 12:00:10").timestamp()
        self.waits = waits
        self.takes = takes
        self.early = early
        self.fired: list[str] = []
        self.told: list[dict[str, Any]] = []

    def __call__(self) -> float:
        return self.now

    async def wait(self, seconds: float) -> bool:
        assert seconds >= 0
        self.now += max(0.0, seconds - self.early)
        self.early = 0.0
        self.waits -= 1
        return self.waits < 0

    async def invoke(self, function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
        self.fired.append(dt.datetime.fromtimestamp(self.now, dt.UTC).strftime("%H:%M:%S"))
        self.told.append(json.loads(data.json))
        self.now += self.takes
        return Outcome(ok=False)  # a failure changes nothing


def timer(world: World, schedule: str, **more: object) -> Timer:
    trigger = {"type": "timerTrigger", "name": "timer", "schedule": schedule, **more}
    return Timer(Function(id="1", name="tick", trigger=trigger), world.invoke, now=world)


def test_it_fires_by_its_schedule() -> None:
    world = World(waits=3)
    asyncio.run(timer(world, "0 * * * * *").run(world.wait))
    assert world.fired == ["12:01:00", "12:02:00", "12:03:00"]
    status = world.told[1]["ScheduleStatus"]
    assert (status["Last"], status["Next"]) == ("2026-11-24T12:01:00+00:00", "2026-11-24T12:03:00+00:00")
    assert world.told[0]["ScheduleStatus"]["Last"].startswith("0001-01-01")
    assert world.told[0]["IsPastDue"] is False


def test_it_fires_at_the_start_too_when_asked() -> None:
    world = World(waits=1)
    asyncio.run(timer(world, "0 * * * * *", runOnStartup=True).run(world.wait))
    assert world.fired == ["12:00:10", "12:01:00"]


def test_times_that_pass_while_it_runs_are_skipped() -> None:
    world = World(waits=2, takes=150.0)
    asyncio.run(timer(world, "0 * * * * *").run(world.wait))
    assert world.fired == ["12:01:00", "12:04:00"]


def test_a_wait_that_ends_early_does_not_fire_twice() -> None:
    world = World(waits=3, early=0.5)
    asyncio.run(timer(world, "0 * * * * *").run(world.wait))
    assert world.fired == ["12:01:00", "12:02:00"]


def test_a_clock_that_is_set_back_does_not_fire_twice() -> None:
    world = World(waits=2, takes=-30.0)
    asyncio.run(timer(world, "0 * * * * *").run(world.wait))
    assert world.fired == ["12:01:00", "12:02:00"]


def test_it_never_overlaps_itself_even_by_hand() -> None:
    running, most = 0, 0

    async def invoke(function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Outcome(ok=True)

    async def main() -> list[Outcome]:
        trigger = {"type": "timerTrigger", "name": "timer", "schedule": "0 * * * * *"}
        one = Timer(Function(id="1", name="tick", trigger=trigger), invoke)
        return await asyncio.gather(*(one.fire() for _ in range(5)))

    assert len(asyncio.run(main())) == 5
    assert most == 1
