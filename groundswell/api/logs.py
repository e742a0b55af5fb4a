"""Logs of builds, kept for a moment: whoever reads one page after another has the whole fetched once."""

import threading
from collections import OrderedDict

from groundswell import printable
from groundswell.api.problems import UnreadableError
from groundswell.cascade.model import Rebuild
from groundswell.clock import Clock
from groundswell.errors import InputError, NotFoundError, PermanentError
from groundswell.lineage.model import from_json
from groundswell.wiring import App

_KEPT = 8
_ENDED, _RUNNING = 60.0, 2.0
"""Seconds for which a log is kept: of a build that has ended, and of one under way."""


class LogShelf:
    def __init__(self, product: App, clock: Clock) -> None:
        self._product = product
        self._clock = clock
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[str, str, bool], tuple[float, str]] = OrderedDict()

    def text(self, registry: str, run: str, *, ended: bool) -> str:
        """The log so far, control characters taken out.

        Raises NotFoundError when there is no such run, TemporaryError when it cannot be read now, UnreadableError
        when it never can.
        """
        key = (registry, run, ended)
        with self._lock:
            found = self._texts.get(key)
        if found is not None and self._clock() < found[0]:
            return found[1]
        try:
            text = printable.lines(self._product.builder.log(registry, run))
        except (InputError, NotFoundError):
            raise
        except PermanentError as exc:
            raise UnreadableError(str(exc)) from exc
        with self._lock:
            self._texts[key] = (self._clock() + (_ENDED if ended else _RUNNING), text)
            self._texts.move_to_end(key)
            if len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
        return text


def registry_of(product: App, state: Rebuild) -> str:
    """The registry whose tasks built it: as it was built, or as the image is registered now.

    Raises NotFoundError when the record is an archived one and the image is no longer registered.
    """
    if state.spec:
        return from_json(state.spec).registry
    return product.catalog.registration(state.image).registry
