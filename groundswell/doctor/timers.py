"""The timers: each has ended well lately. Sweep and reconcile find what was lost, so without them it stays lost."""

from collections.abc import Iterator, Mapping

from groundswell.cascade.timerbook import Run
from groundswell.doctor.check import Check, bad, lasted, ok, skipped, warn

PERIODS: Mapping[str, float] = {
    "sweep": 60.0,
    "watch": 60.0,
    "reconcile": 300.0,
    "rescan": 300.0,
    "orphans": 3600.0,
    "stock": 3600.0,
    "cleanup": 86_400.0,
    "retention": 86_400.0,
}
"""Seconds from one time to the next, as functions/timers.py has them (a test compares)."""
NEEDED = ("sweep", "reconcile")
_MISSED = 3
_WORK = 600.0
"""Seconds that one may take itself: the host ends it then."""


def look(runs: Mapping[str, Run], now: float) -> Iterator[Check]:
    """A timer that never ran is late only when the others have for so long."""
    if not runs:
        yield bad(
            "timers",
            "none has ever run",
            "does the app run, with its timers enabled? A new one runs its first within a minute",
        )
        return
    since, late = min(run.first for run in runs.values()), False
    for name, period in PERIODS.items():
        run = runs.get(name)
        silent = now - (run.at if run else since)
        if silent <= _MISSED * period + _WORK:
            continue
        late, says = True, f"{name} has not ended well for {lasted(silent)}; it is due every {lasted(period)}"
        if name in NEEDED:
            yield bad("timers", says, f"docs/runbooks.md#{name}")
        else:
            yield warn("timers", says, "the log has why it fails; is the function enabled?")
    waiting = [name for name in NEEDED if name not in runs]
    if waiting and not late:
        yield skipped("timers", f"not due yet since the app was first started: {', '.join(waiting)}")
    elif not late:
        told = ", ".join(f"{name} {lasted(now - runs[name].at)} ago" for name in NEEDED)
        yield ok("timers", f"all in time; {told}")
