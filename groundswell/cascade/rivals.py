"""One active rebuild per image: what comes back, after it had settled, meets those that began without it.

A cascade that is planned waits for the older ones that have its images in hand. One that had settled (failed,
blocked, cancelled) was in nobody's hand, and may come back when a newer one has begun. Then the newer one goes on,
if it has begun, and else waits until this one has settled.
"""

from collections.abc import Iterator

from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Records
from groundswell.cascade.status import Status
from groundswell.errors import NotFoundError


def came_back(state: Rebuild) -> bool:
    """Whether it had settled before: only then is it looked for others."""
    return any(moment.status.settled for moment in state.history)


def rivals(records: Records, state: Rebuild) -> Iterator[Rebuild]:
    """Unsettled rebuilds of the same image in other open cascades."""
    for cascade in records.holding(state.image, but=state.cascade):
        try:
            other = records.rebuild(cascade, state.image).value
        except NotFoundError:
            continue  # the image is not in it, or it is being planned: then it sees this one
        if not other.status.settled:
            yield other


def goes_first(state: Rebuild, other: Rebuild) -> bool:
    """Whether `state` goes before `other`: of two that have not begun, the one of the older cascade."""
    if other.status is Status.READY:
        return state.cascade < other.cascade
    return other.status is Status.WAITING
