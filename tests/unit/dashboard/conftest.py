from collections.abc import Iterator
from pathlib import Path

import pytest

from groundswell.access.principal import Role
from tests.support.pages import Browser
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def browser(world: World) -> Browser:
    """Nobody is signed in."""
    return Browser(world)


@pytest.fixture
def reader(browser: Browser) -> Browser:
    assert browser.sign_in(Role.READER).status_code == 303
    return browser


@pytest.fixture
def operator(world: World) -> Browser:
    one = Browser(world)
    assert one.sign_in(Role.OPERATOR).status_code == 303
    return one
