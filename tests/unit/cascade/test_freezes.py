"""Freeze windows, held to a clock that is read minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.freezes import (
    DAYS,
    HORIZON,
    Freeze,
    Span,
    Weekly,
    ends,
    from_json,
    in_force,
    to_json,
    told,
)
from groundswell.errors import InputError

WRITTEN: dict[str, Any] = {
    "name": "nights",
    "environment": "prod-*",
    "zone": "Europe/Berlin",
    "days": ["mon-fri"],
    "from": "18:00",
    "until": "06:00",
    "why": "nobody is on call",
}


def freeze(**changes: Any) -> Freeze:
    return from_json({**WRITTEN, "environment": "*", **changes})


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# Against the clock itself.

TURNS = {
    "Berlin, spring": ("Europe/Berlin", "2026-03-29T01:00"),
    "Berlin, autumn": ("Europe/Berlin", "2026-10-25T01:00"),
    "New York, spring": ("America/New_York", "2026-03-08T07:00"),
    "New York, autumn": ("America/New_York", "2026-11-01T06:00"),
    "Lord Howe, half an hour": ("Australia/Lord_Howe", "2026-04-04T15:00"),
    "St John's, over midnight": ("America/St_Johns", "2010-11-07T02:31"),
    "Kolkata, never": ("Asia/Kolkata", "2026-03-29T01:00"),
    "Apia, a day skipped": ("Pacific/Apia", "2011-12-30T10:00"),
}
AROUND = 4 * 24 * 60
"""Minutes before and after the turn that are read."""


@cache
def clock(turn: str) -> tuple[int, tuple[datetime, ...]]:
    """The first instant, and what the wall clock shows in every minute from then on."""
    zone, at = TURNS[turn]
    start = int(utc(at)) - 60 * AROUND
    read = (datetime.fromtimestamp(start + 60 * minute, ZoneInfo(zone)) for minute in range(2 * AROUND))
    return start, tuple(moment.replace(tzinfo=None) for moment in read)


def shown(turn: str, wall: datetime) -> tuple[int, int] | None:
    """The first and the last minute in which the clock shows `wall`, or skips it; None outside of what was read."""
    _, walls = clock(turn)
    if not walls[0] < wall < walls[-1]:
        return None
    minutes = [minute for minute, each in enumerate(walls) if each == wall] or [
        minute for minute in range(1, len(walls)) if walls[minute - 1] < wall < walls[minute]
    ]
    return minutes[0], minutes[-1]


def open_minutes(turn: str, windows: list[tuple[datetime, datetime]]) -> set[int]:
    found: set[int] = set()
    for begin, end in windows:
        first, last = shown(turn, begin), shown(turn, end)
        if first and last:
            found |= set(range(first[0], last[1]))
    return found


def check(turn: str, rule: Freeze, expected: set[int], step: int) -> None:
    start, walls = clock(turn)
    day = 24 * 60
    for minute in range(2 * day + step, len(walls) - 2 * day, 13):
        assert (in_force([rule], "prod", start + 60 * minute) is rule) == (minute in expected), walls[minute]


@given(
    st.sampled_from(sorted(TURNS)),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 287),
    st.integers(0, 287),
    st.integers(0, 12),
)
def test_a_weekly_window_is_open_when_the_clock_says_so(
    turn: str, days: frozenset[int], begin: int, end: int, step: int
) -> None:
    first, last = (time(number // 12, number % 12 * 5) for number in (begin, end))
    rule = Freeze(name="f", zone=ZoneInfo(TURNS[turn][0]), why="w", rule=Weekly(days=days, begin=first, end=last))
    _, walls = clock(turn)
    dates: list[date] = [walls[0].date() + timedelta(number) for number in range(9)]
    windows = [
        (datetime.combine(day, first), datetime.combine(day if last > first else day + timedelta(1), last))
        for day in dates
        if day.weekday() in days
    ]
    check(turn, rule, open_minutes(turn, windows), step)


@given(st.sampled_from(sorted(TURNS)), st.integers(-36, 36), st.integers(1, 36), st.integers(0, 12))
def test_a_span_is_open_when_the_clock_says_so(turn: str, begin: int, length: int, step: int) -> None:
    _, walls = clock(turn)
    first = walls[AROUND].replace(minute=0) + timedelta(minutes=30 * begin)
    last = first + timedelta(minutes=30 * length)
    rule = Freeze(name="f", zone=ZoneInfo(TURNS[turn][0]), why="w", rule=Span(begin=first, end=last))
    check(turn, rule, open_minutes(turn, [(first, last)]), step)


@pytest.mark.parametrize(
    ("zone", "begin", "end", "opens", "closes"),
    [
        # Berlin skips 02:00 to 03:00 on 2026-03-29, and shows it twice on 2026-10-25.
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
        ("Europe/Berlin", "2026-03-29T01:00", "2026-03-29T02:30", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T04:00", "2026-10-25T00:30", "2026-10-25T03:00"),
        ("Europe/Berlin", "2026-10-25T01:00", "2026-10-25T02:30", "2026-10-24T23:00", "2026-10-25T01:30"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T04:00", "2026-03-08T07:00", "2026-03-08T08:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T01:45", "2026-11-01T05:30", "2026-11-01T06:45"),
        ("Asia/Kolkata", "2026-01-01T00:00", "2026-01-01T05:30", "2025-12-31T18:30", "2026-01-01T00:00"),
        # St John's went from 00:01 on 2010-11-07 back to 23:01 on the 6th.
        ("America/St_Johns", "2010-11-07T00:00", "2010-11-07T01:00", "2010-11-07T02:30", "2010-11-07T04:30"),
        # Apia had no 2011-12-30.
        ("Pacific/Apia", "2011-12-29T12:00", "2011-12-30T12:00", "2011-12-29T22:00", "2011-12-30T10:00"),
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T12:00", "2011-12-30T10:00", "2011-12-30T22:00"),
    ],
)
def test_where_the_clock_is_turned(zone: str, begin: str, end: str, opens: str, closes: str) -> None:
    rule = freeze(zone=zone, days=None, **{"from": begin, "until": end})
    for at, expected in (
        (utc(opens) - 1, False),
        (utc(opens), True),
        (utc(closes) - 1, True),
        (utc(closes), False),
    ):
        assert (in_force([rule], "any", at) is rule) is expected
    assert rule.until(utc(opens)) == utc(closes)


def test_a_window_of_tomorrow_is_open_today_where_midnight_comes_twice() -> None:
    rule = freeze(zone="America/St_Johns", days=["sun"], **{"from": "00:00", "until": "01:00"})
    assert in_force([rule], "any", utc("2010-11-07T03:00")) is rule  # 23:30 on Saturday, for the second time


# Several rules.

WEEKEND = [
    freeze(name="friday", days=["fri"], **{"from": "18:00", "until": "24:00"}),
    freeze(name="days", days=["sat", "sun"], **{"from": "00:00", "until": "24:00"}),
    freeze(name="monday", days=["mon"], **{"from": "00:00", "until": "06:00"}),
]


def test_windows_that_follow_on_one_another_end_together() -> None:
    friday, monday = utc("2026-03-27T17:00"), utc("2026-03-30T04:00")  # the clock is turned on that Sunday
    assert ends(WEEKEND, "prod", friday - 1) == friday - 1
    assert ends(WEEKEND, "prod", friday) == monday
    assert ends(WEEKEND, "prod", monday) == monday
    found = in_force(WEEKEND, "prod", friday)
    assert found is not None
    assert found.name == "friday"
    assert told(WEEKEND, "prod", friday) == (
        "prod is frozen until Mon 2026-03-30 06:00 CEST (friday: nobody is on call)"
    )
    assert told(WEEKEND, "prod", monday) == ""
    assert in_force(WEEKEND, "prod", monday) is None


def test_of_several_rules_the_one_that_ends_last_is_named() -> None:
    short, long = freeze(name="short"), freeze(name="long", until="07:00")
    found = in_force([short, long], "prod", utc("2026-11-23T20:00"))
    assert found is long


def test_what_never_pauses_has_no_end_in_sight() -> None:
    always = freeze(name="always", days=["mon-sun"], **{"from": "00:00", "until": "24:00"})
    at = utc("2026-11-23T20:00")
    assert ends([always], "prod", at) is None
    assert told([always], "prod", at) == "prod is frozen with no end in sight (always: nobody is on call)"
    assert HORIZON > 40 * 86_400  # a change freeze around the holidays still has its end


@pytest.mark.parametrize(
    ("glob", "environment", "fits"),
    [("*", "any", True), ("prod-*", "prod-eu", True), ("prod-*", "Prod-eu", False), ("prod", "prod-eu", False)],
)
def test_which_environments_a_rule_is_for(glob: str, environment: str, fits: bool) -> None:
    rule = freeze(environment=glob)
    assert (in_force([rule], environment, utc("2026-11-23T20:00")) is rule) is fits


# As written down.


def test_a_rule_comes_back_as_it_was() -> None:
    weekly = from_json(WRITTEN)
    assert to_json(weekly) == {**WRITTEN, "days": ["mon", "tue", "wed", "thu", "fri"]}
    span = freeze(days=None, **{"from": "2026-12-18 18:00", "until": "2027-01-04T06:00"})
    assert (to_json(span)["days"], to_json(span)["from"]) == (None, "2026-12-18T18:00")
    for rule in (weekly, span):
        assert from_json(to_json(rule)) == rule


@pytest.mark.parametrize(
    ("days", "read"), [("fri-mon", "fri sat sun mon"), ("SUN", "sun"), ("wed-wed", "wed"), (" tue ", "tue")]
)
def test_ranges_of_days(days: str, read: str) -> None:
    rule = freeze(days=[days]).rule
    assert isinstance(rule, Weekly)
    assert rule.days == {DAYS.index(day) for day in read.split()}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Two words"}, "a name is lower-case"),
        ({"environment": ""}, "must be a name or a glob"),
        ({"why": " "}, "needs a reason"),
        ({"zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"zone": "Europe"}, "no time zone"),
        ({"zone": ""}, "no time zone"),
        ({"days": []}, "at least one day"),
        ({"days": ["fr"]}, "'fr' is no day"),
        ({"days": ["fri-"]}, "'fri-' is no day"),
        ({"from": "24:00"}, "must be a time of day"),
        ({"from": "6pm"}, "must be a time of day"),
        ({"until": "06:00:30"}, "must be a time of day"),
        ({"days": None}, "must be a local date and time"),
        ({"days": None, "from": "2026-12-18T18:00+01:00"}, "the zone is given by itself"),
        ({"days": None, "from": "0001-01-01T00:00"}, "the zone is given by itself"),
        ({"days": None, "from": "2026-12-18T18:00", "until": "2026-12-18T18:00"}, "before it begins"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        freeze(**changes)
