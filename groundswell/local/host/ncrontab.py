"""NCRONTAB schedules: cron expressions with seconds, as timer triggers take them. Pure."""

import datetime as dt

from groundswell.errors import InputError

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NAMES: tuple[dict[str, int], ...] = (
    *({},) * 4,
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_DAYS)},
)
_DAYS_AHEAD = 366 * 9
"""How far to look: eight years lie between two 29ths of February around a year like 2100."""


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
        self._sets = [
            _values(text.lower(), *limits, names)
            for text, limits, names in zip(fields, _RANGES, _NAMES, strict=True)
        ]

    def next(self, after: dt.datetime) -> dt.datetime:
        """The first time after `after` that matches."""
        seconds, minutes, hours, days, months, weekdays = self._sets
        at = after.replace(microsecond=0) + dt.timedelta(seconds=1)
        end = at + dt.timedelta(days=_DAYS_AHEAD)
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


def _values(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        try:
            first, last = _span(span, low, high, names, stepped=bool(slash))
            width = int(step) if slash else 1
        except ValueError as exc:
            raise InputError(f"{part!r} is not part of an NCRONTAB expression") from exc
        if not low <= first <= last <= high or width < 1:
            raise InputError(f"{part!r} is not within {low}-{high}")
        found.update(range(first, last + 1, width))
    return found


def _span(text: str, low: int, high: int, names: dict[str, int], *, stepped: bool) -> tuple[int, int]:
    if text == "*":
        return low, high
    first, dash, last = text.partition("-")
    begin = _number(first, names)
    if dash:
        return begin, _number(last, names)
    return begin, high if stepped else begin


def _number(text: str, names: dict[str, int]) -> int:
    """A number, or the number of a month or day by its name or three letters of it at least."""
    if len(text) >= 3 and text.isalpha():
        return next((number for name, number in names.items() if name.startswith(text)), -1)
    return int(text)
