"""What failed, is late, or hangs."""

from dataclasses import replace

from groundswell.cascade import deadlines, rings
from groundswell.cascade.events import Nudged, Overdue, StageFailed
from groundswell.cascade.model import Command, Kind, Rebuild
from groundswell.cascade.rules.moves import Decision, fail, overtaken, stop
from groundswell.cascade.status import ACTIVE_STAGE, Stage, Status


def stage_failed(state: Rebuild, event: StageFailed) -> Decision | None:
    stage = Stage.DEPLOY if rings.baking(state) else ACTIVE_STAGE.get(state.status)
    if stage is None:
        return None
    if state.status is not Status.READY and (again := overtaken(state)):
        return again  # as when the news had come a moment later
    reason = f"{state.back}; the way back failed: {event.reason}" if state.back else event.reason
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts), held_at=None, back="")
    return fail(state, stage, reason)


def overdue(state: Rebuild, event: Overdue) -> Decision | None:
    stage, reason = ACTIVE_STAGE.get(state.status), deadlines.overdue(state, event.at)
    if stage is None or not reason:
        return None
    if state.back:
        reason = f"{state.back}; rolled back, and {reason}"
    failed, commands = fail(replace(state, back=""), stage, reason)
    return failed, (*commands, *stop(state)) if state.status is Status.BUILDING else commands


def nudged(state: Rebuild, event: Nudged) -> Decision | None:
    if rings.baking(state):
        return state, (rings.look(state, event.at),)
    if state.status.settled or not state.outbox:
        return None
    return state, tuple(_once_more(c) for c in state.outbox if c.kind is not Kind.NEWS)


def _once_more(command: Command) -> Command:
    """A scan that is under way is looked at already, again and again: one look more, which no other follows."""
    return replace(command, data={**command.data, "once": True}) if command.kind is Kind.SCAN else command
