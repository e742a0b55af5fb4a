"""The timer trigger: NCRONTAB schedules with seconds, in UTC; a function never overlaps itself."""

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from typing import Any

from groundswell.errors import InputError
from groundswell.local.host import protos
from groundswell.local.host.worker import Function, Outcome

_NAMES = {
    name: number
    for names, first in (("jan feb mar apr may jun jul aug sep oct nov dec", 1), ("sun mon tue wed thu fri sat", 0))
    for number, name in enumerate(names.split(), first)
}
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_YEARS = 5

type Invoke = Callable[[Function, Any, dict[str, Any]], Awaitable[Outcome]]


class Schedule:
    """`{second} {minute} {hour} {day} {month} {day of week}`; five fields mean second 0. All fields must match.

    Raises InputError when the expression is not one.
    """

    def __init__(self, expression: str) -> None:
        fields = expression.split()
        fields = ["0", *fields] if len(fields) == 5 else fields
        if len(fields) != 6:
            raise InputError(f"{expression!r} is not an NCRONTAB expression of six fields")
        self._expression = expression
        self._sets = [_values(text.lower(), *limits) for text, limits in zip(fields, _RANGES, strict=True)]

    def next(self, after: dt.datetime) -> dt.datetime:
        """The first time after `after` that matches."""
        seconds, minutes, hours, days, months, weekdays = self._sets
        at = after.replace(microsecond=0) + dt.timedelta(seconds=1)
        end = at + dt.timedelta(days=366 * _YEARS)
        while at < end:
            if at.month not in months or at.day not in days or at.isoweekday() % 7 not in weekdays:
                at = (at + dt.timedelta(days=1)).replace(hour=0, minute=0, second=0)
            elif at.hour not in hours:
                at = (at + dt.timedelta(hours=1)).replace(minute=0, second=0)
            elif at.minute not in minutes:
                at = (at + dt.timedelta(minutes=1)).replace(second=0)
            elif at.second not in seconds:
                at += dt.timedelta(seconds=1)
            else:
                return at
        raise InputError(f"the schedule {self._expression!r} never comes")


def _values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        try:
            first, last = _span(span, low, high, stepped=bool(step))
            width = int(step or 1)
        except (ValueError, KeyError) as exc:
            raise InputError(f"{part!r} is not part of an NCRONTAB expression") from exc
        if not low <= first <= last <= high or width < 1:
            raise InputError(f"{part!r} is not within {low}-{high}")
        found.update(range(first, last + 1, width))
    return found


def _span(text: str, low: int, high: int, *, stepped: bool) -> tuple[int, int]:
    if text == "*":
        return low, high
    first, dash, last = text.partition("-")
    begin = _number(first)
    if dash:
        return begin, _number(last)
    return begin, high if stepped else begin


def _number(text: str) -> int:
    return _NAMES[text] if text in _NAMES else int(text)


async def run(function: Function, invoke: Invoke, stopping: asyncio.Event) -> None:
    """Fire a function by its schedule until `stopping`."""
    schedule = Schedule(str(function.trigger["schedule"]))
    last: dt.datetime | None = None
    if function.trigger.get("runOnStartup"):
        last = dt.datetime.now(dt.UTC)
        await fire(function, invoke, None, schedule.next(last))
    while not stopping.is_set():
        now = dt.datetime.now(dt.UTC)
        at = schedule.next(now)
        try:
            await asyncio.wait_for(stopping.wait(), (at - now).total_seconds())
        except TimeoutError:
            await fire(function, invoke, last, schedule.next(at))
            last = at


async def fire(function: Function, invoke: Invoke, last: dt.datetime | None, following: dt.datetime) -> Outcome:
    """Invoke a timer function once, with what it is told of its schedule."""
    never = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    document = {
        "Schedule": {"AdjustForDST": True},
        "IsPastDue": False,
        "ScheduleStatus": {
            "Last": (last or never).isoformat(),
            "Next": following.isoformat(),
            "LastUpdated": (last or never).isoformat(),
        },
    }
    return await invoke(function, protos.TypedData(json=json.dumps(document)), {})
