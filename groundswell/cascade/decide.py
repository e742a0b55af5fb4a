"""What follows: `decide(state, event) -> (state, commands)`, pure. The rules, an event each, are in `rules/`.

An event that does not fit the state (late, doubled, out of order) changes nothing: the same state comes back, and
no commands. Whatever a rebuild newly means to its dependants (`meaning.py`) is told to them by one rule at the end
of `decide`, so that no transition can forget it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from groundswell.cascade import meaning, rings
from groundswell.cascade.events import (
    AlreadyBuilt,
    Approved,
    BakeOver,
    BaseNews,
    Cancelled,
    Disproved,
    Event,
    Followed,
    FreezeSeen,
    Held,
    HeldBack,
    Nudged,
    Outdated,
    Overdue,
    Promoted,
    Rebased,
    Released,
    Renewed,
    Replayed,
    RolledOut,
    RolloutFailed,
    RolloutsPlanned,
    RolloutsSeen,
    RunStarted,
    RunSucceeded,
    Scanned,
    StageFailed,
    Superseded,
    TagMoved,
    Verified,
    WentBack,
)
from groundswell.cascade.meaning import follow, tell
from groundswell.cascade.model import Command, Kind, Moment, Rebuild
from groundswell.cascade.rules import candidate, failure, neighbours, people, rollout
from groundswell.cascade.rules.moves import Decision, command
from groundswell.cascade.status import Status

HISTORY = 60
"""Moments kept with a rebuild; older ones are dropped, the first stays."""

_ANY_TURN = (Kind.RELEASE, Kind.CANCEL, Kind.NEWS)


def decide(state: Rebuild, event: Event) -> Decision:
    """The next state, and what to do for it.

    Raises InputError when a person asked for what cannot be (Replayed, Cancelled, Held, Released, Approved); any
    other event that does not fit is a duplicate or a latecomer and is ignored.
    """
    moved = _RULES[type(event)](state, event)
    if moved is None:
        return state, ()
    new, commands = moved
    if new.status.settled and new.status is not Status.BLOCKED:
        new = replace(new, holds={})  # a hold ends with its rebuild; what is blocked may come back
    if not commands and new.status is state.status and follow(new).outcome is follow(state).outcome:
        return new, ()
    if _mark(new) != _mark(state):
        moment = Moment(status=new.status, at=event.at, reason=new.reason)
        new = replace(new, history=_remember(new.history, moment))
    new = replace(new, turn=state.turn + 1)
    if rings.baking(new) and not any(c.kind is Kind.BAKE for c in commands):
        commands = (*commands, rings.look(new, event.at))  # the looks of the turn before are stale now
    # Slot and news first: the work that follows ends this turn, and nothing of it may then be left unsent.
    first = tuple(c for c in commands if c.kind in (Kind.RELEASE, Kind.CANCEL))
    rest = tuple(c for c in commands if c not in first)
    new = replace(new, outbox=tuple(replace(c, turn=new.turn) for c in (*first, *tell(state, new), *rest)))
    return new, new.outbox


def _mark(state: Rebuild) -> tuple[Any, ...]:
    """What gets a line of its own in the history; its deadline counts from there."""
    return state.status, state.attempt, state.ring, bool(state.back)


def decide_all(state: Rebuild, events: Iterable[Event]) -> Decision:
    """What several events in a row make of it, as one decision; work that a later turn overtakes is left out."""
    commands: tuple[Command, ...] = ()
    for event in events:
        new, more = decide(state, event)
        if new.turn != state.turn:
            commands = (*(c for c in commands if c.kind in _ANY_TURN), *more)
            new = replace(new, outbox=commands)
        state = new
    return state, commands


def begin(state: Rebuild, *, at: float) -> Decision:
    """A planned rebuild's first state: ready when it waits for nothing, with the command that queues it."""
    status, reason, _ = meaning.standing(state.waits)
    moment = Moment(status=status, at=at, reason=reason)
    state = replace(state, status=status, reason=reason, history=(moment,))
    if status is Status.READY:
        state = replace(state, attempt=1)
        state = replace(state, outbox=(command(state, Kind.ADMIT),))
    return state, state.outbox


def _remember(history: tuple[Moment, ...], moment: Moment) -> tuple[Moment, ...]:
    history = (*history, moment)
    return history if len(history) <= HISTORY else (history[0], *history[-(HISTORY - 1) :])


type _Rule = Callable[[Rebuild, Any], Decision | None]
"""None means "does not fit, ignore"."""

_RULES: Mapping[type[Event], _Rule] = {
    BaseNews: neighbours.base_news,
    RunStarted: candidate.run_started,
    AlreadyBuilt: candidate.already_built,
    Rebased: candidate.rebased,
    RunSucceeded: candidate.run_succeeded,
    Verified: candidate.verified,
    Disproved: candidate.disproved,
    Scanned: candidate.scanned,
    TagMoved: candidate.tag_moved,
    Promoted: candidate.promoted,
    RolloutsPlanned: rollout.rollouts_planned,
    RolloutsSeen: rollout.rollouts_seen,
    RolledOut: rollout.rolled_out,
    RolloutFailed: rollout.rollout_failed,
    WentBack: rollout.went_back,
    BakeOver: rollout.bake_over,
    StageFailed: failure.stage_failed,
    Nudged: failure.nudged,
    Overdue: failure.overdue,
    Followed: neighbours.followed,
    Renewed: neighbours.renewed,
    Superseded: neighbours.superseded,
    Replayed: people.replayed,
    Cancelled: people.cancelled,
    Held: people.held,
    HeldBack: rollout.held_back,
    FreezeSeen: rollout.freeze_seen,
    Outdated: rollout.outdated,
    Released: people.released,
    Approved: people.approved,
}
