"""Azurite for tests: `azurite = tests.support.azurite.azurite` in a module makes its fixture known there."""

from collections.abc import Iterator

import pytest

from groundswell.local.azurite import Azurite


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    """One for the whole module; tests take tables and queues of their own."""
    with Azurite() as running:
        yield running
