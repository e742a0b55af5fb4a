"""What the adapter makes of an API server's refusals and faults."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from groundswell.deploy.kubernetes import KubernetesDeployer
from groundswell.deploy.port import Act, Kind, Workload
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
        self.pods = ""
        self.asked = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = self.pods if self.pods and request.path.endswith("/pods") else self.body
        return web.Response(status=self.status, text=body, headers=self.headers, content_type="application/json")


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


@pytest.mark.parametrize(
    "body", ["<html>", "[1]", "", "null", "1", '"x"', pytest.param('{"a":' * 100_000, id="deep")]
)
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


# Answers that are JSON, with 200, and none of Kubernetes' API.

_CONTAINER = {"name": "web", "image": "r.example/a:1"}
_ITEM: dict[str, Any] = {
    "metadata": {"name": "w", "namespace": "n", "generation": 2, "resourceVersion": "7", "annotations": {}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "w"}},
        "template": {"spec": {"containers": [_CONTAINER]}},
    },
    "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "conditions": []},
}
_POD: dict[str, Any] = {
    "metadata": {"name": "w-1", "uid": "u", "creationTimestamp": "2026-11-30T08:00:00Z"},
    "spec": {"containers": [_CONTAINER]},
    "status": {
        "containerStatuses": [{"name": "web", "state": {"waiting": {"reason": "ErrImagePull"}}}],
        "conditions": [{"type": "Ready", "status": "False"}],
    },
}


def _with(item: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(item)
    *path, last = place.split(".")
    inner: Any = changed
    for part in path:
        inner = inner[int(part)] if part.isdigit() else inner[part]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return changed


_WRONG_ITEM = [
    ("metadata", None),
    ("metadata", "x"),
    ("metadata.generation", None),
    ("metadata.generation", "2"),
    ("spec", None),
    ("spec", "x"),
    ("spec", []),
    ("spec.replicas", "many"),
    ("spec.replicas", [1]),
    ("spec.selector", None),
    ("spec.selector", "app=w"),
    ("spec.selector.matchLabels", "app=w"),
    ("spec.template", None),
    ("spec.template", []),
    ("spec.template.spec", None),
    ("spec.template.spec.containers", "web"),
    ("spec.template.spec.containers", {"name": "web"}),
    ("spec.template.spec.containers", [None]),
    ("spec.template.spec.containers", [{"name": "web"}]),
    ("spec.template.spec.containers", [{"name": "web", "image": 5}]),
    ("spec.template.spec.containers", [{"name": [], "image": "x"}]),
    ("status", "x"),
    ("status.observedGeneration", "2"),
    ("status.replicas", {"a": 1}),
    ("status.conditions", "x"),
    ("status.conditions", [1]),
    ("status.conditions", [{"status": "True"}]),
]
_WRONG_POD = [
    ("metadata", None),
    ("metadata.creationTimestamp", None),
    ("metadata.creationTimestamp", 7),
    ("metadata.creationTimestamp", "yesterday"),
    ("spec", None),
    ("spec.containers", "web"),
    ("status", "x"),
    ("status.containerStatuses", "x"),
    ("status.containerStatuses", [{"state": {"waiting": {"reason": "ErrImagePull"}}}]),
    ("status.containerStatuses.0.state", "x"),
    ("status.containerStatuses.0.state.waiting", "x"),
    ("status.containerStatuses.0.state.waiting.reason", []),
]
_STRANGE = r"^c/n/.*w.*: cluster c answered with something else than Kubernetes' API does \([A-Z]\w+: .*\)$"


def test_the_answers_that_the_wrong_ones_are_made_of_are_right(
    faulty: Faulty, deployer: KubernetesDeployer
) -> None:
    faulty.status, faulty.body, faulty.pods = 200, json.dumps(_ITEM), json.dumps({"items": [_POD]})
    seen = deployer.observe(OF)
    assert (seen.image, "ErrImagePull" in seen.reason) == ("r.example/a:1", True)


@pytest.mark.parametrize(("place", "value"), _WRONG_ITEM)
def test_a_workload_of_another_form_is_tried_again(
    faulty: Faulty, deployer: KubernetesDeployer, place: str, value: Any
) -> None:
    faulty.status, faulty.body = 200, json.dumps(_with(_ITEM, place, value))
    faulty.pods = json.dumps({"items": []})
    with pytest.raises(TemporaryError, match=_STRANGE):
        deployer.observe(OF)


@pytest.mark.parametrize(("place", "value"), _WRONG_POD)
def test_a_pod_of_another_form_is_tried_again(
    faulty: Faulty, deployer: KubernetesDeployer, place: str, value: Any
) -> None:
    faulty.status, faulty.body = 200, json.dumps(_ITEM)
    faulty.pods = json.dumps({"items": [_with(_POD, place, value)]})
    with pytest.raises(TemporaryError, match=_STRANGE):
        deployer.observe(OF)


@pytest.mark.parametrize("pods", ["{}", '{"items": null}', '{"items": 1}', '{"items": ["x"]}'])
def test_a_list_of_pods_of_another_form_is_tried_again(
    faulty: Faulty, deployer: KubernetesDeployer, pods: str
) -> None:
    faulty.status, faulty.body, faulty.pods = 200, json.dumps(_ITEM), pods
    with pytest.raises(TemporaryError, match=_STRANGE):
        deployer.observe(OF)


@pytest.mark.parametrize("body", ["{}", '{"metadata": {}}', '{"spec": []}', json.dumps(_with(_ITEM, "spec", "x"))])
def test_nothing_is_patched_that_is_not_understood(faulty: Faulty, deployer: KubernetesDeployer, body: str) -> None:
    faulty.status, faulty.body = 200, body
    with pytest.raises(TemporaryError, match=_STRANGE):
        deployer.patch(OF, "r.example/a:2", cause="x")
    assert faulty.asked == 1


@pytest.mark.parametrize(
    "body", ["{}", '{"items": 1, "metadata": {}}', '{"items": [1], "metadata": {}}', '{"items": []}']
)
def test_a_search_that_is_not_understood(faulty: Faulty, deployer: KubernetesDeployer, body: str) -> None:
    faulty.status, faulty.body = 200, body
    with pytest.raises(TemporaryError, match="cluster c answered with something else"):
        deployer.following()


@pytest.mark.parametrize(
    ("body", "may"),
    [
        ('{"status": {"allowed": true}}', True),
        ('{"status": {"allowed": "false"}}', False),
        ('{"status": {"allowed": 1}}', False),
        ('{"status": {}}', False),
        ("{}", False),
    ],
)
def test_what_we_may_is_what_is_said_in_so_many_words(
    faulty: Faulty, deployer: KubernetesDeployer, body: str, may: bool
) -> None:
    faulty.status, faulty.body = 200, body
    assert deployer.may("c", Act(verb="get", resource="pods", group="", namespace="n")) is may
    faulty.body = '{"status": "yes"}'
    with pytest.raises(TemporaryError, match="cluster c answered with something else"):
        deployer.may("c", Act(verb="get", resource="pods", group="", namespace="n"))
