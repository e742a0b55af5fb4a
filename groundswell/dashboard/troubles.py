"""What on-call people are shown of causes, and what their forms say of failures. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from groundswell.api.problems import InvalidError
from groundswell.cascade.causes import Trouble
from groundswell.cascade.failures import Failure, Group
from groundswell.cascade.operate import Seen
from groundswell.cascade.status import Stage

FEW, MANY = 5, 150
"""Failures of one cause that are shown among other causes, and on a page of its own."""

_SAID: Mapping[Stage, str] = {
    Stage.BUILD: "The build failed",
    Stage.VERIFY: "It could not be proven to stand on the new base",
    Stage.SCAN: "The scan did not work",
    Stage.PROMOTE: "The tags could not be moved",
    Stage.DEPLOY: "The rollout failed",
}
_PICKED = re.compile(r"([0-9a-z]{1,40}) ([0-9]{1,15}) ([a-z]{1,10}) ([^\s\x00-\x1f]{1,300})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A cause. `shown` are the first of its failures, with what a form says of each."""

    group: Group
    urgent: bool
    shown: tuple[tuple[Failure, str], ...]

    @property
    def said(self) -> str:
        """What happened, in a few plain words."""
        if self.group.kind is Trouble.POISONED:
            return f"Groundswell gave up at {self.group.stage}"
        if self.group.kind is Trouble.REJECTED:
            return "The gate refused it"
        return _SAID[self.group.stage]

    @property
    def begin(self) -> str:
        """Where a replay of them all begins."""
        stages = {each.begin for each in self.group.failures}
        return f"from {stages.pop()}" if len(stages) == 1 else "each from its own stage"

    @property
    def until(self) -> int:
        """Milliseconds: what came later was not there when the page was made."""
        return milliseconds(self.group.last)


def cards(groups: Iterable[Group], urgent: frozenset[str], *, most: int) -> list[Card]:
    """The worst first: what blocks most, then what is urgent, then what is oldest."""
    found = [
        Card(
            group=group,
            urgent=any(each.cascade in urgent for each in group.failures),
            shown=tuple((each, picked(each)) for each in group.failures[:most]),
        )
        for group in groups
    ]
    return sorted(found, key=lambda card: (-len(card.group.blocks), not card.urgent, card.group.row))


def picked(each: Failure) -> str:
    """A failure as a form names it: which, as of when, and the stage that its button told."""
    return f"{each.cascade} {milliseconds(each.at)} {each.begin} {each.image}"


def read_picked(texts: Sequence[str]) -> dict[str, dict[str, Seen]]:
    """By cascade and image. Raises InvalidError."""
    found: dict[str, dict[str, Seen]] = {}
    for text in texts:
        parts = _PICKED.fullmatch(text)
        if parts is None or parts[3] not in tuple(Stage):
            raise InvalidError([{"parameter": "failure", "detail": "not one of those that the page showed"}])
        found.setdefault(parts[1], {})[parts[4]] = Seen(begin=Stage(parts[3]), at=int(parts[2]) / 1000)
    return found


def seen(failures: Iterable[Failure], until: int) -> dict[str, dict[str, Seen]]:
    """Those that were there `until` then, by cascade and image."""
    found: dict[str, dict[str, Seen]] = {}
    for each in failures:
        if milliseconds(each.at) <= until:
            found.setdefault(each.cascade, {})[each.image] = Seen(begin=each.begin, at=each.at)
    return found


def milliseconds(at: float) -> int:
    """A time as exact as a form has it."""
    return round(at * 1000)
