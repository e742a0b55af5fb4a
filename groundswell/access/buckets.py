"""How often one may ask: a token bucket for each principal, in each instance by itself."""

import threading
import time
from collections import OrderedDict

from groundswell.clock import Clock

_MOST = 10_000
"""Buckets that are kept; the one that was used longest ago goes first, and would be full again by then."""


class Buckets:
    """`rate` requests a second in the long run, `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one from the bucket; returns 0, or the seconds until there will be one."""
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._rate)
            wait = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[key] = (left if wait else left - 1, now)
            if len(self._left) > _MOST:
                self._left.popitem(last=False)
            return wait
