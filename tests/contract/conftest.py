"""What several contracts share: clusters, which are slow to start."""

from collections.abc import Iterator

import pytest

from tests.support.cluster import certs, servers
from tests.support.places import NAMES, Kube, Place, kube_running, place

__all__ = ["certs", "servers"]  # fixtures


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A real API server, started when the first test asks for it (in about 5 s)."""
    with kube_running(tmp_path_factory.mktemp("kube")) as running:
        yield running


@pytest.fixture(scope="module", params=NAMES)
def at(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each cluster in turn."""
    with place(request.param, request) as found:
        yield found


@pytest.fixture(scope="module")
def both(request: pytest.FixtureRequest) -> Iterator[tuple[Place, Place]]:
    """The look-alike and a real API server at once."""
    with place("look-alike", request) as one, place("kube", request) as other:
        yield one, other
