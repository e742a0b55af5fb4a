"""The durations and the number that HEALTHCHECK's flags hold.

After parseHealthcheck in frontend/dockerfile/instructions/parse.go, and Go's time.ParseDuration.
"""

import re
from collections.abc import Mapping, Sequence

from graph.dockerfile.gotext import quote

_INTERVALS = ("interval", "timeout", "start-period", "start-interval")
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_NANOSECONDS["h"] = 3600 * 10**9
_INTEGER = re.compile(r"[+-]?[0-9]+")
_LIMIT = 2**31


class HealthError(ValueError):
    """BuildKit refuses the flag."""


def check_health_flags(flags: Mapping[str, Sequence[str]]) -> None:
    """Raises HealthError."""
    for name in _INTERVALS:
        text = flags.get(name, ("",))[-1]
        nanoseconds = _duration(text) if text else 0
        if nanoseconds and nanoseconds < _NANOSECONDS["ms"]:
            raise HealthError(f"Interval {quote(name)} cannot be less than 1ms")
    retries = flags.get("retries", ("",))[-1]
    if not retries:
        return
    if not _INTEGER.fullmatch(retries):
        raise HealthError(f"strconv.ParseInt: parsing {quote(retries)}: invalid syntax")
    if len(retries) > 20 or not -_LIMIT <= int(retries) < _LIMIT:
        raise HealthError(f"strconv.ParseInt: parsing {quote(retries)}: value out of range")
    if int(retries) < 0:
        raise HealthError(f"--retries cannot be negative ({int(retries)})")


def _duration(text: str) -> float:
    """Nanoseconds."""
    rest = text[1:] if text[0] in "+-" else text
    if rest == "0":
        return 0
    total = 0.0
    at = 0
    while at < len(rest) or not rest:
        found = _PART.match(rest, at)
        if found is None:
            raise HealthError(f"time: invalid duration {quote(text)}")
        number, unit = found.groups()
        if not unit:
            raise HealthError(f"time: missing unit in duration {quote(text)}")
        if unit not in _NANOSECONDS:
            raise HealthError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        total += float(number) * _NANOSECONDS[unit]
        at = found.end()
    if total >= 2**63:
        raise HealthError(f"time: invalid duration {quote(text)}")
    return -total if text[0] == "-" else total
