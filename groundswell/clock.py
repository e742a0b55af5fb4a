"""Time as a parameter: everything that asks for the time is handed a clock, so that tests can turn it."""

import time
from collections.abc import Callable

type Clock = Callable[[], float]
"""Returns seconds since the epoch."""

now: Clock = time.time


def inverted(at: float) -> str:
    """A row key under which later times sort first, to the millisecond."""
    return f"{10**14 - int(at * 1000):014d}"
