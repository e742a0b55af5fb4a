"""From the run to the promotion: what becomes of a candidate."""

from dataclasses import replace

from groundswell.cascade.events import (
    AlreadyBuilt,
    Disproved,
    Promoted,
    Rebased,
    RunStarted,
    RunSucceeded,
    Scanned,
    TagMoved,
    Verified,
)
from groundswell.cascade.model import Kind, Rebuild
from groundswell.cascade.rules.moves import (
    NO_ROLLOUT,
    Decision,
    build_again,
    command,
    done,
    fail,
    give_back,
    hold,
    overtaken,
    stop,
)
from groundswell.cascade.status import Stage, Status


def run_started(state: Rebuild, event: RunStarted) -> Decision | None:
    if state.status in (Status.CANCELLED, Status.SUPERSEDED, Status.HELD) and not state.run:
        state = replace(state, run=event.run, spec=event.spec)  # stopped while it was being started
        return state, stop(state)
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
    return state, (command(state, Kind.OBSERVE),)


def already_built(state: Rebuild, event: AlreadyBuilt) -> Decision | None:
    """Its dependants hear of it as of a promotion: each judges by its own inputs, and may have failed before."""
    if state.status is not Status.READY:
        return None
    state = replace(state, built_on=event.built_on, spec=event.spec, inputs=event.inputs)
    if again := overtaken(state):
        return again
    built = replace(
        state,
        status=Status.UNCHANGED,
        reason=f"already built from the same inputs by cascade {event.by}",
        candidate=event.digest,
        previous=event.digest,
        promoted=event.digest,
    )
    return built, give_back(state)


def rebased(state: Rebuild, event: Rebased) -> Decision | None:
    if state.status is not Status.READY:
        return None
    state = replace(state, built_on=event.built_on, spec=event.spec, inputs=event.inputs)
    if again := overtaken(state):
        return again
    reason = f"rebased onto {event.onto}: nothing was run"
    state = replace(state, status=Status.VERIFYING, reason=reason, candidate=event.digest)
    return state, (command(state, Kind.RELEASE), command(state, Kind.VERIFY))


def run_succeeded(state: Rebuild, event: RunSucceeded) -> Decision | None:
    if state.status is not Status.BUILDING:
        return None
    if again := overtaken(state):
        return again
    state = replace(state, status=Status.VERIFYING, reason="", candidate=event.digest)
    return state, (command(state, Kind.RELEASE), command(state, Kind.VERIFY))


def verified(state: Rebuild, event: Verified) -> Decision | None:
    if state.status is not Status.VERIFYING:
        return None
    if again := overtaken(state):
        return again
    state = replace(state, proof=event.proof, previous=event.previous)
    if event.unchanged:
        return replace(state, status=Status.UNCHANGED, reason="the new image has the content of the old one"), ()
    return replace(state, status=Status.SCANNING, reason=""), (command(state, Kind.SCAN),)


def disproved(state: Rebuild, event: Disproved) -> Decision | None:
    if state.status is not Status.VERIFYING:
        return None
    if again := overtaken(state):
        return again
    if not state.no_cache:
        return build_again(state, f"{event.reason}; once more without cache", no_cache=True)
    return fail(replace(state, proof=event.proof), Stage.VERIFY, event.reason)


def scanned(state: Rebuild, event: Scanned) -> Decision | None:
    if state.status is not Status.SCANNING:
        return None
    if again := overtaken(state):
        return again
    state = replace(state, verdict=event.verdict)
    if not event.passed:
        return replace(state, status=Status.REJECTED, reason=event.reason), ()
    if state.holds:
        return hold(state, Stage.SCAN)
    return replace(state, status=Status.PROMOTING, reason=""), (command(state, Kind.PROMOTE),)


def tag_moved(state: Rebuild, event: TagMoved) -> Decision | None:
    if state.status is not Status.PROMOTING:
        return None
    return build_again(state, f"its tag was moved to {event.digest or 'nothing'} while it was under way")


def promoted(state: Rebuild, event: Promoted) -> Decision | None:
    if state.status is not Status.PROMOTING:
        return None
    state = replace(state, promoted=event.digest, **NO_ROLLOUT)
    if event.deploys and state.holds:
        return hold(state, Stage.DEPLOY)
    if event.deploys:
        return replace(state, status=Status.DEPLOYING, reason=""), (command(state, Kind.DEPLOY),)
    return done(state, "promoted; nothing runs it")


def stands_elsewhere(state: Rebuild) -> bool:
    """Its candidate was compared with the base and does not stand on it: nothing but a new build helps."""
    return state.proof.get("layers", {}).get("proven") is False
