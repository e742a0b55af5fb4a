"""What a rebuild means to those that wait for it, and how they are told. Pure.

Its dependants wait for its promotion; a rebuild of the same image in a later cascade waits for its end.
"""

from collections.abc import Mapping
from itertools import batched
from typing import Any

from groundswell.cascade.model import Command, Hold, Kind, Outcome, Rebuild, Wait
from groundswell.cascade.status import Stage, Status

TOLD_AT_ONCE = 50
"""Dependants that one message tells: their records, and the cascade's, must fit into one commit."""


def outcome(state: Rebuild) -> Outcome:
    """What the rebuild means to its dependants now."""
    match state.status:
        case Status.DEPLOYING | Status.DONE:
            return Outcome.PROMOTED
        case Status.UNCHANGED:
            # Compared with what this very rebuild promoted before, it is as new to its dependants as then.
            return Outcome.PROMOTED if state.promoted else Outcome.UNCHANGED
        case Status.FAILED:
            # Its tags moved before the rollout failed: what stands on it is not held up.
            return Outcome.PROMOTED if state.failed_stage is Stage.DEPLOY else Outcome.FAILED
        case Status.HELD | Status.CANCELLED | Status.SUPERSEDED if state.held_at is Stage.DEPLOY:
            return Outcome.PROMOTED  # its tags have moved: only its rollout is held, or was called off
        case Status.REJECTED | Status.BLOCKED | Status.CANCELLED | Status.SUPERSEDED:
            return Outcome.FAILED
        case _:
            return Outcome.PENDING


def news(state: Rebuild) -> Wait:
    """What dependants are told of the rebuild as it is now."""
    result = outcome(state)
    stable = state.previous if state.status is Status.UNCHANGED else state.promoted
    digest = stable if result in (Outcome.PROMOTED, Outcome.UNCHANGED) else ""
    cause = (_blamed(state) or state.image) if result is Outcome.FAILED else ""
    return Wait(outcome=result, digest=digest, turn=state.turn, cause=cause)


def standing(waits: Mapping[str, Wait]) -> tuple[Status, str, str]:
    """Where a rebuild that has not begun stands, given its bases: (status, reason, image to blame)."""
    failed = sorted(base for base, wait in waits.items() if wait.outcome is Outcome.FAILED)
    if failed:
        cause = waits[failed[0]].cause or failed[0]
        return Status.BLOCKED, f"blocked by {cause}", cause
    pending = sorted(base for base, wait in waits.items() if wait.outcome is Outcome.PENDING)
    if pending:
        return Status.WAITING, f"waits for {', '.join(pending)}", ""
    if all(wait.outcome is Outcome.UNCHANGED for wait in waits.values()):
        return Status.UNCHANGED, "every base it waited for came out unchanged", ""
    return Status.READY, "every base is promoted", ""


def _blamed(state: Rebuild) -> str:
    return standing(state.waits)[2] if state.status is Status.BLOCKED else ""


def _meaning(state: Rebuild) -> tuple[Any, ...]:
    wait = news(state)
    return wait.outcome, wait.digest, wait.cause


def tell(old: Rebuild, new: Rebuild) -> tuple[Command, ...]:
    """News for dependants when the meaning changed; for followers when the rebuild has settled either way."""
    told: list[Command] = []
    if _meaning(old) != _meaning(new):
        own = [image for cascade, image in new.dependants if cascade == new.cascade]
        groups = batched(own, TOLD_AT_ONCE, strict=False)
        told.extend(_news(new, new.cascade, images, new.image, news(new)) for images in groups)
    for cascade, _ in new.dependants:
        if cascade != new.cascade and follow(new).outcome not in (Outcome.PENDING, follow(old).outcome):
            told.append(tell_follower(new, cascade))
    return tuple(told)


def follow(state: Rebuild) -> Wait:
    """What a rebuild is to one of the same image in a later cascade: what it leaves undone, that one must do.

    One whose rollout is held has done its part: an approval, or the end of a freeze, may be days away. A person's
    hold is waited for.
    """
    if state.status is Status.HELD and state.held_at is Stage.DEPLOY and Hold.PERSON not in state.holds:
        return Wait(outcome=Outcome.UNCHANGED, turn=state.turn)
    if not state.status.settled:
        return Wait(outcome=Outcome.PENDING, turn=state.turn)
    finished = state.status in (Status.DONE, Status.UNCHANGED)
    return Wait(outcome=Outcome.UNCHANGED if finished else Outcome.PROMOTED, turn=state.turn)


def tell_follower(state: Rebuild, cascade: str) -> Command:
    return _news(state, cascade, (state.image,), predecessor(state.cascade, state.image), follow(state))


def predecessor(cascade: str, image: str) -> str:
    """The key under which a rebuild waits for the same image in an older cascade."""
    return f"{cascade}/{image}"


def _news(state: Rebuild, cascade: str, images: tuple[str, ...], base: str, wait: Wait) -> Command:
    return Command(
        kind=Kind.NEWS,
        cascade=cascade,
        image=images[0],
        turn=state.turn,
        data={
            "images": list(images),
            "base": base,
            "outcome": wait.outcome.value,
            "digest": wait.digest,
            "turn": wait.turn,
            "cause": wait.cause,
        },
    )
