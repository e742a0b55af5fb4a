"""How long a cascade takes, against what no schedule could beat: max(critical path, work / slots).

The product's own scheduler decides, on a virtual clock. A cell is a size and a number of slots, over many seeds;
durations are log-normal, and estimates are wrong by a log-normal factor. Schedulers are judged on lineages that
have room for both good and bad decisions; the flat ones of `bench.lineages`, where a build that nothing waits for
may turn out a third of the whole, are measured beside them. `python -m bench.makespan` prints every cell.
"""

import heapq
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from rich.console import Console
from rich.table import Table

from bench.lineages import HOST, registrations
from bench.result import Result
from graph.impact import Affected, dependants_of, impact, remaining_paths
from graph.lineage import Lineage, Node
from groundswell.cascade import schedule

SIZES, SLOTS, SEEDS = (50, 500, 5_000), (4, 16, 64), 20
_SPREAD, _ERROR = 0.8, 0.5  # sigmas of the durations, and of the factor by which estimates are wrong
_TYPICAL = math.log(60.0)
_DIRECT, _SECOND = 0.3, 0.3  # shares of images right on the pushed base, and with a second base
_BASE = f"{HOST}/mirror/base-0:12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Ratios to the bound, one a seed, of three schedules."""

    images: int
    slots: int
    exact: tuple[float, ...]
    noisy: tuple[float, ...]
    waves: tuple[float, ...]


def exact() -> Result:
    """The highest cell mean when every duration is known beforehand."""
    return _result(_cells(), lambda cell: cell.exact)


def noisy() -> Result:
    """The highest cell mean when the estimates are wrong."""
    return _result(_cells(), lambda cell: cell.noisy)


def waves() -> Result:
    """The highest cell mean of a schedule that goes level by level, everything known, against our own."""
    cells = _cells()
    return Result(
        value=_highest(cells, lambda cell: cell.waves),
        unit="of the bound",
        baseline="dataflow, everything known",
        baseline_value=_highest(cells, lambda cell: cell.exact),
    )


def noisy_worst() -> Result:
    """The worst single run of all, with estimates that are wrong."""
    return _worst(_cells(), noisy=True)


def exact_worst() -> Result:
    """The worst single run of all, with exact durations."""
    return _worst(_cells(), noisy=False)


def noisy_flat() -> Result:
    """The highest cell mean on flat lineages with wrong estimates, against the same with everything known."""
    cells = _cells(flat=True)
    return Result(
        value=_highest(cells, lambda cell: cell.noisy),
        unit="of the bound",
        baseline="everything known",
        baseline_value=_highest(cells, lambda cell: cell.exact),
    )


def _result(cells: Sequence[Cell], ratios: Callable[[Cell], Sequence[float]]) -> Result:
    return Result(
        value=_highest(cells, ratios),
        unit="of the bound",
        baseline="level by level",
        baseline_value=_highest(cells, lambda cell: cell.waves),
    )


def _worst(cells: Sequence[Cell], *, noisy: bool) -> Result:
    return Result(
        value=max(max(cell.noisy if noisy else cell.exact) for cell in cells),
        unit="of the bound",
        baseline="level by level, worst",
        baseline_value=max(max(cell.waves) for cell in cells),
    )


def _highest(cells: Sequence[Cell], ratios: Callable[[Cell], Sequence[float]]) -> float:
    return max(fmean(ratios(cell)) for cell in cells)


@cache
def _cells(*, flat: bool = False) -> tuple[Cell, ...]:
    return tuple(cell for images in SIZES for cell in _row(images, flat=flat))


def _row(images: int, *, flat: bool) -> Iterator[Cell]:
    """The cells of one size: every seed's lineage meets every number of slots."""
    runs: dict[int, list[tuple[float, float, float]]] = {slots: [] for slots in SLOTS}
    for seed in range(SEEDS):
        affected = _flat(images, seed) if flat else _deep(images, seed)
        for slots in SLOTS:
            runs[slots].append(_run(affected, slots, seed))
    for slots, ratios in runs.items():
        exact, noisy, waves = zip(*ratios, strict=True)
        yield Cell(images=images, slots=slots, exact=exact, noisy=noisy, waves=waves)


