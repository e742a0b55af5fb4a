"""The moves that several rules make: on with it, back to the start of the line, stop here, give up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from groundswell.cascade import meaning, rings
from groundswell.cascade.holds import reasons
from groundswell.cascade.model import Command, Hold, Kind, Outcome, Rebuild
from groundswell.cascade.status import Stage, Status

type Decision = tuple[Rebuild, tuple[Command, ...]]

NOT_STARTED = (Status.WAITING, Status.READY, Status.BLOCKED)
NO_ROLLOUT: Mapping[str, Any] = {"rollouts": (), "rings": (), "ring": 0, "baked_at": 0.0, "back": ""}


def build_again(state: Rebuild, reason: str, *, no_cache: bool = False) -> Decision:
    """Back to the start of the line, with an attempt of its own, unless a base says otherwise."""
    status, why, _ = meaning.standing(state.waits)
    if status in (Status.WAITING, Status.BLOCKED):
        return replace(state, status=status, reason=why, failed_stage=None, held_at=None), ()
    state = replace(
        state,
        failed_stage=None,
        no_cache=no_cache,
        run="",
        inputs={},
        candidate="",
        proof={},
        verdict={},
        **NO_ROLLOUT,
        holds={hold: why for hold, why in state.holds.items() if hold is Hold.PERSON},
        held_at=None,
        passes=(),  # what is built now is another image: it wants an approval of its own
    )
    if state.holds:
        return hold(state, Stage.BUILD)
    state = replace(state, status=Status.READY, reason=reason, attempt=state.attempt + 1)
    return state, (command(state, Kind.ADMIT),)


def done(state: Rebuild, reason: str) -> Decision:
    if again := overtaken(state):
        return again
    return replace(state, status=Status.DONE, reason=reason), ()


def fail(state: Rebuild, stage: Stage, reason: str) -> Decision:
    failed = replace(state, status=Status.FAILED, failed_stage=stage, reason=reason)
    return failed, give_back(state)


def hold(state: Rebuild, stage: Stage) -> Decision:
    """Stop here: it goes on with `stage`."""
    state = replace(state, status=Status.HELD, held_at=stage)
    return replace(state, reason=reasons(state)), ()


def go_on(state: Rebuild, ended: set[Hold], reason: str) -> Decision:
    """What is not held any more goes on, on bases that did not move meanwhile."""
    state = replace(state, holds={hold: why for hold, why in state.holds.items() if hold not in ended})
    if state.status is not Status.HELD:
        return state, ()
    if state.holds:
        return replace(state, reason=reasons(state)), ()
    if state.held_at is Stage.BUILD:
        return build_again(state, reason, no_cache=state.no_cache)
    if again := overtaken(state):
        return again
    state, stage = replace(state, reason=reason, held_at=None), state.held_at
    if stage is Stage.SCAN:  # scanned again: advisories went on while it stood
        return replace(state, status=Status.SCANNING), (command(state, Kind.SCAN),)
    return roll_out(state)


def roll_out(state: Rebuild) -> Decision:
    """On with a ring, held or not; `held` says to whom plans it that time has passed since the promotion."""
    begun = rings.current(state)
    then = command(state, Kind.WATCH) if begun else command(state, Kind.DEPLOY, held=True)
    return replace(state, status=Status.DEPLOYING), (then,)


def overtaken(state: Rebuild) -> Decision | None:
    """A base moved on while the image was under way: what was done stands on the old one."""
    moved = moved_bases(state)
    if not moved:
        return None
    new, commands = build_again(state, f"{', '.join(moved)} moved while it was under way")
    return new, (*give_back(state), *commands)


def moved_bases(state: Rebuild) -> list[str]:
    """Bases that were promoted to another digest than the one the image was built on."""
    return sorted(
        base
        for base, wait in state.waits.items()
        if wait.outcome is Outcome.PROMOTED and wait.digest and state.built_on.get(base) != wait.digest
    )


def held_before(state: Rebuild, stage: Stage) -> bool:
    return state.status is Status.HELD and state.held_at is stage


def command(state: Rebuild, kind: Kind, **data: Any) -> Command:
    return Command(kind=kind, cascade=state.cascade, image=state.image, turn=state.turn, data=data)


def stop(state: Rebuild) -> tuple[Command, ...]:
    """The run is named: a late or doubled message must not stop the run of a later attempt."""
    return (command(state, Kind.CANCEL, run=state.run),)


def give_back(state: Rebuild) -> tuple[Command, ...]:
    """A rebuild that leaves these states may hold a slot, or stand in line for one."""
    return (command(state, Kind.RELEASE),) if state.status in (Status.READY, Status.BUILDING) else ()
