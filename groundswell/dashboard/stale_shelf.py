"""The last surveys of what is stale. They ask registry and clusters, which no page waits for: they run beside them.

One is of what is registered. Of each registry that somebody had looked through there is one with strangers too.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from groundswell.api.surveys import Stale
from groundswell.clock import Clock
from groundswell.errors import GroundswellError

logger = logging.getLogger(__name__)

_OLD = 600.0
"""Seconds after which who looks has it looked up again."""

type Begin = Callable[[Callable[[], None]], None]


def _beside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="stale", daemon=True).start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was found last, if anything was yet; whether it is being looked up; what went wrong the last time."""

    found: Stale | None = None
    under_way: bool = False
    trouble: str = ""


class StaleShelf:
    """`survey` takes a registry ("": none) and time, `clock` is the product's. Safe to share between threads."""

    def __init__(self, survey: Callable[[str], Stale], clock: Clock, begin: Begin = _beside) -> None:
        self._survey = survey
        self._clock = clock
        self._begin = begin
        self._lock = threading.Lock()
        self._looks: dict[str, Look] = {}

    def look(self, registry: str = "", *, again: bool = False) -> Look:
        """As it is known now. A survey is begun when it is asked for `again`, or there is none or an old one.

        By itself it is not begun after one that went wrong, nor of a registry, all of which is read.
        """
        with self._lock:
            known = self._looks.get(registry, Look())
            old = known.found is None or self._clock() - known.found.at > _OLD
            begins = not known.under_way and (again or (old and not known.trouble and not registry))
            if begins:
                self._looks[registry] = Look(found=known.found, under_way=True)
        if begins:
            self._begin(partial(self._work, registry))
        return self._looks.get(registry, known)

    def _work(self, registry: str) -> None:
        found, trouble = None, ""
        try:
            found = self._survey(registry)
        except GroundswellError as exc:
            logger.warning("survey of what is stale put off", exc_info=exc)
            trouble = str(exc)[:500]
        except Exception as exc:
            logger.exception("survey of what is stale failed", exc_info=exc)
            trouble = "the fault is ours; the log of the app has the rest"
        with self._lock:
            self._looks[registry] = Look(found=found or self._looks[registry].found, trouble=trouble)
