"""The timer trigger: fires by its schedule in UTC, never while it is still running.

A time that passes while the function runs is skipped, as in Azure. Nothing is remembered over a restart, so a timer
is never past due.
"""

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable

from groundswell import clock
from groundswell.local.host import protos
from groundswell.local.host.ncrontab import Schedule
from groundswell.local.host.worker import Function, Invoke, Outcome

type Wait = Callable[[float], Awaitable[bool]]
"""Waits so many seconds; comes back at once, with True, when the host is stopping."""

_NEVER = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


class Timer:
    """One timer function. Raises InputError when its schedule is not one."""

    def __init__(self, function: Function, invoke: Invoke, *, now: clock.Clock = clock.now) -> None:
        self._function = function
        self._invoke = invoke
        self._now = now
        self._schedule = Schedule(str(function.trigger["schedule"]))
        self._last = _NEVER
        self._alone = asyncio.Lock()

    async def run(self, wait: Wait) -> None:
        """Fire by the schedule until `wait` says to stop."""
        if self._function.trigger.get("runOnStartup"):
            await self.fire()
        at = self._schedule.next(self._time())
        while not await wait(max(0.0, (at - self._time()).total_seconds())):
            if self._time() < at:
                continue  # the wait ended early: the two clocks do not run alike
            await self.fire()
            at = self._schedule.next(max(at, self._time()))

    async def fire(self) -> Outcome:
        """Run the function now, after the run under way where there is one."""
        async with self._alone:
            started = self._time()
            status = {
                "Last": self._last.isoformat(),
                "Next": self._schedule.next(started).isoformat(),
                "LastUpdated": self._last.isoformat(),
            }
            self._last = started
            document = {"Schedule": {"AdjustForDST": True}, "IsPastDue": False, "ScheduleStatus": status}
            return await self._invoke(self._function, protos.TypedData(json=json.dumps(document)), {})

    def _time(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), dt.UTC)
