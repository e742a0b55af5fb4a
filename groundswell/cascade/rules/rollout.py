"""From ring to ring: what becomes of a rollout, and what holds it but a person."""

from dataclasses import replace

from groundswell.cascade import rings
from groundswell.cascade.events import (
    BakeOver,
    FreezeSeen,
    HeldBack,
    Outdated,
    RingEvent,
    RolledOut,
    RolloutFailed,
    RolloutsPlanned,
    RolloutsSeen,
    WentBack,
)
from groundswell.cascade.holds import reasons
from groundswell.cascade.model import Hold, Kind, Rebuild
from groundswell.cascade.rules.moves import (
    Decision,
    command,
    done,
    fail,
    go_on,
    held_before,
    hold,
    overtaken,
    roll_out,
)
from groundswell.cascade.status import Stage, Status


def rollouts_planned(state: Rebuild, event: RolloutsPlanned) -> Decision | None:
    if not _rolls(state, event) or rings.current(state):
        return None
    planned = rings.merged(state.rollouts, event.rollouts)
    state = replace(state, rollouts=planned, rings=event.rings or state.rings)
    return state, (command(state, Kind.WATCH),)


def rollouts_seen(state: Rebuild, event: RolloutsSeen) -> Decision | None:
    seen = rings.merged(state.rollouts, event.rollouts)
    if not _rolls(state, event) or seen == state.rollouts:
        return None
    state = replace(state, rollouts=seen)
    return state, (command(state, Kind.BACK if state.back else Kind.WATCH, later=True),)


def rolled_out(state: Rebuild, event: RolledOut) -> Decision | None:
    """The ring is done; the next one is begun unless something holds it."""
    if not _rolls(state, event) or state.back:
        return None
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts))
    if state.ring + 1 >= len(state.rings):
        return done(state, rings.told(state))
    if again := overtaken(state):
        return again
    state = rings.entered(state, event.at)
    return hold(state, Stage.DEPLOY) if state.holds else roll_out(state)


def rollout_failed(state: Rebuild, event: RolloutFailed) -> Decision | None:
    """All of the ring goes back, whatever holds the next one: what is bad for one of it is not trusted."""
    bakes = rings.baking(state) and event.ring == state.ring - 1
    if state.back or not (bakes or _rolls(state, event)):
        return None
    state = replace(
        state,
        status=Status.DEPLOYING,
        ring=event.ring,
        held_at=None,
        holds={hold: why for hold, why in state.holds.items() if hold is Hold.PERSON},
        rollouts=rings.merged(state.rollouts, event.rollouts),
        back=event.reason,
        reason=f"rolling back: {event.reason}",
    )
    return state, (command(state, Kind.BACK),)


def went_back(state: Rebuild, event: WentBack) -> Decision | None:
    if not _rolls(state, event) or not state.back:
        return None
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts))
    if again := overtaken(state):
        return again
    reason = "; ".join(filter(None, (state.back, rings.returned(state))))
    return fail(replace(state, back=""), Stage.DEPLOY, reason)


def bake_over(state: Rebuild, event: BakeOver) -> Decision | None:
    if not rings.baking(state) or event.ring != state.ring - 1:
        return None
    return go_on(state, {Hold.BAKE}, f"{state.rings[state.ring - 1].name} stayed healthy")


def held_back(state: Rebuild, event: HeldBack) -> Decision | None:
    if not _rolls(state, event) or state.back:
        return None
    if Hold.PERSON not in state.holds and (again := overtaken(state)):
        return again
    others: dict[Hold, str] = dict(event.holds)
    others.pop(Hold.PERSON, None)  # its news is older than the state
    rollouts = rings.merged(state.rollouts, event.rollouts)
    if not event.begun:  # planned again: a hold may last for days
        mine = rings.current(replace(state, rollouts=rollouts))
        rollouts = tuple(rollout for rollout in rollouts if rollout not in mine)
    planned = event.rings or state.rings
    state = replace(state, holds={**state.holds, **others}, rollouts=rollouts, rings=planned)
    return hold(state, Stage.DEPLOY) if state.holds else roll_out(state)


def freeze_seen(state: Rebuild, event: FreezeSeen) -> Decision | None:
    if not held_before(state, Stage.DEPLOY) or Hold.FREEZE in state.passes:
        return None
    if event.why == state.holds.get(Hold.FREEZE, ""):
        return None
    if event.why:
        state = replace(state, holds={**state.holds, Hold.FREEZE: event.why})
        return replace(state, reason=reasons(state)), ()
    return go_on(state, {Hold.FREEZE}, "the freeze is over")


def outdated(state: Rebuild, event: Outdated) -> Decision | None:
    if not held_before(state, Stage.DEPLOY) and (state.status is not Status.DEPLOYING or rings.current(state)):
        return None
    return replace(state, status=Status.SUPERSEDED, held_at=Stage.DEPLOY, reason=event.reason), ()


def _rolls(state: Rebuild, event: RingEvent) -> bool:
    """Whether the event is of the ring that is being rolled out."""
    return state.status is Status.DEPLOYING and event.ring == state.ring
