"""Waiting for what comes about by itself."""

import asyncio
import time
from collections.abc import Callable


def until[T](look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """What `look()` returns once it is true; an AssertionError when it never is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.01)
    return found


async def eventually[T](look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """`until` for code that runs on the same event loop."""
    async with asyncio.timeout(seconds):
        while not (found := look()):
            await asyncio.sleep(0.005)
    return found
