"""What the cascades of past months come to: how long they took, how they ended, what they mended. Pure.

A cascade that has ended is summed up once, and the part of each team in it, so that a year is told from a thousand
short summaries and no rebuild is read for it. Times of single images are kept as counts in classes that grow by 5
percent: counts can be added up, and what is read from them is at most 2.5 percent off.

From push to rolled out is counted from when Groundswell first dealt with the cascade's first push to when the last
workload was healthy on the new digest: of the image, or of the cascade. What rolled nothing out has no such time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from groundswell.cascade.meaning import outcome
from groundswell.cascade.model import Move, Outcome, Rebuild
from groundswell.cascade.status import Status

REPLAYED = "replayed from "
"""How the reason of a replay begins in a rebuild's history."""
SLOWEST = 10
"""Images that a summary names as slow, and a month."""
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNKNOWN")
UNSAID = "unsaid"
"""Findings that are counted in a verdict, and were cut from its list: their severity is not in the records."""
_CLASS = math.log(1.05)
_GOOD = (Status.DONE, Status.UNCHANGED)
_BAD = (Status.FAILED, Status.REJECTED, Status.BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A cascade that has ended, or a team's part in it.

    `rolled_out` is in seconds from the push, None when nothing of it was.

    `took` counts its images by the class of their time (`class_of`); `slow` are those whose usual build takes
    longest, in seconds; `fixed` counts findings by severity that the old digests have and the promoted ones do not,
    over the `compared` images; of `uncompared` ones the records do not say.
    """

    ended: Mapping[str, int] = field(default_factory=dict)
    replays: int = 0
    rolled_out: float | None = None
    took: Mapping[str, int] = field(default_factory=dict)
    slow: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, int] = field(default_factory=dict)
    compared: int = 0
    uncompared: int = 0


def to_json(part: Part) -> dict[str, Any]:
    """Without what says nothing, as there are many."""
    return {name: value for name, value in asdict(part).items() if value not in (None, 0, {})}


def summed_up(
    states: Iterable[Rebuild], *, pushed: float, owners: Mapping[str, str], usual: Mapping[str, float]
) -> tuple[Part, dict[str, Part]]:
    """What a cascade came to: as a whole, and the part of each owner ("" for images that have none).

    `pushed` is when its first push was seen, `usual` what builds take, by image.
    """
    by_owner: dict[str, list[Rebuild]] = {}
    for state in states:
        by_owner.setdefault(owners.get(state.image, ""), []).append(state)
    parts = {owner: _part(some, pushed, usual) for owner, some in sorted(by_owner.items())}
    return _part([state for some in by_owner.values() for state in some], pushed, usual), parts


def _part(states: Sequence[Rebuild], pushed: float, usual: Mapping[str, float]) -> Part:
    times = [at - pushed for state in states if (at := healthy_at(state)) is not None]
    promoted = [state for state in states if _promoted(state)]
    judged = [state.verdict for state in promoted if state.verdict.get("compared")]
    fixed: Counter[str] = Counter()
    for verdict in judged:
        fixed.update(_fixed(verdict))
    built = ((-usual[state.image], state.image) for state in states if state.run and state.image in usual)
    return Part(
        ended=dict(Counter(state.status.value for state in states)),
        replays=sum(moment.reason.startswith(REPLAYED) for state in states for moment in state.history),
        rolled_out=round(max(times), 1) if times else None,
        took=dict(Counter(class_of(seconds) for seconds in times)),
        slow={image: round(-seconds, 1) for seconds, image in sorted(built)[:SLOWEST]},
        fixed=dict(fixed),
        compared=len(judged),
        uncompared=len(promoted) - len(judged),
    )


def _promoted(state: Rebuild) -> bool:
    return state.status is not Status.UNCHANGED and outcome(state) is Outcome.PROMOTED


def healthy_at(state: Rebuild) -> float | None:
    """When the last workload of an image was healthy on its new digest; None when none was moved, or one is not."""
    ours = [rollout for rollout in state.rollouts if rollout.move is not Move.SKIPPED]
    if not ours or state.status is not Status.DONE or all(each.move is Move.DRIFTED for each in ours):
        return None
    known = [each.at for each in ours if each.move is Move.HEALTHY and each.at]
    return max(known) if known else state.updated_at  # an older record does not say of each


def _fixed(verdict: Mapping[str, Any]) -> Iterator[str]:
    listed = [line["severity"] for line in verdict.get("fixed", ())]
    yield from listed
    yield from [UNSAID] * (verdict.get("tally", {}).get("fixed", 0) - len(listed))


def class_of(seconds: float) -> str:
    """The class of a time, as a key in JSON."""
    return str(round(math.log(max(seconds, 1.0)) / _CLASS))


def middle(name: str) -> float:
    """The time that stands for a class."""
    return round(math.exp(int(name) * _CLASS), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of `count` times the median and the 95th percentile (nearest rank), None when there are none."""

    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The cascades that began in a month (UTC) and have ended, as far as they concern whoever asked.

    `rate` is the share of `done` and `unchanged` among the images that ended well or badly; what was cancelled or
    superseded is neither. `fixed_per_cascade` is over the cascades in which anything was compared.
    """

    month: str
    cascades: int
    per_cascade: Times
    per_image: Times
    images: int
    ended: Mapping[str, int]
    rate: float | None
    replays: int
    slowest: tuple[tuple[str, float], ...]
    fixed: Mapping[str, int]
    fixed_per_cascade: float | None
    compared: int
    uncompared: int


def month(name: str, parts: Iterable[Part]) -> Month:
    """What a month comes to, of its cascades (or a team's part in each), the newest first."""
    cascades = replays = compared = uncompared = comparing = 0
    rolled_out: list[float] = []
    took: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    fixed: Counter[str] = Counter()
    slow: dict[str, float] = {}
    for part in parts:
        cascades += 1
        rolled_out += [part.rolled_out] if part.rolled_out is not None else []
        comparing += bool(part.compared)
        for counts, more in ((took, part.took), (ended, part.ended), (fixed, part.fixed)):
            for key, count in more.items():  # quicker than `update` for a few
                counts[key] += count
        replays += part.replays
        compared += part.compared
        uncompared += part.uncompared
        for image, seconds in part.slow.items():
            slow.setdefault(image, seconds)
    rolled_out.sort()
    return Month(
        month=name,
        cascades=cascades,
        per_cascade=Times(count=len(rolled_out), p50=_rank(rolled_out, 0.5), p95=_rank(rolled_out, 0.95)),
        per_image=_times(took),
        images=sum(ended.values()),
        ended={status.value: ended[status] for status in Status if ended[status]},
        rate=rate(ended),
        replays=replays,
        slowest=tuple(sorted(slow.items(), key=lambda item: (-item[1], item[0]))[:SLOWEST]),
        fixed={name: fixed[name] for name in (*SEVERITIES, UNSAID) if fixed[name]},
        fixed_per_cascade=round(sum(fixed.values()) / comparing, 2) if comparing else None,
        compared=compared,
        uncompared=uncompared,
    )


def rate(ended: Mapping[str, int]) -> float | None:
    """The share of those that ended well among those that ended well or badly; None when there are none."""
    good = sum(ended.get(status, 0) for status in _GOOD)
    counted = good + sum(ended.get(status, 0) for status in _BAD)
    return round(good / counted, 4) if counted else None


def _rank(ordered: Sequence[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _times(took: Mapping[str, int]) -> Times:
    classes = sorted(took.items(), key=lambda item: int(item[0]))
    total = sum(took.values())
    return Times(count=total, p50=_counted(classes, 0.5 * total), p95=_counted(classes, 0.95 * total))


def _counted(classes: Sequence[tuple[str, int]], rank: float) -> float | None:
    below = 0
    for name, count in classes:
        below += count
        if below >= rank:
            return middle(name)
    return None
