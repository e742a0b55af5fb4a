"""Previews that are being looked at: several pages of one are computed once, as long as the lineage is the same.

How long images take is read for all of them at once, and is good for a minute: it is an estimate.
"""

import time
from collections.abc import Iterable, Mapping

from groundswell.cascade.preview import Preview, foreseen
from groundswell.clock import Clock
from groundswell.store.recent import Recent
from groundswell.wiring import App

_SECONDS = 60.0
_PREVIEWS = 4


class Foresight:
    """Safe to share between threads."""

    def __init__(self, product: App, clock: Clock = time.monotonic) -> None:
        self._product = product
        self._clock = clock
        self._known: Recent[tuple[str, int, int], tuple[float, Preview]] = Recent(_PREVIEWS)
        self._estimates: tuple[float, Mapping[str, float]] = (0.0, {})

    def preview(self, text: str, slots: int) -> Preview:
        """What a push would do, but for its workloads. Raises InputError as `preview` does."""
        catalog = self._product.catalog
        key = (text, slots, catalog.revision())
        known = self._known.get(key)
        if known is not None and self._clock() < known[0]:
            return known[1]
        found = foreseen(text, catalog=catalog, estimates=self._seconds, slots=slots)
        self._known.put(key, (self._clock() + _SECONDS, found))
        return found

    def _seconds(self, images: Iterable[str]) -> Mapping[str, float]:
        asked = list(images)
        until, known = self._estimates
        if self._clock() >= until or any(image not in known for image in asked):
            known = self._product.durations.estimates({*self._product.catalog.briefs(), *asked})
            self._estimates = (self._clock() + _SECONDS, known)
        return known
