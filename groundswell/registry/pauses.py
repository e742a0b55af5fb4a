"""Which registries asked to be left alone, and until when.

Docker Hub counts pulls (a GET of a manifest) and not looks (a HEAD), so the two pause apart: who used up the pulls
may go on looking (Docker, "Docker Hub usage and limits").
"""

import logging
import threading
from collections.abc import Mapping

from groundswell.clock import Clock
from groundswell.registry import retry_after
from groundswell.registry.port import PausedError

_logger = logging.getLogger(__name__)

DEFAULT = 300.0
"""Seconds of a pause whose length the registry does not say."""
LONGEST = 3600.0
"""Seconds after which a registry is asked again, whatever it said."""


class Pauses:
    """Safe to share between threads. Each pause is logged once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, bool], float] = {}
        self._lock = threading.Lock()

    def check(self, registry: str, subject: str, *, pull: bool) -> None:
        """Raises PausedError, with the rest of the pause as its delay."""
        with self._lock:
            until = max(self._until.get((registry, False), 0.0), self._until.get((registry, pull), 0.0))
        rest = until - self._clock()
        if rest > 0:
            raise PausedError(f"{subject}: {registry} asked to be left alone for {rest:.0f} s more", delay=rest)

    def heed(self, registry: str, status: int, headers: Mapping[str, str]) -> None:
        """Note what an answer says of limits: 429, Retry-After, no pulls remaining."""
        text = headers.get("Retry-After", "")
        if status == 429 or (status == 503 and text):
            self._pause(registry, retry_after.seconds(text, default=DEFAULT, longest=LONGEST), pull=False)
        elif headers.get("RateLimit-Remaining", "").partition(";")[0].strip() == "0":
            reset = headers.get("RateLimit-Reset", "").partition(";")[0].strip()
            self._pause(registry, retry_after.seconds(reset, default=DEFAULT, longest=LONGEST), pull=True)

    def _pause(self, registry: str, seconds: float, *, pull: bool) -> None:
        now = self._clock()
        with self._lock:
            known = self._until.get((registry, pull), 0.0)
            self._until[registry, pull] = max(known, now + seconds)
        if known <= now:
            what = "no more pulls" if pull else "too many requests"
            _logger.warning("registry paused", extra={"registry": registry, "seconds": seconds, "why": what})