def _run(affected: Sequence[Affected], slots: int, seed: int) -> tuple[float, float, float]:
    dependants = dependants_of(affected)
    rng = random.Random(f"durations {seed}")  # noqa: S311  # made-up data; the same for every number of slots
    seconds = {image: rng.lognormvariate(_TYPICAL, _SPREAD) for image in dependants}
    guesses = {image: each * rng.lognormvariate(0.0, _ERROR) for image, each in seconds.items()}
    paths = remaining_paths(dependants, seconds)
    bound = max(*paths.values(), sum(seconds.values()) / slots)
    return (
        play(affected, paths, seconds, slots) / bound,
        play(affected, remaining_paths(dependants, guesses), seconds, slots) / bound,
        play_waves(affected, seconds, slots) / bound,
    )


def _deep(count: int, seed: int) -> tuple[Affected, ...]:
    """As a company's images grow out of one base: each new one stands on the base itself or on one of the older."""
    rng = random.Random(f"lineage {seed}")  # noqa: S311  # made-up data
    grown = []
    for number in range(count):
        first = _BASE if number == 0 or rng.random() < _DIRECT else _tag(rng.randrange(number))
        second = (_tag(rng.randrange(number)),) if number and rng.random() < _SECOND else ()
        grown.append(Node(name=f"i{number}", publishes=(_tag(number),), runtime=first, build=second))
    return impact(Lineage(grown), _BASE).images


def _flat(count: int, seed: int) -> tuple[Affected, ...]:
    """Those of `bench.lineages` that were the first to stand on the largest base."""
    company = [item.node for item in registrations(8 * count + 200, seed=seed + 1)]
    reached = {affected.image for affected in impact(Lineage(company), _BASE).images}
    kept = [node for node in company if node.name in reached][:count]
    if len(kept) < count:
        raise RuntimeError(f"only {len(kept)} images stand on {_BASE}: the cell would mean something else")
    return impact(Lineage(kept), _BASE).images


def _tag(number: int) -> str:
    return f"{HOST}/i{number}:1"


def play(images: Sequence[Affected], paths: Mapping[str, float], seconds: Mapping[str, float], slots: int) -> float:
    """Seconds of a cascade under the product's scheduler, which knows the remaining `paths` as estimated."""
    dependants = dependants_of(images)
    left = {affected.image: len(affected.waits_for) for affected in images}
    line: list[tuple[str, schedule.Entry]] = []
    building: list[tuple[float, str]] = []
    pool, now = schedule.Pool(), 0.0

    def front(_: str) -> Iterator[schedule.Entry]:
        while line:
            yield heapq.heappop(line)[1]  # with one cascade, who is looked at gets the slot

    def start(ready: Sequence[str]) -> None:
        nonlocal pool
        for image in ready:
            entry = schedule.Entry(cascade="c", image=image, turn=1, priority=paths[image], since=now)
            pool = schedule.admit(pool, entry)
            heapq.heappush(line, (schedule.row("c", image, paths[image]), entry))
        pool, granted = schedule.grant(pool, slots, front, now=now)
        for entry in granted:
            heapq.heappush(building, (now + seconds[entry.image], entry.image))

    start([image for image, count in left.items() if not count])
    while building:
        now, image = heapq.heappop(building)
        pool = schedule.release(pool, "c", image, up_to=1)
        for dependant in dependants[image]:
            left[dependant] -= 1
        start([dependant for dependant in dependants[image] if not left[dependant]])
    if any(left.values()) or line:
        raise RuntimeError("the scheduler left images unbuilt: the figures would mean nothing")
    return now


def play_waves(images: Sequence[Affected], seconds: Mapping[str, float], slots: int) -> float:
    """Seconds of the same, level by level: a level begins when the one before it is done, the longest first."""
    levels: dict[int, list[float]] = {}
    for affected in images:
        levels.setdefault(affected.depth, []).append(seconds[affected.image])
    total = 0.0
    for level in levels.values():
        ends = [0.0] * slots
        for each in sorted(level, reverse=True):
            heapq.heapreplace(ends, ends[0] + each)
        total += max(ends)
    return total


def _print() -> None:
    for title, flat in (("lineages", False), ("flat lineages", True)):
        table = Table(title=f"{title}: makespan over the bound, mean and worst of {SEEDS} seeds", box=None)
        for heading in ("images", "slots", "exact", "worst", "noisy", "worst", "waves", "worst"):
            table.add_column(heading, justify="right")
        for cell in _cells(flat=flat):
            ratios = (cell.exact, cell.noisy, cell.waves)
            figures = [f"{figure:.4f}" for each in ratios for figure in (fmean(each), max(each))]
            table.add_row(str(cell.images), str(cell.slots), *figures)
        Console().print(table)


if __name__ == "__main__":
    _print()
