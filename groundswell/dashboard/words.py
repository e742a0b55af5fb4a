"""How things are said on the pages: how long ago, how long, and which colour goes with a state. Pure."""

import math
from collections.abc import Mapping
from urllib.parse import urlencode

from groundswell.cascade.status import Status

TONES: Mapping[str, str] = {
    Status.WAITING: "idle",
    Status.READY: "idle",
    Status.BUILDING: "busy",
    Status.VERIFYING: "busy",
    Status.SCANNING: "busy",
    Status.PROMOTING: "busy",
    Status.DEPLOYING: "busy",
    Status.DONE: "ok",
    Status.UNCHANGED: "ok",
    Status.FAILED: "bad",
    Status.REJECTED: "bad",
    Status.BLOCKED: "warn",
    Status.HELD: "warn",
    Status.SUPERSEDED: "gone",
    Status.CANCELLED: "gone",
    "planning": "idle",
    "running": "busy",
    "ended": "gone",
}
"""Of the states of rebuilds and cascades; the colours themselves are in app.css."""

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def tone(state: str) -> str:
    return TONES.get(state, "idle")


def lasted(seconds: float | None) -> str:
    """Two units at most: 41 s, 2 min 5 s, 3 h 10 min."""
    if seconds is None:
        return ""
    left = round(max(0.0, seconds))
    parts: list[str] = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(filter(None, parts[:2])) or "0 s"


def ago(at: float, now: float) -> str:
    """How long ago, in its largest unit."""
    past = now - at
    if past < 5:
        return "just now" if past > -5 else "in " + lasted(-past)
    size, unit = next((size, unit) for size, unit in _UNITS if past >= size)
    return f"{int(past // size)} {unit} ago"


def percent(share: float) -> str:
    """A share of 1, cut to a tenth: only all of it is 100 %."""
    return f"{math.floor(round(share * 1000, 6)) / 10:g} %"


def month_name(month: str) -> str:
    """Of 2026-11: November 2026."""
    year, _, number = month.partition("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def query_of(given: Mapping[str, str], **changes: str | None) -> str:
    """The query of the page that is shown with some of its fields changed; None takes one out.

    What a form did is told once: `told` goes into no link.
    """
    fields = {name: text for name, text in {**given, "told": None, **changes}.items() if text}
    return "?" + urlencode(fields) if fields else "?"
