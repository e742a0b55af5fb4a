"""How much is tried: a fixed little in CI, and in a soak as much as fits into the seconds given, by chance.

`make soak` sets SOAK_SECONDS; every test takes its share of them. A failure names its seed:
SOAK_SEED=N begins there.
"""

import os
import random
import time
from collections.abc import Iterator

SECONDS = float(os.environ.get("SOAK_SECONDS") or 0)
SOAK = SECONDS > 0


def seeds(few: int, share: float) -> Iterator[int]:
    """The first `few` seeds; in a soak, seeds until its share of the time has passed."""
    first = int(os.environ.get("SOAK_SEED") or 0)
    if not SOAK:
        yield from range(first, first + few)
        return
    first = first or random.SystemRandom().randrange(10**6)
    end = time.monotonic() + share * SECONDS
    count = 0
    while time.monotonic() < end:
        yield first + count
        count += 1
