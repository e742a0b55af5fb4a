"""From a push and the lineage to the first records of a cascade. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graph.impact import Affected, dependants_of, remaining_paths
from groundswell.cascade.decide import begin, predecessor
from groundswell.cascade.model import Outcome, Rebuild, Status, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The push that starts a cascade: `base` (canonical, no digest) now has `digest`; `urgent` overtakes others.

    What a `forced` one rebuilds is built even where the same inputs were built before.
    """

    cascade: str
    base: str
    digest: str
    at: float
    urgent: bool = False
    forced: bool = False


def plan(
    trigger: Trigger,
    images: Sequence[Affected],
    *,
    seconds: Mapping[str, float],
    followed: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Rebuild, ...]:
    """The rebuilds of a cascade as they begin, bases first.

    `seconds` estimates how long each image takes; `followed` names, by image, the older cascades that hold it.
    """
    dependants = dependants_of(images)
    paths = remaining_paths(dependants, seconds)
    rebuilds = []
    for affected in images:
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
            urgent=trigger.urgent,
            forced=trigger.forced,
        )
        rebuilds.append(begin(state, at=trigger.at)[0])
    return tuple(rebuilds)
