"""The last survey of what is stale. It asks registry and clusters, which no page waits for: it runs beside them."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

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

    found: Stale | None
    under_way: bool
    trouble: str


class StaleShelf:
    """`survey` takes its time, `clock` is the product's. Safe to share between threads."""

    def __init__(self, survey: Callable[[], Stale], clock: Clock, begin: Begin = _beside) -> None:
        self._survey = survey
        self._clock = clock
        self._begin = begin
        self._lock = threading.Lock()
        self._look = Look(found=None, under_way=False, trouble="")

    def look(self, *, again: bool = False) -> Look:
        """As it is known now. A survey is begun when there is none or an old one, or when it is asked for `again`.

        After one that went wrong it is not tried again by itself.
        """
        with self._lock:
            found = self._look.found
            old = found is None or self._clock() - found.at > _OLD
            if not self._look.under_way and (again or (old and not self._look.trouble)):
                self._look = Look(found=found, under_way=True, trouble="")
                start = True
            else:
                start = False
        if start:
            self._begin(self._work)
        return self._look

    def _work(self) -> None:
        found, trouble = None, ""
        try:
            found = self._survey()
        except GroundswellError as exc:
            logger.warning("survey of what is stale put off", exc_info=exc)
            trouble = str(exc)[:500]
        except Exception as exc:
            logger.exception("survey of what is stale failed", exc_info=exc)
            trouble = "the fault is ours; the log of the app has the rest"
        with self._lock:
            self._look = Look(found=found or self._look.found, under_way=False, trouble=trouble)
