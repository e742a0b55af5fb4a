"""Times as the API tells them: ISO 8601, UTC, to the millisecond. The records have seconds since the epoch."""

from datetime import UTC, datetime
from typing import overload


@overload
def spelled(at: float) -> str: ...
@overload
def spelled(at: float | None) -> str | None: ...
def spelled(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
