"""What a scanner's JSON holds, taken out with care: what is not of the expected kind is no report, and not clean.

Every function raises TemporaryError: a report that is cut or garbled may be whole the next time.
"""

import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Any

from groundswell.errors import TemporaryError

_END_OF_TIME = 253_402_300_800.0  # the year 10000

type Entry = Mapping[str, Any]


def document(content: bytes, what: str) -> Entry:
    """The JSON object in `content`; `what` is told when it is none (`Trivy's report`)."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise TemporaryError(f"{what} is not whole JSON") from exc
    if not isinstance(value, dict):
        raise TemporaryError(f"{what} is no JSON object")
    return value


def text(entry: Entry, key: str) -> str:
    """The text under `key`, empty when there is none."""
    value = entry.get(key) or ""
    if not isinstance(value, str):
        raise TemporaryError(f"the report has {key} that is no text")
    return value


def required(entry: Entry, key: str) -> str:
    """The text under `key`, which must be there."""
    value = text(entry, key)
    if not value:
        raise TemporaryError(f"the report has a finding without {key}")
    return value


def texts(entry: Entry, key: str) -> list[str]:
    """The texts of the list under `key`; what else it holds is left out."""
    return [value for value in items(entry, key) if isinstance(value, str)]


def items(entry: Entry, key: str) -> list[Any]:
    """The list under `key`, empty when there is none."""
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise TemporaryError(f"the report has {key} that is no list")
    return value


def entries(entry: Entry, key: str) -> list[Entry]:
    """The objects of the list under `key`."""
    return [mapping(value, key) for value in items(entry, key)]


def part(entry: Entry, key: str) -> Entry:
    """The object under `key`, empty when there is none."""
    return mapping(entry.get(key) or {}, key)


def mapping(value: object, key: str) -> Entry:
    if not isinstance(value, dict):
        raise TemporaryError(f"the report has {key} that is no object")
    return value


def number(entry: Entry, key: str) -> float | None:
    """The number under `key` (as a text too), None when there is none."""
    value = entry.get(key)
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as exc:
        raise TemporaryError(f"the report has {key} that is no number") from exc
    if not math.isfinite(found):  # it would compare as neither too old nor too new
        raise TemporaryError(f"the report has {key} that is no number")
    return found


def moment(entry: Entry, key: str) -> float | None:
    """The RFC 3339 time under `key` in seconds since the epoch, None when there is none; UTC unless it says."""
    value = text(entry, key)
    if not value:
        return None
    try:
        at = dt.datetime.fromisoformat(value)
    except ValueError as exc:
        raise TemporaryError(f"the report has {key} that is no time") from exc
    return _instant((at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp(), key)


def seconds(entry: Entry, key: str) -> float | None:
    """The seconds since the epoch under `key`, None when there are none."""
    value = number(entry, key)
    return None if value is None else _instant(value, key)


def _instant(at: float, key: str) -> float:
    """Not one that no calendar has, because it is shown to people."""
    if not 0 <= at < _END_OF_TIME:
        raise TemporaryError(f"the report has {key} that is no time")
    return at
