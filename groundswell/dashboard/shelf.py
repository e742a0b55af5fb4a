"""The rebuilds of cascades that are being looked at: several looks within a moment read the records once.

They may be a moment old, and are for showing only.
"""

import time
from collections.abc import Sequence

from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Header
from groundswell.clock import Clock
from groundswell.store.recent import Recent

_SECONDS = 2.0
_CASCADES = 4


class RebuildShelf:
    """Safe to share between threads."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._known: Recent[str, tuple[float, Header, Sequence[Rebuild]]] = Recent(_CASCADES)

    def rebuilds(self, kept: Kept, header: Header, *, anew: bool = False) -> Sequence[Rebuild]:
        """By image. As long as the header says the same, at most two seconds old; `anew` as they are."""
        known = self._known.get(header.id)
        if known is not None and not anew and self._clock() < known[0] and known[1] == header:
            return known[2]
        rebuilds = tuple(kept.rebuilds())
        self._known.put(header.id, (self._clock() + _SECONDS, header, rebuilds))
        return rebuilds
