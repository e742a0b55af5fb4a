"""What its bases, and other cascades that hold the same image, tell a rebuild."""

from dataclasses import replace

from groundswell.cascade import meaning
from groundswell.cascade.events import BaseNews, Followed, Renewed, Superseded
from groundswell.cascade.meaning import follow, tell_follower
from groundswell.cascade.model import Hold, Kind, Outcome, Rebuild
from groundswell.cascade.rules.moves import (
    NOT_STARTED,
    Decision,
    build_again,
    command,
    give_back,
    held_before,
    moved_bases,
    stop,
)
from groundswell.cascade.status import Stage, Status

_BEFORE_PROMOTION = (Status.BUILDING, Status.VERIFYING, Status.SCANNING)
_ENDED = (Status.DONE, Status.UNCHANGED, Status.FAILED, Status.REJECTED)


def base_news(state: Rebuild, event: BaseNews) -> Decision | None:
    known = state.waits.get(event.base)
    if known is not None and known.turn >= event.wait.turn:
        return None
    state = replace(state, waits={**state.waits, event.base: event.wait})
    skipped = state.status is Status.UNCHANGED and not state.candidate
    if state.status in NOT_STARTED or skipped or held_before(state, Stage.BUILD):
        return _stand(state)
    if held_before(state, Stage.DEPLOY) and Hold.PERSON not in state.holds and moved_bases(state):
        return build_again(state, f"{', '.join(moved_bases(state))} moved while its rollout was held")
    if state.status in _ENDED and moved_bases(state):
        return build_again(state, f"{', '.join(moved_bases(state))} moved since it was built")
    return state, ()  # under way: looked at again when the build has ended


def _stand(state: Rebuild) -> Decision:
    status, reason, _ = meaning.standing(state.waits)
    if status is state.status:
        return replace(state, reason=reason), ()
    if status is Status.READY:
        if state.status is Status.HELD:
            return state, ()
        planned = state.no_cache and state.attempt == 0  # it was asked for, and has not begun yet
        return build_again(state, reason, no_cache=planned)
    return replace(state, status=status, reason=reason, held_at=None), give_back(state)


def followed(state: Rebuild, event: Followed) -> Decision | None:
    follower = (event.by, event.image or state.image)
    if follower in state.dependants:
        return None
    state = replace(state, dependants=(*state.dependants, follower))
    told = follow(state).outcome is not Outcome.PENDING and event.by != state.cascade
    return state, (tell_follower(state, event.by),) if told else ()


def renewed(state: Rebuild, event: Renewed) -> Decision | None:
    hurried = replace(state, urgent=state.urgent or event.urgent)
    if state.status in (Status.CANCELLED, Status.SUPERSEDED):
        return build_again(hurried, "what it stands on was pushed again")
    if hurried == state:
        return None
    return hurried, (command(state, Kind.ADMIT),) if state.status is Status.READY else ()


def superseded(state: Rebuild, event: Superseded) -> Decision | None:
    if state.status not in (*NOT_STARTED, *_BEFORE_PROMOTION, Status.HELD) or held_before(state, Stage.DEPLOY):
        return None  # promoting or deploying: let it end; ended: nothing to stop
    stopped = stop(state) if state.status is Status.BUILDING else ()
    superseded = replace(state, status=Status.SUPERSEDED, reason=f"superseded by cascade {event.by}")
    return superseded, (*give_back(state), *stopped)
