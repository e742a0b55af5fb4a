"""Freeze windows: when nothing may be rolled out to an environment. Pure.

A window is written in the wall-clock time of an IANA zone, and where that clock is turned it errs on the long side:
it begins when the clock first shows its beginning and ends when it last shows its end. A time that the clock skips
is the moment of the skip.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from groundswell.errors import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON = 60 * 86_400.0
"""Seconds that are looked ahead for an end: windows that follow on one another for longer have none in sight."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ENVIRONMENT = re.compile(r"[^\s\x00-\x1f]{1,200}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_YEARS = range(1970, 3000)
_MIDNIGHT = "24:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One window, from a local date and time to another."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """A window on each of `days` (0 is Monday). One that does not end after it begins ends on the next day."""

    days: frozenset[int]
    begin: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A rule: nothing is rolled out to environments that the glob `environment` fits, while a window is open."""

    name: str
    zone: ZoneInfo
    why: str
    rule: Span | Weekly
    environment: str = "*"

    def until(self, at: float) -> float | None:
        """When the window ends that is open at `at` (seconds since the epoch, both); None when none is."""
        ends = []
        for begin, end in self._windows(datetime.fromtimestamp(at, self.zone).date()):
            if _shown(begin, self.zone)[0] <= at < (closes := _shown(end, self.zone)[1]):
                ends.append(closes)
        return max(ends, default=None)

    def _windows(self, today: date) -> Iterator[tuple[datetime, datetime]]:
        """The windows that may be open today, in local time."""
        if isinstance(self.rule, Span):
            yield self.rule.begin, self.rule.end
            return
        for days in (-1, 0, 1):  # tomorrow's too: some zones turned their clocks back over midnight
            day = today + timedelta(days)
            if day.weekday() in self.rule.days:
                last = day if self.rule.end > self.rule.begin else day + timedelta(1)
                yield datetime.combine(day, self.rule.begin), datetime.combine(last, self.rule.end)


def in_force(rules: Iterable[Freeze], environment: str, at: float) -> Freeze | None:
    """The rule that forbids a rollout to `environment` at `at`; of several, that whose window ends last."""
    found = _lasting(rules, environment, at)
    return found[1] if found else None


def ends(rules: Iterable[Freeze], environment: str, at: float) -> float | None:
    """When no rule is in force any more (`at` when none is now); None when that is further off than HORIZON.

    Windows that follow on one another without a pause count as one.
    """
    rules, end = tuple(rules), at
    while found := _lasting(rules, environment, end):
        end = found[0]
        if end - at > HORIZON:
            return None
    return end


def told(rules: Iterable[Freeze], environment: str, at: float) -> str:
    """What people are told of a freeze that is in force; empty when none is."""
    rules = tuple(rules)
    freeze = in_force(rules, environment, at)
    if freeze is None:
        return ""
    end = ends(rules, environment, at)
    until = "with no end in sight" if end is None else f"until {local(end, freeze.zone)}"
    return f"{environment} is frozen {until} ({freeze.name}: {freeze.why})"


def local(at: float, zone: ZoneInfo) -> str:
    """A time as people in a zone read it."""
    return datetime.fromtimestamp(at, zone).strftime("%a %Y-%m-%d %H:%M %Z")


def _lasting(rules: Iterable[Freeze], environment: str, at: float) -> tuple[float, Freeze] | None:
    fitting = (freeze for freeze in rules if fnmatchcase(environment, freeze.environment))
    open_now = ((end, freeze) for freeze in fitting if (end := freeze.until(at)) is not None)
    return max(open_now, key=lambda found: (found[0], found[1].name), default=None)


def _shown(wall: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """When the wall clock of a zone shows `wall` for the first and for the last time.

    A time that is skipped has, by PEP 495, a later instant with fold=0 than with fold=1, and the skip between them.
    """
    first, last = (int(wall.replace(tzinfo=zone, fold=fold).timestamp()) for fold in (0, 1))
    if first <= last:
        return first, last
    before, after = last, first
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after, after


# As written down.


def to_json(freeze: Freeze) -> dict[str, Any]:
    """The rule as it is stored and shown; `days` is null where it is no weekly one."""
    rule = freeze.rule
    if isinstance(rule, Span):
        days, begin, end = None, rule.begin.isoformat("T", "minutes"), rule.end.isoformat("T", "minutes")
    else:
        days = [DAYS[day] for day in sorted(rule.days)]
        begin, end = f"{rule.begin:%H:%M}", f"{rule.end:%H:%M}"
    return {
        "name": freeze.name,
        "environment": freeze.environment,
        "zone": freeze.zone.key,
        "days": days,
        "from": begin,
        "until": end,
        "why": freeze.why,
    }


def from_json(document: Mapping[str, Any]) -> Freeze:
    """The rule that `document` holds, as `to_json` made it or a person wrote it.

    Days may be ranges (`mon-fri`), `until` may be 24:00. Raises InputError that names what is wrong.
    """
    name, environment = document["name"], document["environment"]
    if not _NAME.fullmatch(name):
        raise InputError(f"freeze {name!r}: a name is lower-case letters, digits, dots and dashes, 63 at most")
    if not _ENVIRONMENT.fullmatch(environment):
        raise InputError(f"freeze {name}: environment {environment!r} must be a name or a glob such as prod-*")
    if not document["why"].strip():
        raise InputError(f"freeze {name}: it needs a reason: --reason TEXT")
    zone = _zone(name, document["zone"])
    begin, end = document["from"], document["until"]
    rule: Span | Weekly
    if document["days"] is None:
        rule = Span(begin=_moment(name, begin), end=_moment(name, end))
        if _shown(rule.begin, zone)[0] >= _shown(rule.end, zone)[1]:
            raise InputError(f"freeze {name}: it ends ({end}) before it begins ({begin})")
    else:
        days = frozenset(day for text in document["days"] for day in _days(name, text))
        if not days:
            raise InputError(f"freeze {name}: it needs at least one day, such as fri or mon-fri")
        rule = Weekly(days=days, begin=_time(name, begin), end=_time(name, "00:00" if end == _MIDNIGHT else end))
    return Freeze(name=name, environment=environment, zone=zone, why=document["why"], rule=rule)


def _zone(name: str, text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as exc:
        raise InputError(f"freeze {name}: no time zone {text!r}; name one such as Europe/Berlin or UTC") from exc


def _moment(name: str, text: str) -> datetime:
    wrong = f"freeze {name}: {text!r} must be a local date and time such as 2026-12-18T18:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InputError(wrong) from exc
    if moment.tzinfo is not None or moment.year not in _YEARS:
        raise InputError(f"{wrong}; the zone is given by itself")
    return moment.replace(second=0, microsecond=0)


def _time(name: str, text: str) -> time:
    if not _TIME.fullmatch(text):
        raise InputError(f"freeze {name}: {text!r} must be a time of day such as 18:00")
    return time.fromisoformat(text)


def _days(name: str, text: str) -> Iterator[int]:
    first, dash, last = text.strip().lower().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise InputError(f"freeze {name}: {text!r} is no day; name days such as fri, or ranges such as mon-fri")
    day = DAYS.index(first)
    yield day
    while dash and DAYS[day] != last:
        day = (day + 1) % len(DAYS)
        yield day
