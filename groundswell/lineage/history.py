"""What became of each registration: a line per change, stored in the same commit as the change itself."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from groundswell.store.port import Json

_LAST = 10**12


class Action(StrEnum):
    REGISTERED = "registered"
    CHANGED = "changed"
    UNREGISTERED = "unregistered"


def prefix(name: str) -> str:
    """What the rows of an image's history begin with; they sort by revision, the newest first."""
    return f"past:{name}:"


def row(name: str, revision: int) -> str:
    return f"{prefix(name)}{_LAST - revision:012d}"


def line(
    action: Action, fields: Mapping[str, tuple[Any, Any]], *, at: float, who: str, why: str, revision: int
) -> Json:
    """One change as stored. `fields` gives (before, after) of what differs; what is empty in both is left out."""
    told = {name: list(pair) for name, pair in fields.items() if pair[0] or pair[1]}
    return {"at": at, "who": who, "why": why, "action": action.value, "revision": revision, "fields": told}
