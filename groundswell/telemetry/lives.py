"""A rebuild's history as spans: each stay in a status, and each life until it has settled. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from groundswell.cascade.model import Moment, Rebuild


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """A rebuild's time in a status; `then` is the moment that ended it. `life` is when its life began."""

    moment: Moment
    then: Moment
    life: float


def stays(old: Rebuild, new: Rebuild) -> Iterator[Stay]:
    """The stays that a save has ended."""
    since = _known(old.history, new.history)
    for index in range(since, len(new.history) - 1):
        moment, then = new.history[index], new.history[index + 1]
        yield Stay(moment=moment, then=then, life=life(new.history[: index + 1]))


def life(history: Sequence[Moment]) -> float:
    """When the present life of a rebuild with this history began: after it had settled last."""
    began = history[-1].at
    for moment in reversed(history[:-1]):
        if moment.status.settled:
            break
        began = moment.at
    return began


def _known(before: Sequence[Moment], after: Sequence[Moment]) -> int:
    """Where the last moment of before is now: of a long history, those in the middle are dropped."""
    if not before or not after:
        return 0
    for index in range(len(after) - 1, -1, -1):
        if after[index] == before[-1]:
            return index
    return len(after) - 1
