"""What may be done to a cascade as a whole, whoever asks: how many of its images each act is about now.

As the rules of single rebuilds have it, in one look at each: a cascade may have thousands.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.status import Status
from groundswell.dashboard.troubles import milliseconds

_FAILED = (Status.FAILED, Status.REJECTED, Status.CANCELLED)
_TOO_LATE = (Status.PROMOTING, Status.DEPLOYING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """Images by act, and `frozen` those that a freeze holds; `until` is when the last of them moved, as `moved`."""

    replay: int
    approve: int
    frozen: int
    release: int
    hold: int
    cancel: int
    until: int


def offers(states: Iterable[Rebuild | Outline]) -> Offers:
    replay = approve = frozen = release = hold = cancel = until = 0
    for state in states:
        stands = not state.status.settled or state.status is Status.BLOCKED
        replay += state.status in _FAILED
        approve += awaits(state)
        frozen += state.status is Status.HELD and Hold.FREEZE in state.holds
        release += Hold.PERSON in state.holds
        hold += stands and Hold.PERSON not in state.holds
        cancel += stands and state.status not in _TOO_LATE
        until = max(until, moved(state))
    return Offers(
        replay=replay, approve=approve, frozen=frozen, release=release, hold=hold, cancel=cancel, until=until
    )


def awaits(state: Rebuild | Outline, *, despite_freeze: bool = False) -> bool:
    """Whether an approval would let it go on."""
    ending = {Hold.APPROVAL, Hold.FREEZE} if despite_freeze else {Hold.APPROVAL}
    return state.status is Status.HELD and not ending.isdisjoint(state.holds)


def moved(state: Rebuild | Outline) -> int:
    """When it came into its state, in milliseconds."""
    return milliseconds(state.updated_at)
