"""A small world: two images of two teams on one base, and a channel that is told everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.world import BASE, World, ref, registration, workload


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(
        tmp_path,
        registration("top", BASE, owner="platform"),
        registration("web", ref("top"), owner="shop", deployments=[workload("web")]),
        registration("api", ref("top"), owner="shop"),
    )
    world.drive()
    world.time += 1.0
    yield world
    world.close()
