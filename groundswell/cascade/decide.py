"""The rules: `decide(state, event) -> (state, commands)`, pure.

An event that does not fit the state (late, doubled, out of order) changes nothing: the same state comes back, and
no commands. Whatever a rebuild newly means to its dependants (`meaning.py`) is told to them by one rule at the end
of `decide`, so that no transition can forget it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from groundswell.cascade import rings
from groundswell.cascade.deadlines import overdue
from groundswell.cascade.holds import how_to_end, reasons
from groundswell.cascade.meaning import follow, standing, tell, tell_follower
from groundswell.cascade.model import (
    AlreadyBuilt,
    Approved,
    BakeOver,
    BaseNews,
    Cancelled,
    Command,
    Disproved,
    Event,
    Followed,
    FreezeSeen,
    Held,
    HeldBack,
    Hold,
    Kind,
    Moment,
    Nudged,
    Outcome,
    Outdated,
    Overdue,
    Promoted,
    Rebased,
    Rebuild,
    Released,
    Renewed,
    Replayed,
    RingEvent,
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
from groundswell.cascade.status import ACTIVE_STAGE, Stage, Status
from groundswell.errors import InputError

HISTORY = 60
"""Moments kept with a rebuild; older ones are dropped, the first stays."""

type Decision = tuple[Rebuild, tuple[Command, ...]]

_NOT_STARTED = (Status.WAITING, Status.READY, Status.BLOCKED)
_BEFORE_PROMOTION = (Status.BUILDING, Status.VERIFYING, Status.SCANNING)
_ANY_TURN = (Kind.RELEASE, Kind.CANCEL, Kind.NEWS)
_ENDED = (Status.DONE, Status.UNCHANGED, Status.FAILED, Status.REJECTED)
_NO_ROLLOUT: Mapping[str, Any] = {"rollouts": (), "rings": (), "ring": 0, "baked_at": 0.0, "back": ""}


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
    status, reason, _ = standing(state.waits)
    moment = Moment(status=status, at=at, reason=reason)
    state = replace(state, status=status, reason=reason, history=(moment,))
    if status is Status.READY:
        state = replace(state, attempt=1)
        state = replace(state, outbox=(_command(state, Kind.ADMIT),))
    return state, state.outbox


# One function a kind of event; None means "does not fit, ignore".

type _Rule = Callable[[Rebuild, Any], Decision | None]


def _base_news(state: Rebuild, event: BaseNews) -> Decision | None:
    known = state.waits.get(event.base)
    if known is not None and known.turn >= event.wait.turn:
        return None
    state = replace(state, waits={**state.waits, event.base: event.wait})
    skipped = state.status is Status.UNCHANGED and not state.candidate
    if state.status in _NOT_STARTED or skipped or _held_before(state, Stage.BUILD):
        return _stand(state)
    if _held_before(state, Stage.DEPLOY) and Hold.PERSON not in state.holds and moved_bases(state):
        return _again(state, f"{', '.join(moved_bases(state))} moved while its rollout was held")
    if state.status in _ENDED and moved_bases(state):
        return _again(state, f"{', '.join(moved_bases(state))} moved since it was built")
    return state, ()  # under way: looked at again when the build has ended


def _stand(state: Rebuild) -> Decision:
    status, reason, _ = standing(state.waits)
    if status is state.status:
        return replace(state, reason=reason), ()
    if status is Status.READY:
        if state.status is Status.HELD:
            return state, ()
        planned = state.no_cache and state.attempt == 0  # it was asked for, and has not begun yet
        return _again(state, reason, no_cache=planned)
    return replace(state, status=status, reason=reason, held_at=None), _give_back(state)


def _again(state: Rebuild, reason: str, *, no_cache: bool = False) -> Decision:
    """Back to the start of the line, with an attempt of its own, unless a base says otherwise."""
    status, why, _ = standing(state.waits)
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
        **_NO_ROLLOUT,
        holds={hold: why for hold, why in state.holds.items() if hold is Hold.PERSON},
        held_at=None,
        passes=(),  # what is built now is another image: it wants an approval of its own
    )
    if state.holds:
        return _hold(state, Stage.BUILD)
    state = replace(state, status=Status.READY, reason=reason, attempt=state.attempt + 1)
    return state, (_command(state, Kind.ADMIT),)


def _run_started(state: Rebuild, event: RunStarted) -> Decision | None:
    if state.status in (Status.CANCELLED, Status.SUPERSEDED, Status.HELD) and not state.run:
        state = replace(state, run=event.run, spec=event.spec)  # stopped while it was being started
        return state, _stop(state)
    if state.status is not Status.READY:
        return None
    state = replace(
        state,
        status=Status.BUILDING,
        reason=f"run {event.run}; not rebased: {event.refused}" if event.refused else f"run {event.run}",
        run=event.run,
        built_on=event.built_on,
        spec=event.spec,
        inputs=event.inputs,
    )
    return state, (_command(state, Kind.OBSERVE),)


def _already_built(state: Rebuild, event: AlreadyBuilt) -> Decision | None:
    """Its dependants hear of it as of a promotion: each judges by its own inputs, and may have failed before."""
    if state.status is not Status.READY:
        return None
    state = replace(state, built_on=event.built_on, spec=event.spec, inputs=event.inputs)
    if again := _overtaken(state):
        return again
    built = replace(
        state,
        status=Status.UNCHANGED,
        reason=f"already built from the same inputs by cascade {event.by}",
        candidate=event.digest,
        previous=event.digest,
        promoted=event.digest,
    )
    return built, _give_back(state)


def _rebased(state: Rebuild, event: Rebased) -> Decision | None:
    if state.status is not Status.READY:
        return None
    state = replace(state, built_on=event.built_on, spec=event.spec, inputs=event.inputs)
    if again := _overtaken(state):
        return again
    reason = f"rebased onto {event.onto}: nothing was run"
    state = replace(state, status=Status.VERIFYING, reason=reason, candidate=event.digest)
    return state, (_command(state, Kind.RELEASE), _command(state, Kind.VERIFY))


def _run_succeeded(state: Rebuild, event: RunSucceeded) -> Decision | None:
    if state.status is not Status.BUILDING:
        return None
    if again := _overtaken(state):
        return again
    state = replace(state, status=Status.VERIFYING, reason="", candidate=event.digest)
    return state, (_command(state, Kind.RELEASE), _command(state, Kind.VERIFY))


def _verified(state: Rebuild, event: Verified) -> Decision | None:
    if state.status is not Status.VERIFYING:
        return None
    if again := _overtaken(state):
        return again
    state = replace(state, proof=event.proof, previous=event.previous)
    if event.unchanged:
        return replace(state, status=Status.UNCHANGED, reason="the new image has the content of the old one"), ()
    return replace(state, status=Status.SCANNING, reason=""), (_command(state, Kind.SCAN),)


def _disproved(state: Rebuild, event: Disproved) -> Decision | None:
    if state.status is not Status.VERIFYING:
        return None
    if again := _overtaken(state):
        return again
    if not state.no_cache:
        return _again(state, f"{event.reason}; once more without cache", no_cache=True)
    return _fail(replace(state, proof=event.proof), Stage.VERIFY, event.reason)


def _scanned(state: Rebuild, event: Scanned) -> Decision | None:
    if state.status is not Status.SCANNING:
        return None
    if again := _overtaken(state):
        return again
    state = replace(state, verdict=event.verdict)
    if not event.passed:
        return replace(state, status=Status.REJECTED, reason=event.reason), ()
    if state.holds:
        return _hold(state, Stage.SCAN)
    return replace(state, status=Status.PROMOTING, reason=""), (_command(state, Kind.PROMOTE),)


def _tag_moved(state: Rebuild, event: TagMoved) -> Decision | None:
    if state.status is not Status.PROMOTING:
        return None
    return _again(state, f"its tag was moved to {event.digest or 'nothing'} while it was under way")


def _promoted(state: Rebuild, event: Promoted) -> Decision | None:
    if state.status is not Status.PROMOTING:
        return None
    state = replace(state, promoted=event.digest, **_NO_ROLLOUT)
    if event.deploys and state.holds:
        return _hold(state, Stage.DEPLOY)
    if event.deploys:
        return replace(state, status=Status.DEPLOYING, reason=""), (_command(state, Kind.DEPLOY),)
    return _done(state, "promoted; nothing runs it")


def _rollouts_planned(state: Rebuild, event: RolloutsPlanned) -> Decision | None:
    if not _rolls(state, event) or rings.current(state):
        return None
    planned = rings.merged(state.rollouts, event.rollouts)
    state = replace(state, rollouts=planned, rings=event.rings or state.rings)
    return state, (_command(state, Kind.WATCH),)


def _rollouts_seen(state: Rebuild, event: RolloutsSeen) -> Decision | None:
    seen = rings.merged(state.rollouts, event.rollouts)
    if not _rolls(state, event) or seen == state.rollouts:
        return None
    state = replace(state, rollouts=seen)
    return state, (_command(state, Kind.BACK if state.back else Kind.WATCH, later=True),)


def _rolled_out(state: Rebuild, event: RolledOut) -> Decision | None:
    """The ring is done; the next one is begun unless something holds it."""
    if not _rolls(state, event) or state.back:
        return None
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts))
    if state.ring + 1 >= len(state.rings):
        return _done(state, rings.told(state))
    if again := _overtaken(state):
        return again
    state = rings.entered(state, event.at)
    return _hold(state, Stage.DEPLOY) if state.holds else _roll_out(state)


def _rollout_failed(state: Rebuild, event: RolloutFailed) -> Decision | None:
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
    return state, (_command(state, Kind.BACK),)


def _went_back(state: Rebuild, event: WentBack) -> Decision | None:
    if not _rolls(state, event) or not state.back:
        return None
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts))
    if again := _overtaken(state):
        return again
    reason = "; ".join(filter(None, (state.back, rings.returned(state))))
    return _fail(replace(state, back=""), Stage.DEPLOY, reason)


def _bake_over(state: Rebuild, event: BakeOver) -> Decision | None:
    if not rings.baking(state) or event.ring != state.ring - 1:
        return None
    return _without(state, {Hold.BAKE}, f"{state.rings[state.ring - 1].name} stayed healthy")


def _done(state: Rebuild, reason: str) -> Decision:
    if again := _overtaken(state):
        return again
    return replace(state, status=Status.DONE, reason=reason), ()


def _stage_failed(state: Rebuild, event: StageFailed) -> Decision | None:
    stage = Stage.DEPLOY if rings.baking(state) else ACTIVE_STAGE.get(state.status)
    if stage is None:
        return None
    if state.status is not Status.READY and (again := _overtaken(state)):
        return again  # as when the news had come a moment later
    reason = f"{state.back}; the way back failed: {event.reason}" if state.back else event.reason
    state = replace(state, rollouts=rings.merged(state.rollouts, event.rollouts), held_at=None, back="")
    return _fail(state, stage, reason)


def _fail(state: Rebuild, stage: Stage, reason: str) -> Decision:
    failed = replace(state, status=Status.FAILED, failed_stage=stage, reason=reason)
    return failed, _give_back(state)


def _nudged(state: Rebuild, event: Nudged) -> Decision | None:
    if rings.baking(state):
        return state, (rings.look(state, event.at),)
    if state.status.settled or not state.outbox:
        return None
    return state, tuple(_once_more(c) for c in state.outbox if c.kind is not Kind.NEWS)


def _once_more(command: Command) -> Command:
    """A scan that is under way is looked at already, again and again: one look more, which no other follows."""
    return replace(command, data={**command.data, "once": True}) if command.kind is Kind.SCAN else command


def _overdue(state: Rebuild, event: Overdue) -> Decision | None:
    stage, reason = ACTIVE_STAGE.get(state.status), overdue(state, event.at)
    if stage is None or not reason:
        return None
    if state.back:
        reason = f"{state.back}; rolled back, and {reason}"
    failed, commands = _fail(replace(state, back=""), stage, reason)
    return failed, (*commands, *_stop(state)) if state.status is Status.BUILDING else commands


def _followed(state: Rebuild, event: Followed) -> Decision | None:
    follower = (event.by, event.image or state.image)
    if follower in state.dependants:
        return None
    state = replace(state, dependants=(*state.dependants, follower))
    told = follow(state).outcome is not Outcome.PENDING and event.by != state.cascade
    return state, (tell_follower(state, event.by),) if told else ()


def _renewed(state: Rebuild, event: Renewed) -> Decision | None:
    hurried = replace(state, urgent=state.urgent or event.urgent)
    if state.status in (Status.CANCELLED, Status.SUPERSEDED):
        return _again(hurried, "what it stands on was pushed again")
    if hurried == state:
        return None
    return hurried, (_command(state, Kind.ADMIT),) if state.status is Status.READY else ()


def _superseded(state: Rebuild, event: Superseded) -> Decision | None:
    if state.status not in (*_NOT_STARTED, *_BEFORE_PROMOTION, Status.HELD) or _held_before(state, Stage.DEPLOY):
        return None  # promoting or deploying: let it end; ended: nothing to stop
    stop = _stop(state) if state.status is Status.BUILDING else ()
    superseded = replace(state, status=Status.SUPERSEDED, reason=f"superseded by cascade {event.by}")
    return superseded, (*_give_back(state), *stop)


def _replayed(state: Rebuild, event: Replayed) -> Decision:
    if state.status is Status.HELD:
        raise InputError(f"{state.image} is held {state.reason}; {how_to_end(state)}; or cancel it, then replay")
    if not state.status.settled:
        raise InputError(f"{state.image} is {state.status}: wait until it has ended, or cancel it, then replay")
    if state.status in (Status.BLOCKED, Status.SUPERSEDED):
        raise InputError(f"{state.image} cannot be replayed: {state.reason}; replay that instead")
    reason = f"replayed from {event.stage} by {event.who}: {event.why}"
    if event.stage is Stage.BUILD:
        return _again(replace(state, forced=event.force), reason)
    have, need, kind, status = _RESTARTS[event.stage](state)
    if not have:
        raise InputError(f"{state.image} cannot be replayed from {event.stage}: {need}")
    state = replace(state, status=status, reason=reason, failed_stage=None, held_at=None, **_NO_ROLLOUT)
    return state, (_command(state, kind),)


_RESTARTS: Mapping[Stage, Callable[[Rebuild], tuple[bool, str, Kind, Status]]] = {
    Stage.VERIFY: lambda s: (
        bool(s.candidate),
        "no candidate was built; replay from build",
        Kind.VERIFY,
        Status.VERIFYING,
    ),
    Stage.SCAN: lambda s: (
        bool(s.candidate and s.proof) and not disproved(s),
        "no proven candidate; replay from verify or build",
        Kind.SCAN,
        Status.SCANNING,
    ),
    Stage.PROMOTE: lambda s: (
        bool(s.verdict.get("passed")) and not disproved(s),
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


def _cancelled(state: Rebuild, event: Cancelled) -> Decision:
    if state.status in (Status.PROMOTING, Status.DEPLOYING) or (
        state.status.settled and state.status is not Status.BLOCKED
    ):
        raise InputError(f"{state.image} is {state.status} and cannot be cancelled")
    stop = _stop(state) if state.status is Status.BUILDING else ()
    cancelled = replace(state, status=Status.CANCELLED, reason=f"cancelled by {event.who}: {event.why}", passes=())
    return cancelled, (*_give_back(state), *stop)


def _held(state: Rebuild, event: Held) -> Decision:
    if state.status.settled and state.status is not Status.BLOCKED:
        raise InputError(f"{state.image} is {state.status}: there is nothing left to hold")
    if Hold.PERSON in state.holds:
        raise InputError(f"{state.image} is {state.holds[Hold.PERSON]}: that hold stands already")
    state = replace(state, holds={**state.holds, Hold.PERSON: f"held by {event.who}: {event.why}"})
    if state.status is Status.READY:
        held, _ = _hold(state, Stage.BUILD)
        return held, _give_back(state)
    if state.status is Status.HELD:
        return replace(state, reason=reasons(state)), ()
    return state, ()  # held at its next checkpoint


def _held_back(state: Rebuild, event: HeldBack) -> Decision | None:
    if not _rolls(state, event) or state.back:
        return None
    if Hold.PERSON not in state.holds and (again := _overtaken(state)):
        return again
    others: dict[Hold, str] = dict(event.holds)
    others.pop(Hold.PERSON, None)  # its news is older than the state
    rollouts = rings.merged(state.rollouts, event.rollouts)
    if not event.begun:  # planned again: a hold may last for days
        mine = rings.current(replace(state, rollouts=rollouts))
        rollouts = tuple(rollout for rollout in rollouts if rollout not in mine)
    planned = event.rings or state.rings
    state = replace(state, holds={**state.holds, **others}, rollouts=rollouts, rings=planned)
    return _hold(state, Stage.DEPLOY) if state.holds else _roll_out(state)


def _hold(state: Rebuild, stage: Stage) -> Decision:
    """Stop here: it goes on with `stage`."""
    state = replace(state, status=Status.HELD, held_at=stage)
    return replace(state, reason=reasons(state)), ()


def _freeze_seen(state: Rebuild, event: FreezeSeen) -> Decision | None:
    if not _held_before(state, Stage.DEPLOY) or Hold.FREEZE in state.passes:
        return None
    if event.why == state.holds.get(Hold.FREEZE, ""):
        return None
    if event.why:
        state = replace(state, holds={**state.holds, Hold.FREEZE: event.why})
        return replace(state, reason=reasons(state)), ()
    return _without(state, {Hold.FREEZE}, "the freeze is over")


def _outdated(state: Rebuild, event: Outdated) -> Decision | None:
    if not _held_before(state, Stage.DEPLOY) and (state.status is not Status.DEPLOYING or rings.current(state)):
        return None
    return replace(state, status=Status.SUPERSEDED, held_at=Stage.DEPLOY, reason=event.reason), ()


def _released(state: Rebuild, event: Released) -> Decision:
    if Hold.PERSON not in state.holds:
        raise InputError(f"{state.image} is not held by anybody: {_as_it_is(state)}")
    return _without(state, {Hold.PERSON}, f"released by {event.who}: {event.why}")


def _approved(state: Rebuild, event: Approved) -> Decision:
    given = {Hold.APPROVAL, Hold.FREEZE} if event.despite_freeze else {Hold.APPROVAL}
    if state.status is not Status.HELD or not given & state.holds.keys():
        raise InputError(f"{state.image} does not wait for an approval: {_as_it_is(state)}")
    state = replace(state, passes=tuple(hold for hold in Hold if hold in given or hold in state.passes))
    despite = ", despite any freeze" if event.despite_freeze else ""
    return _without(state, given, f"approved by {event.who}{despite}: {event.why}")


def _as_it_is(state: Rebuild) -> str:
    if state.status is Status.HELD:
        return f"it is held {state.reason}; {how_to_end(state)}"
    return f"it is {state.status}"


def _without(state: Rebuild, ended: set[Hold], reason: str) -> Decision:
    """What is not held any more goes on, on bases that did not move meanwhile."""
    state = replace(state, holds={hold: why for hold, why in state.holds.items() if hold not in ended})
    if state.status is not Status.HELD:
        return state, ()
    if state.holds:
        return replace(state, reason=reasons(state)), ()
    if state.held_at is Stage.BUILD:
        return _again(state, reason, no_cache=state.no_cache)
    if again := _overtaken(state):
        return again
    state, stage = replace(state, reason=reason, held_at=None), state.held_at
    if stage is Stage.SCAN:  # scanned again: advisories went on while it stood
        return replace(state, status=Status.SCANNING), (_command(state, Kind.SCAN),)
    return _roll_out(state)


def _roll_out(state: Rebuild) -> Decision:
    """On with a ring, held or not; `held` says to whom plans it that time has passed since the promotion."""
    begun = rings.current(state)
    command = _command(state, Kind.WATCH) if begun else _command(state, Kind.DEPLOY, held=True)
    return replace(state, status=Status.DEPLOYING), (command,)


_RULES: Mapping[type[Event], _Rule] = {
    BaseNews: _base_news,
    RunStarted: _run_started,
    AlreadyBuilt: _already_built,
    Rebased: _rebased,
    RunSucceeded: _run_succeeded,
    Verified: _verified,
    Disproved: _disproved,
    Scanned: _scanned,
    TagMoved: _tag_moved,
    Promoted: _promoted,
    RolloutsPlanned: _rollouts_planned,
    RolloutsSeen: _rollouts_seen,
    RolledOut: _rolled_out,
    RolloutFailed: _rollout_failed,
    WentBack: _went_back,
    BakeOver: _bake_over,
    StageFailed: _stage_failed,
    Nudged: _nudged,
    Overdue: _overdue,
    Followed: _followed,
    Renewed: _renewed,
    Superseded: _superseded,
    Replayed: _replayed,
    Cancelled: _cancelled,
    Held: _held,
    HeldBack: _held_back,
    FreezeSeen: _freeze_seen,
    Outdated: _outdated,
    Released: _released,
    Approved: _approved,
}


# Small pieces of the rules.


def disproved(state: Rebuild) -> bool:
    """Its candidate was compared with the base and does not stand on it: nothing but a new build helps."""
    return state.proof.get("layers", {}).get("proven") is False


def moved_bases(state: Rebuild) -> list[str]:
    """Bases that were promoted to another digest than the one the image was built on."""
    return sorted(
        base
        for base, wait in state.waits.items()
        if wait.outcome is Outcome.PROMOTED and wait.digest and state.built_on.get(base) != wait.digest
    )


def _rolls(state: Rebuild, event: RingEvent) -> bool:
    """Whether the event is of the ring that is being rolled out."""
    return state.status is Status.DEPLOYING and event.ring == state.ring


def _held_before(state: Rebuild, stage: Stage) -> bool:
    return state.status is Status.HELD and state.held_at is stage


def _overtaken(state: Rebuild) -> Decision | None:
    """A base moved on while the image was under way: what was done stands on the old one."""
    moved = moved_bases(state)
    if not moved:
        return None
    new, commands = _again(state, f"{', '.join(moved)} moved while it was under way")
    return new, (*_give_back(state), *commands)


def _command(state: Rebuild, kind: Kind, **data: Any) -> Command:
    return Command(kind=kind, cascade=state.cascade, image=state.image, turn=state.turn, data=data)


def _stop(state: Rebuild) -> tuple[Command, ...]:
    """The run is named: a late or doubled message must not stop the run of a later attempt."""
    return (_command(state, Kind.CANCEL, run=state.run),)


def _give_back(state: Rebuild) -> tuple[Command, ...]:
    """A rebuild that leaves these states may hold a slot, or stand in line for one."""
    return (_command(state, Kind.RELEASE),) if state.status in (Status.READY, Status.BUILDING) else ()


def _remember(history: tuple[Moment, ...], moment: Moment) -> tuple[Moment, ...]:
    history = (*history, moment)
    return history if len(history) <= HISTORY else (history[0], *history[-(HISTORY - 1) :])
