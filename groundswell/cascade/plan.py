"""From pushes and the lineage to the first records of a cascade. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graph.impact import Affected, dependants_of, remaining_paths
from groundswell.cascade.decide import begin
from groundswell.cascade.meaning import predecessor
from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A push that a cascade follows from: `base` (canonical, no digest) now has `digest`.

    What follows from an `urgent` one overtakes others, from a `forced` one is built even where the same inputs were
    built before. `turn` orders the pushes of one base in a cascade. With `anew` nothing was pushed: the image of
    that name, which publishes `base`, is to be built past every cache.
    """

    base: str
    digest: str
    urgent: bool = False
    forced: bool = False
    turn: int = 0
    anew: str = ""

    @property
    def wait(self) -> Wait:
        """What the images that stand on the base are told."""
        return Wait(outcome=Outcome.PROMOTED, digest=self.digest, turn=self.turn)


def plan(
    triggers: Sequence[Trigger],
    images: Sequence[Affected],
    *,
    cascade: str,
    at: float,
    seconds: Mapping[str, float],
    followed: Mapping[str, Sequence[str]] | None = None,
    standing: Mapping[str, Wait] | None = None,
) -> tuple[Rebuild, ...]:
    """The rebuilds of a cascade as they begin, bases first.

    `seconds` estimates how long each image takes; `followed` names, by image, the older cascades that hold it;
    `standing` says how images stand that are in the cascade already.
    """
    dependants = dependants_of(images)
    paths = remaining_paths(dependants, seconds)
    rebuilds = []
    for affected in images:
        waits = {base: (standing or {}).get(base) or Wait(outcome=Outcome.PENDING) for base in affected.waits_for}
        for older in (followed or {}).get(affected.image, ()):
            waits[predecessor(older, affected.image)] = Wait(outcome=Outcome.PENDING)
        waits.update({trigger.base: trigger.wait for trigger in standing_on(triggers, affected)})
        anew = any(trigger.anew == affected.image for trigger in triggers)
        state = Rebuild(
            cascade=cascade,
            image=affected.image,
            status=Status.WAITING,
            waits=waits,
            # The longest path is told first, so that it stands first in line for a slot.
            dependants=tuple(
                (cascade, image)
                for image in sorted(dependants[affected.image], key=lambda image: (-paths[image], image))
            ),
            priority=paths[affected.image],
            urgent=any(trigger.urgent for trigger in triggers),
            forced=anew or any(trigger.forced for trigger in triggers),
            no_cache=anew,
        )
        rebuilds.append(begin(state, at=at)[0])
    return tuple(rebuilds)


def standing_on(triggers: Sequence[Trigger], affected: Affected) -> list[Trigger]:
    """The pushes of what the image itself names, and the wish that it be built anew."""
    bases = {edge.base for edge in affected.edges}
    return [
        trigger
        for trigger in triggers
        if (trigger.anew == affected.image if trigger.anew else trigger.base in bases)
    ]
