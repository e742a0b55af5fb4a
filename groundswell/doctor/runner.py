"""Runs checks side by side, each within its time; whatever happens in one, something is said of each.

A thread cannot be ended from outside. One that hangs is left to itself, and its check is not begun again before it
has come back: however often somebody asks, no more than one thread of each check hangs.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from groundswell.doctor.check import Check, bad
from groundswell.errors import GroundswellError

logger = logging.getLogger(__name__)

SECONDS = 10.0
"""That a check may take, where it does not say so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`look` makes the checks; `fix` is what to do when it cannot, or does not come back in time."""

    name: str
    look: Callable[[], Iterable[Check]]
    fix: str
    seconds: float = SECONDS


@dataclass(slots=True)
class _Work:
    """A probe under way. `found` is what it has said so far."""

    thread: threading.Thread
    found: list[Check] = field(default_factory=list)


class Runner:
    """Safe to share between threads; `run` is for one of them at a time."""

    def __init__(self) -> None:
        self._hanging: dict[str, _Work] = {}

    def run(self, probes: Sequence[Probe]) -> tuple[Check, ...]:
        """All checks, in the order of the probes. Never raises."""
        began = time.monotonic()
        works = {probe.name: self._begin(probe) for probe in probes if not self._hangs(probe.name)}
        found: list[Check] = []
        for probe in probes:
            work = works.get(probe.name)
            if work is None:
                found.append(bad(probe.name, "an earlier look has not come back yet", probe.fix))
                continue
            work.thread.join(max(0.0, probe.seconds - (time.monotonic() - began)))
            found += work.found[:]
            if work.thread.is_alive():
                self._hanging[probe.name] = work
                found.append(bad(probe.name, f"no answer within {probe.seconds:g} s", probe.fix))
        return tuple(found)

    def _hangs(self, name: str) -> bool:
        work = self._hanging.get(name)
        if work is not None and work.thread.is_alive():
            return True
        self._hanging.pop(name, None)
        return False

    @staticmethod
    def _begin(probe: Probe) -> _Work:
        found: list[Check] = []
        thread = threading.Thread(target=_look, args=(probe, found), name=f"doctor {probe.name}", daemon=True)
        thread.start()
        return _Work(thread=thread, found=found)


def _look(probe: Probe, found: list[Check]) -> None:
    try:
        for check in probe.look():
            found.append(check)  # noqa: PERF402  # one by one: those before a failure count
    except GroundswellError as exc:
        found.append(bad(probe.name, str(exc), probe.fix))
    except Exception as exc:
        logger.exception("a check of the doctor failed", extra={"check": probe.name})
        found.append(
            bad(probe.name, f"the check itself failed ({type(exc).__name__}); the log has more", probe.fix)
        )
