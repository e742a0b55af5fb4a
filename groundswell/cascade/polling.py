"""When to look at a run, or at a rollout, again.

The registry announces a candidate a second or two before its run ends: that is when it is looked at, a few times in
short order. Such announcements get lost, so every run is looked at regularly too, less and less often; and seldom
from the start while announcements are known to arrive.
"""

from dataclasses import replace

from groundswell.cascade.model import CANDIDATE, Command, Kind, Rebuild
from groundswell.clock import Clock

SELDOM = 12
"""Times the poll seconds: the longest between two looks."""
_LOOKS = 5
"""Looks at a run that an announcement asks for, each after twice the pause of the one before."""
_PAUSE = 2.0
"""Seconds from the push of a candidate to the end of its run, about: no use in looking earlier."""
_TRUST = 3600.0
"""Seconds for which one announcement is taken to show that they arrive."""


def pause(tag: str, poll: float) -> float:
    """How long the push of a tag is to wait before it is dealt with, in seconds."""
    return min(_PAUSE, poll) if tag.startswith(CANDIDATE) else 0.0


class Polling:
    """`poll` is in seconds: between two looks at a rollout, and before the first at a run."""

    def __init__(self, *, poll: float, clock: Clock) -> None:
        self._poll = poll
        self._clock = clock
        self._heard = 0.0

    def announced(self, state: Rebuild) -> Command:
        """The look that the announcement of a rebuild's candidate asks for."""
        self._heard = self._clock()
        look = {"announced": 1}
        return Command(kind=Kind.OBSERVE, cascade=state.cascade, image=state.image, turn=state.turn, data=look)

    def first(self, command: Command) -> float:
        """Seconds before a command that asks for no delay: a run is not looked at before it can have done much."""
        return self._regular(0) if command.kind is Kind.OBSERVE and not command.data else 0.0

    def next(self, command: Command) -> Command | None:
        """The next look, when this one found nothing new; None when the regular ones suffice."""
        if command.kind is not Kind.OBSERVE:
            return replace(command, tries=0, delay=self._poll)
        announced = command.data.get("announced")
        if announced is None:
            looks = command.data.get("looks", 0) + 1
            return replace(command, tries=0, delay=self._regular(looks), data={"looks": looks})
        if announced == _LOOKS:
            return None
        delay = min(_PAUSE, self._poll) * 2.0 ** (announced - 1)
        return replace(command, tries=0, delay=delay, data={"announced": announced + 1})

    def _regular(self, looks: int) -> float:
        trusted = self._clock() - self._heard < _TRUST
        return self._poll * (SELDOM if trusted else min(SELDOM, 2**looks))
