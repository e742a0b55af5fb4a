from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundswell.lineage.model import Registration
from tests.support.world import World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes worlds on the images given, and closes them afterwards."""
    made: list[World] = []

    def make(*images: Registration, slots: int = 4, settle: float = 0.0, rollouts: int = 5) -> World:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(World(folder, *images, slots=slots, settle=settle, rollouts=rollouts))
        return made[-1]

    yield make
    for world in made:
        world.close()
