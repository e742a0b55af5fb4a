"""Rings: which workloads are rolled out together, in which order, and what lies between two of them. Pure.

Only rings count in which the image has workloads. What is in an environment that no ring names comes last: it gets
what all the others have tried. Without rings there is one, which has no name.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from groundswell.cascade.model import Command, Hold, Kind, Move, Rebuild, Ring, Rollout
from groundswell.cascade.status import Status

REST = "the rest"
"""The ring of what no ring names; no environment has a blank in it."""

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LOOKS = 10
"""Looks at a ring while it bakes, about; LEAST and MOST seconds apart."""
_LEAST, _MOST = 1.0, 600.0


def plan(
    workloads: Iterable[tuple[str, str]], wanted: Sequence[Mapping[str, Any]], *, approval: bool
) -> tuple[Ring, ...]:
    """The rings of these workloads, each given with its environment, as `rings` of a registration wants them.

    A workload is in the first ring whose glob fits its environment. `approval` is the image's own wish for one: it
    goes before the first ring.
    """
    left = dict(workloads)
    found: list[Ring] = []
    rest: Mapping[str, Any] = {"name": REST if wanted else "", "environment": "*"}
    for each in (*wanted, rest):
        mine = {name: place for name, place in left.items() if fnmatchcase(place, each["environment"])}
        if not mine:
            continue
        left = {name: place for name, place in left.items() if name not in mine}
        found.append(
            Ring(
                name=each.get("name", each["environment"]),
                workloads=tuple(mine),
                environments=tuple(sorted(set(mine.values()))),
                bake=seconds(each["bake"]) if "bake" in each else 0.0,
                approval=each.get("approval") == "required" or (approval and not found),
            )
        )
    return tuple(found)


def seconds(text: str) -> float:
    """`90s`, `30m`, `24h` or `2d`, as the schema takes them, in seconds."""
    return float(text[:-1]) * _SECONDS[text[-1]]


def under_way(state: Rebuild) -> Ring | None:
    """The ring that is being rolled out, or held; None when nothing was planned."""
    return state.rings[state.ring] if state.ring < len(state.rings) else None


def current(state: Rebuild) -> tuple[Rollout, ...]:
    """The rollouts of the ring under way; none when it has not begun."""
    ring = under_way(state)
    name = ring.name if ring else ""
    return tuple(rollout for rollout in state.rollouts if rollout.ring == name)


def last(state: Rebuild) -> tuple[Rollout, ...]:
    """The rollouts of the ring before the one under way: the one that bakes."""
    return current(replace(state, ring=state.ring - 1))


def merged(rollouts: Iterable[Rollout], newer: Iterable[Rollout]) -> tuple[Rollout, ...]:
    """The rollouts, as `newer` has them where it does."""
    known = {rollout.workload: rollout for rollout in rollouts}
    return tuple((known | {rollout.workload: rollout for rollout in newer}).values())


def entered(state: Rebuild, at: float) -> Rebuild:
    """The state with its next ring, and what holds that: the bake of the ring before, an approval, a person."""
    done, then = state.rings[state.ring], state.rings[state.ring + 1]
    baked_at = max((each.at for each in current(state) if each.move is Move.HEALTHY), default=0.0) + done.bake
    holds: dict[Hold, str] = {hold: why for hold, why in state.holds.items() if hold is Hold.PERSON}
    if then.approval:
        holds[Hold.APPROVAL] = asks(then)
    if baked_at > at:
        holds[Hold.BAKE] = f"{done.name} bakes until {datetime.fromtimestamp(baked_at, UTC):%Y-%m-%d %H:%M:%SZ}"
    reason = f"{done.name} is healthy; on to {then.name}"
    return replace(state, ring=state.ring + 1, baked_at=baked_at, passes=(), holds=holds, reason=reason)


def standing(state: Rebuild) -> Iterator[tuple[Ring, str]]:
    """Each ring, and how it stands, in a few words."""
    for number, ring in enumerate(state.rings):
        if number < state.ring:
            yield ring, "baking" if number == state.ring - 1 and baking(state) else "done"
        elif number > state.ring:
            yield ring, "not begun"
        else:
            yield ring, progress(state)


def progress(state: Rebuild) -> str:
    """How far the ring under way is."""
    going, mine = "being rolled back" if state.back else state.status.value, current(state)
    if state.status not in (Status.DEPLOYING, Status.FAILED) or not mine:
        return going
    counts = Counter(rollout.move for rollout in mine)
    told = ", ".join(f"{counts[move]} {move}" for move in Move if move in counts)
    return f"{going}: of {len(mine)} workload{'s' if len(mine) != 1 else ''}, {told}"


def asks(ring: Ring | None) -> str:
    """What is said of a ring that waits for an approval."""
    return f"{ring.name} waits for approval" if ring and ring.name else "waits for approval"


def baking(state: Rebuild) -> bool:
    """Whether the ring before the next one has to prove itself still."""
    return state.status is Status.HELD and Hold.BAKE in state.holds


def look(state: Rebuild, at: float) -> Command:
    """The next look at the ring that bakes: a few in all, and one when its bake is over."""
    pause = min(max(state.rings[state.ring - 1].bake / _LOOKS, _LEAST), _MOST)
    return Command(
        kind=Kind.BAKE,
        cascade=state.cascade,
        image=state.image,
        turn=state.turn,
        delay=min(pause, max(state.baked_at - at, 0.0)),
        data={"pause": pause, "until": state.baked_at},
    )


def told(state: Rebuild) -> str:
    """What came of the rollouts, when nothing failed."""
    if not state.rollouts:
        return "promoted; nothing runs it"
    left = [rollout for rollout in state.rollouts if rollout.move in (Move.DRIFTED, Move.SKIPPED)]
    count = len(state.rollouts) - len(left)
    return "; ".join(
        (
            f"rolled out to {count} workload{'s' if count != 1 else ''}",
            *(f"{each.workload} {each.why}" for each in left),
        )
    )


def returned(state: Rebuild) -> str:
    """How the way back went, and which rings were not begun for it."""
    mine = current(state)
    back = [rollout for rollout in mine if rollout.move is Move.RETURNED]
    texts = []
    if len(back) == 1:
        texts.append(f"rolled back to {back[0].former}")
    elif back:
        texts.append(
            f"rolled back, all {len(back)} workloads of its ring"
            if len(back) == len(mine)
            else f"rolled back {len(back)} of {len(mine)}"
        )
    texts += [f"{each.workload} {each.why}" for each in mine if each.why and each.move is not Move.RETURNED]
    if later := [ring.name for ring in state.rings[state.ring + 1 :]]:
        texts.append(f"not begun: {', '.join(later)}")
    return "; ".join(texts)
