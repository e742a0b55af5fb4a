"""What people ask of a rebuild. Each raises InputError for what cannot be."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from groundswell.cascade.events import Approved, Cancelled, Held, Released, Replayed
from groundswell.cascade.holds import how_to_end, reasons
from groundswell.cascade.model import Hold, Kind, Rebuild
from groundswell.cascade.rules.candidate import stands_elsewhere
from groundswell.cascade.rules.moves import NO_ROLLOUT, Decision, build_again, command, give_back, go_on, hold, stop
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError


def replayed(state: Rebuild, event: Replayed) -> Decision:
    if state.status is Status.HELD:
        raise InputError(f"{state.image} is held {state.reason}; {how_to_end(state)}; or cancel it, then replay")
    if not state.status.settled:
        raise InputError(f"{state.image} is {state.status}: wait until it has ended, or cancel it, then replay")
    if state.status in (Status.BLOCKED, Status.SUPERSEDED):
        raise InputError(f"{state.image} cannot be replayed: {state.reason}; replay that instead")
    reason = f"replayed from {event.stage} by {event.who}: {event.why}"
    if event.stage is Stage.BUILD:
        return build_again(replace(state, forced=event.force), reason)
    have, need, kind, status = _RESTARTS[event.stage](state)
    if not have:
        raise InputError(f"{state.image} cannot be replayed from {event.stage}: {need}")
    state = replace(state, status=status, reason=reason, failed_stage=None, held_at=None, **NO_ROLLOUT)
    return state, (command(state, kind),)


_RESTARTS: Mapping[Stage, Callable[[Rebuild], tuple[bool, str, Kind, Status]]] = {
    Stage.VERIFY: lambda s: (
        bool(s.candidate),
        "no candidate was built; replay from build",
        Kind.VERIFY,
        Status.VERIFYING,
    ),
    Stage.SCAN: lambda s: (
        bool(s.candidate and s.proof) and not stands_elsewhere(s),
        "no proven candidate; replay from verify or build",
        Kind.SCAN,
        Status.SCANNING,
    ),
    Stage.PROMOTE: lambda s: (
        bool(s.verdict.get("passed")) and not stands_elsewhere(s),
        "the gate has not passed it; replay from scan",
        Kind.PROMOTE,
        Status.PROMOTING,
    ),
    Stage.DEPLOY: lambda s: (
        bool(s.promoted) and (s.promoted == s.candidate or s.status is Status.UNCHANGED),
        "nothing was promoted; replay from promote",
        Kind.DEPLOY,
        Status.DEPLOYING,
    ),
}


def cancelled(state: Rebuild, event: Cancelled) -> Decision:
    if state.status in (Status.PROMOTING, Status.DEPLOYING) or (
        state.status.settled and state.status is not Status.BLOCKED
    ):
        raise InputError(f"{state.image} is {state.status} and cannot be cancelled")
    stopped = stop(state) if state.status is Status.BUILDING else ()
    cancelled = replace(state, status=Status.CANCELLED, reason=f"cancelled by {event.who}: {event.why}", passes=())
    return cancelled, (*give_back(state), *stopped)


def held(state: Rebuild, event: Held) -> Decision:
    if state.status.settled and state.status is not Status.BLOCKED:
        raise InputError(f"{state.image} is {state.status}: there is nothing left to hold")
    if Hold.PERSON in state.holds:
        raise InputError(f"{state.image} is {state.holds[Hold.PERSON]}: that hold stands already")
    state = replace(state, holds={**state.holds, Hold.PERSON: f"held by {event.who}: {event.why}"})
    if state.status is Status.READY:
        held, _ = hold(state, Stage.BUILD)
        return held, give_back(state)
    if state.status is Status.HELD:
        return replace(state, reason=reasons(state)), ()
    return state, ()  # held at its next checkpoint


def released(state: Rebuild, event: Released) -> Decision:
    if Hold.PERSON not in state.holds:
        raise InputError(f"{state.image} is not held by anybody: {_as_it_is(state)}")
    return go_on(state, {Hold.PERSON}, f"released by {event.who}: {event.why}")


def approved(state: Rebuild, event: Approved) -> Decision:
    given = {Hold.APPROVAL, Hold.FREEZE} if event.despite_freeze else {Hold.APPROVAL}
    if state.status is not Status.HELD or not given & state.holds.keys():
        raise InputError(f"{state.image} does not wait for an approval: {_as_it_is(state)}")
    state = replace(state, passes=tuple(hold for hold in Hold if hold in given or hold in state.passes))
    despite = ", despite any freeze" if event.despite_freeze else ""
    return go_on(state, given, f"approved by {event.who}{despite}: {event.why}")


def _as_it_is(state: Rebuild) -> str:
    if state.status is Status.HELD:
        return f"it is held {state.reason}; {how_to_end(state)}"
    return f"it is {state.status}"
