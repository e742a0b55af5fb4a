"""The small, rich cascade that most tests disturb, and how it ends when nobody does."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.harness import Plant, cascade_of_all_kinds

type MakePlant = Callable[..., Plant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the cascade ends, what was built for it, and every call that was made (port, verb, took effect)."""

    end: dict[str, Any]
    built: Counter[str]
    calls: list[tuple[str, str, bool]]


def plant_of_all_kinds(make_plant: MakePlant, **rest: Any) -> Plant:
    """On which everything happens that can: see `cascade_of_all_kinds`. The base has been pushed."""
    plant = make_plant(*cascade_of_all_kinds(), static={"static", "page"}, vulnerable={"bad"}, **rest)
    plant.push()
    return plant


def undisturbed(make_plant: MakePlant, pushes: int = 1) -> Ending:
    plant = plant_of_all_kinds(make_plant)
    calls: list[tuple[str, str, bool]] = []
    plant.fault = lambda worker, port, verb, done: calls.append((port, verb, done))
    plant.drive()
    plant.check_end()
    plant.check_content()
    assert set(plant.outside.built().values()) == {1}
    assert not plant.outside.repeated
    built = plant.outside.built()
    for version in range(2, pushes + 1):
        plant.push(version=version)
        plant.drive()
    return Ending(end=plant.end(), built=built, calls=calls)


def check_once(plant: Plant, built: Counter[str], *, losses: int, told: str) -> None:
    """No promotion is repeated but where its answer was lost, no run started but one more for every such loss."""
    assert len(plant.outside.repeated) <= losses, (told, plant.outside.repeated)
    more = plant.outside.built() - built
    assert sum(more.values()) <= losses, (told, more)
    assert all(count == 1 for count in more.values()), (told, more)
