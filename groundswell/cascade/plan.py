"""From a push and the lineage to the first records of a cascade. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graph.lineage import Impact, dependants_of
from groundswell.cascade.decide import begin, predecessor
from groundswell.cascade.model import Outcome, Rebuild, Status, Wait
from groundswell.cascade.schedule import remaining_paths

DEFAULT_SECONDS = 60.0
"""What a rebuild is taken to last when nothing is known of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The push that starts a cascade: `base` (canonical, no digest) now has `digest`."""

    cascade: str
    base: str
    digest: str
    at: float


def plan(
    trigger: Trigger,
    impact: Impact,
    *,
    seconds: Mapping[str, float],
    followed: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Rebuild, ...]:
    """The rebuilds of a cascade as they begin, bases first.

    `seconds` estimates durations by image; `followed` names, by image, the older cascades that hold it still.
    """
    dependants = dependants_of(impact)
    usual = sorted(seconds.values())[len(seconds) // 2] if seconds else DEFAULT_SECONDS
    paths = remaining_paths(dependants, {image: seconds.get(image, usual) for image in dependants})
    rebuilds = []
    for affected in impact.images:
        waits = {base: Wait(outcome=Outcome.PENDING) for base in affected.waits_for}
        for cascade in (followed or {}).get(affected.image, ()):
            waits[predecessor(cascade, affected.image)] = Wait(outcome=Outcome.PENDING)
        if any(edge.base == trigger.base for edge in affected.edges):
            waits[trigger.base] = Wait(outcome=Outcome.PROMOTED, digest=trigger.digest, turn=0)
        state = Rebuild(
            cascade=trigger.cascade,
            image=affected.image,
            status=Status.WAITING,
            waits=waits,
            # The longest path is told first, so that it stands first in line for a slot.
            dependants=tuple(
                (trigger.cascade, image)
                for image in sorted(dependants[affected.image], key=lambda image: (-paths[image], image))
            ),
            priority=paths[affected.image],
        )
        rebuilds.append(begin(state, at=trigger.at)[0])
    return tuple(rebuilds)
