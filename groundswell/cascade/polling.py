"""When to look at a run, at a scan, or at a rollout, again.

The registry announces a candidate a second or two before its run ends: that is when it is looked at, a few times in
short order. Announcements get lost, so the sweep looks at every run once a minute; and while none arrive at all,
each run has a message of its own, by which it is looked at: after the poll seconds, then less and less often.
Nothing announces the end of a scan, which is looked at in the same way.
"""

from dataclasses import replace

from groundswell.cascade.model import CANDIDATE, Command, Kind, Rebuild
from groundswell.clock import Clock

LONGEST = 12
"""Times the poll seconds: the longest between two looks at a run of which nothing is announced."""
_PAUSE = 2.0
"""Seconds from the push of a candidate to the end of its run, about: no use in looking earlier."""
_LONGEST_PAUSE = 30.0
"""Seconds between the last two looks that an announcement asks for; each pause is twice the one before."""
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
        return _look(state, pause=min(_PAUSE, self._poll))

    def once(self, state: Rebuild) -> Command:
        """A look that no other follows."""
        return _look(state, pause=0.0)

    def first(self, command: Command) -> float | None:
        """Seconds before a command is sent; None when it need not be.

        A run is not looked at before it can have done much, nor by messages while announcements arrive.
        """
        if command.kind in (Kind.WATCH, Kind.BACK) and command.data.get("later"):
            return command.delay or self._poll
        if command.delay or command.kind is not Kind.OBSERVE or command.data:
            return command.delay
        return None if self._trusted else self._poll

    def next(self, command: Command) -> Command | None:
        """The next look, when this one found nothing new; None when others suffice."""
        if command.kind is Kind.SCAN:
            if command.data.get("once"):
                return None
            # Its tries are kept: a scan that fails and is begun again must not go on for ever.
            delay, data = self._less_often(command)
            return replace(command, delay=delay, data=data)
        if command.kind is Kind.BAKE:
            left = command.data["until"] - self._clock()
            return replace(command, tries=0, delay=min(command.data["pause"], left) if left > 0 else self._poll)
        if command.kind is not Kind.OBSERVE:
            return replace(command, tries=0, delay=self._poll)
        pause = command.data.get("pause")
        if pause is not None:
            later = replace(command, tries=0, delay=pause, data={"pause": 2 * pause})
            return later if 0 < pause <= _LONGEST_PAUSE else None
        delay, data = self._less_often(command)
        return None if self._trusted else replace(command, tries=0, delay=delay, data=data)

    def _less_often(self, command: Command) -> tuple[float, dict[str, int]]:
        looks = command.data.get("looks", 0) + 1
        return self._poll * min(LONGEST, 2**looks), {"looks": looks}

    @property
    def _trusted(self) -> bool:
        return self._clock() - self._heard < _TRUST


def _look(state: Rebuild, *, pause: float) -> Command:
    """A look at once, and the next one after `pause` seconds; 0: none."""
    data = {"pause": pause}
    return Command(kind=Kind.OBSERVE, cascade=state.cascade, image=state.image, turn=state.turn, data=data)
