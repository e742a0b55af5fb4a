"""What a check says: how it is, and the one thing to do where it is not well. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    OK = "ok"
    SKIPPED = "skipped"  # there is nothing to check, or it cannot be told yet
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """`fix` is what to do, empty where nothing is to be done. Neither holds a secret: people are shown both."""

    name: str
    outcome: Outcome
    says: str
    fix: str = ""


def ok(name: str, says: str) -> Check:
    return Check(name=name, outcome=Outcome.OK, says=says)


def skipped(name: str, says: str, fix: str = "") -> Check:
    return Check(name=name, outcome=Outcome.SKIPPED, says=says, fix=fix)


def warn(name: str, says: str, fix: str) -> Check:
    return Check(name=name, outcome=Outcome.WARN, says=says, fix=fix)


def bad(name: str, says: str, fix: str) -> Check:
    return Check(name=name, outcome=Outcome.BAD, says=says, fix=fix)


def worst(checks: Iterable[Check]) -> Outcome:
    """The whole, by its worst part; what was skipped does not count."""
    order = (Outcome.BAD, Outcome.WARN)
    found = {check.outcome for check in checks}
    return next((each for each in order if each in found), Outcome.OK)


def lasted(seconds: float) -> str:
    """A time as people say it: `40 s`, `3 min`, `5 h`, `2 days`."""
    for size, unit in ((86_400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
