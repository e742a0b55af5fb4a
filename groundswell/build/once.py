"""A build that is begun once, at a service which knows no idempotency key.

The build carries its name, and the service is asked for the name before anything is begun and again after that.
When two workers met in between, or an answer came so late that it was given up, there are two builds of one name:
the older one counts, for everybody who looks, and the other is stopped.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from groundswell.build.port import Run

logger = logging.getLogger(__name__)


def once(
    name: str, *, find: Callable[[], Sequence[Run]], begin: Callable[[], Run], stop: Callable[[str], None]
) -> Run:
    """The run of that name. `find` returns those that there are, the oldest first; `stop` takes a run's id."""
    found, begun = find(), ""
    if not found:
        run = begin()
        begun = run.id
        logger.info("build accepted", extra={"action": "build.start", "build": name, "run": begun})
        found = find() or [run]
    oldest, *others = found
    for other in others:
        if not other.status.ended:
            logger.warning("build begun twice", extra={"build": name, "kept": oldest.id, "stopped": other.id})
            stop(other.id)
    return replace(oldest, resumed=oldest.id != begun)
