"""What several contracts share because it is slow to start."""

from collections.abc import Iterator

import pytest

from tests.support.places import Kube, kube_running


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A real API server, started when the first test asks for it (in about 5 s)."""
    with kube_running(tmp_path_factory.mktemp("kube")) as running:
        yield running
