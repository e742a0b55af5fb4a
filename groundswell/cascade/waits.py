"""What a rebuild waits for now: chains of waits, each down to its root cause and what to do about it. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from groundswell.cascade import rings
from groundswell.cascade.holds import how_to_end, marked
from groundswell.cascade.meaning import outcome, predecessor
from groundswell.cascade.model import Outcome, Rebuild
from groundswell.cascade.pools import Places
from groundswell.cascade.schedule import Entry, key
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.view import when

UNSAID: Mapping[Status, str] = {
    Status.VERIFYING: "the run succeeded",
    Status.SCANNING: "its layers are proven",
    Status.PROMOTING: "the gate passed it",
    Status.DEPLOYING: "promoted; workloads run it",
}
"""The one rule that leads to a status without writing a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One rebuild in a chain of waits, and how it is; the last one of a chain is what all the others wait for."""

    cascade: str
    image: str
    status: str
    reason: str


def last_reason(state: Rebuild) -> str:
    """What led to its status, and the hold that is to come."""
    reason = state.reason or UNSAID.get(state.status, "no reason recorded")
    return "; ".join(filter(None, (reason, marked(state))))


def waited_for(state: Rebuild) -> list[tuple[str, str]]:
    """Places of the rebuilds that hold this one up now."""
    if state.status not in (Status.WAITING, Status.BLOCKED):
        return []
    wanted = Outcome.PENDING if state.status is Status.WAITING else Outcome.FAILED
    return [
        predecessor_of(base, state) or (state.cascade, base)
        for base, wait in sorted(state.waits.items())
        if wait.outcome is wanted
    ]


def predecessor_of(base: str, state: Rebuild) -> tuple[str, str] | None:
    cascade = base.partition("/")[0]
    return (cascade, state.image) if base == predecessor(cascade, state.image) else None


def behind(state: Rebuild, find: Callable[[str, str], Rebuild | None]) -> dict[tuple[str, str], Rebuild]:
    """A rebuild and all that it waits for, by (cascade, image), as far as they can be found."""
    found = {(state.cascade, state.image): state}
    stack = [state]
    while stack:
        for place in waited_for(stack.pop()):
            if place not in found and (other := find(*place)) is not None:
                found[place] = other
                stack.append(other)
    return found


def chains(
    state: Rebuild, rebuilds: Mapping[tuple[str, str], Rebuild], places: Places
) -> Iterator[tuple[Link, ...]]:
    """One chain to each root cause, the shortest; none when it has settled by itself."""
    start = (state.cascade, state.image)
    if state.status.settled and state.status is not Status.BLOCKED:
        return
    through: dict[tuple[str, str], tuple[str, str] | None] = {start: None}
    for place in (queue := [start]):
        here = rebuilds.get(place)
        further = waited_for(here) if here else []
        for other in further:
            if other not in through:
                through[other] = place
                queue.append(other)
        if not further:
            chain: list[Link] = []
            back: tuple[str, str] | None = place
            while back is not None:
                chain.append(_link(back, rebuilds.get(back), places, root=back == place))
                back = through[back]
            yield tuple(reversed(chain))


def _link(place: tuple[str, str], state: Rebuild | None, places: Places, *, root: bool) -> Link:
    cascade, image = place
    if state is None:
        return Link(
            cascade=cascade, image=image, status="gone", reason="no record of it; the reconcile timer sees to it"
        )
    return Link(
        cascade=cascade,
        image=image,
        status=state.status.value,
        reason=_root_cause(places, state) if root else last_reason(state),
    )


def _root_cause(places: Places, state: Rebuild) -> str:
    since = f"since {when(state.updated_at)}"
    reason = last_reason(state)
    match state.status:
        case Status.READY:
            return f"{_place(places, state)}; {since}"
        case Status.FAILED if outcome(state) is Outcome.FAILED:
            return f"at {state.failed_stage}, {since}: {reason}; {_replay(state)}"
        case Status.REJECTED | Status.CANCELLED:
            return f"{since}: {reason}; {_replay(state, Stage.SCAN if state.status is Status.REJECTED else None)}"
        case Status.HELD:
            return f"{since}: {reason}; {how_to_end(state)}"
        case Status.SUPERSEDED:
            return f"{since}: {reason}"
        case Status.DEPLOYING:
            ring = rings.under_way(state)
            where = f"ring {ring.name} is " if ring and ring.name else ""
            return f"{since}: {reason}; {where}{rings.progress(state)}"
        case status if status.settled:
            return f"{since}: {reason}; the news of it has not arrived yet"
        case _:
            return f"{since}: {reason}"


def _replay(state: Rebuild, stage: Stage | None = None) -> str:
    begin = f" --from {stage}" if stage else ""
    return f"to bring it back: groundswell replay {state.cascade} {state.image}{begin} --reason TEXT"


def _place(places: Places, state: Rebuild) -> str:
    me = key(state.cascade, state.image)
    if me in places.running:
        return "it has a build slot: its run is about to be started"
    mine = places.waiting.get(me)
    if mine is None:
        return "it is about to get in line for a build slot"
    running = [entry for entry in places.running.values() if entry.pool == mine.pool]
    twin = next((entry for entry in running if entry.image == state.image), None)
    if twin is not None:
        return f"it is in line until cascade {twin.cascade} has built the same image"
    line = sorted(
        (entry for entry in places.waiting.values() if (entry.cascade, entry.pool) == (mine.cascade, mine.pool)),
        key=_order,
    )
    others = len({entry.cascade for entry in places.waiting.values() if entry.pool == mine.pool} - {mine.cascade})
    beside = f", beside {others} other cascade{'s' if others > 1 else ''} in line" if others else ""
    taken = f"{len(running)} slot{'s are' if len(running) != 1 else ' is'} taken"
    place = f"number {line.index(mine) + 1} of {len(line)}"
    return f"it is {place} in its cascade's line for a build slot ({taken}{beside})"


def _order(entry: Entry) -> tuple[float, str]:
    return -entry.priority, entry.image
