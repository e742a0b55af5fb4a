"""What the adapter makes of an API server's refusals and faults."""

import json
import re
from collections.abc import Iterator

import pytest
from aiohttp import web

from groundswell.deploy.kubernetes import KubernetesDeployer
from groundswell.deploy.port import Kind, Workload
from groundswell.errors import ConflictError, GroundswellError, NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import Certificates
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.cluster import certs, servers

__all__ = ["certs", "servers"]  # fixtures

OF = Workload(cluster="c", namespace="n", kind=Kind.DEPLOYMENT, name="w", container="web")


class Faulty:
    """Answers every request as it is told to, and counts them."""

    def __init__(self) -> None:
        self.status, self.body = 500, ""
        self.headers: dict[str, str] = {}
        self.asked = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(
            status=self.status, text=self.body, headers=self.headers, content_type="application/json"
        )


@pytest.fixture
def faulty() -> Faulty:
    return Faulty()


@pytest.fixture
def deployer(faulty: Faulty, servers: Servers, certs: Certificates) -> Iterator[KubernetesDeployer]:
    port = servers.serve(faulty.app)
    deployer = KubernetesDeployer(
        {
            "c": Cluster(
                server=f"https://localhost:{port}", token="very-secret", ca_file=str(certs.ca), discover=True
            )
        }
    )
    yield deployer
    deployer.close()


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (400, PermanentError, "400"),
        (401, PermanentError, "GROUNDSWELL_CLUSTERS"),
        (403, PermanentError, "must allow: get deployments in namespace n of cluster c"),
        (404, NotFoundError, "404"),
        (409, ConflictError, "409"),
        (415, PermanentError, "415"),
        (422, PermanentError, "422"),
        (429, TemporaryError, "429"),
        (500, TemporaryError, "500"),
        (503, TemporaryError, "503"),
    ],
)
def test_each_status(
    faulty: Faulty, deployer: KubernetesDeployer, status: int, kind: type[GroundswellError], told: str
) -> None:
    faulty.status, faulty.body = status, json.dumps({"message": "m" * 1000})
    with pytest.raises(GroundswellError) as caught:
        deployer.observe(OF)
    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert "m" * 256 in str(caught.value)
    assert "m" * 257 not in str(caught.value)
    assert "very-secret" not in str(caught.value)
    assert faulty.asked == 1  # retries are the caller's


@pytest.mark.parametrize(("header", "delay"), [("7", 7.0), ("0", 1.0), ("99999", 600.0), ("soon", 5.0), ("", 5.0)])
def test_the_server_says_when_to_come_back(
    faulty: Faulty, deployer: KubernetesDeployer, header: str, delay: float
) -> None:
    faulty.status, faulty.headers = 429, {"Retry-After": header}
    with pytest.raises(TemporaryError) as caught:
        deployer.observe(OF)
    assert caught.value.delay == delay


@pytest.mark.parametrize("body", ["<html>", "[1]", ""])
def test_an_answer_that_is_no_object_is_tried_again(
    faulty: Faulty, deployer: KubernetesDeployer, body: str
) -> None:
    faulty.status, faulty.body = 200, body
    with pytest.raises(TemporaryError, match="did not answer with"):
        deployer.observe(OF)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (403, PermanentError, "must allow: list deployments in namespace * of cluster c"),
        (410, TemporaryError, "410"),  # its pages went on for longer than the server remembers
    ],
)
def test_a_list_that_is_refused(
    faulty: Faulty, deployer: KubernetesDeployer, status: int, kind: type[GroundswellError], told: str
) -> None:
    faulty.status = status
    for _ in range(2):  # nothing is kept of it
        with pytest.raises(kind, match=re.escape(told)):
            deployer.following()
    assert faulty.asked == 2


def test_an_error_without_a_status_object(faulty: Faulty, deployer: KubernetesDeployer) -> None:
    faulty.status, faulty.body = 502, "<html>bad gateway</html>"
    with pytest.raises(TemporaryError, match="502: Bad Gateway"):
        deployer.observe(OF)
