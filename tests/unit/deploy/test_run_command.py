"""Calls as commands in a private cluster: what they may hold, and what kubectl's words mean."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.mgmt.containerservice.models import CommandResultProperties, RunCommandResult
from kubernetes.client import CoreV1Api

from groundswell.deploy import run_command
from groundswell.deploy.kubernetes import KubernetesDeployer
from groundswell.deploy.port import Kind, Workload
from groundswell.deploy.run_command import COMMANDS, MAX_OUTPUT, answer, context
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.local.certs import Certificates
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.aks import ID, Aks, aks
from tests.support.cluster import BETTER, GOOD, certs, servers, workload

__all__ = ["certs", "servers"]  # fixtures

OF = Workload(cluster="c", namespace="default", kind=Kind.DEPLOYMENT, name="w", container="web")
STRATEGIC = "application/strategic-merge-patch+json"
DEPLOYMENT = "/apis/apps/v1/namespaces/n/deployments/w"


@pytest.fixture
def azure(servers: Servers, certs: Certificates) -> Iterator[Aks]:
    with aks(servers, certs) as made:
        made.running.lookalike.create(workload("Deployment", "w"))
        made.cluster = Cluster(aks=ID, via="run-command")
        yield made


@pytest.fixture
def deployer(azure: Aks) -> Iterator[KubernetesDeployer]:
    made = KubernetesDeployer({"c": azure.cluster}, connect=azure.clusters.connect)
    yield made
    made.close()


def test_a_patch_is_two_commands(azure: Aks, deployer: KubernetesDeployer) -> None:
    assert deployer.observe(OF).image == GOOD
    azure.arm.commands.clear()
    deployer.patch(OF, BETTER, cause='it\'s $(date) & `id`; "so"\n')
    assert azure.arm.commands[-2:] == [COMMANDS["GET"], COMMANDS["PATCH"]]  # again, if a controller came between
    found = azure.running.lookalike.get("Deployment", "default", "w")
    assert found["metadata"]["annotations"]["kubernetes.io/change-cause"] == 'it\'s $(date) & `id`; "so"\n'


def test_a_body_that_is_not_an_object_is_tried_again(azure: Aks, deployer: KubernetesDeployer) -> None:
    azure.arm.result = {"exitCode": 0, "logs": "", "provisioningState": "Succeeded"}
    with pytest.raises(TemporaryError, match="did not answer with JSON"):
        deployer.observe(OF)


def test_the_api_server_does_not_know_the_identity(azure: Aks, deployer: KubernetesDeployer) -> None:
    azure.arm.result = {"exitCode": 1, "logs": "error: You must be logged in to the server (Unauthorized)\n"}
    with pytest.raises(PermanentError, match=r"401: error: You must be logged in.*GROUNDSWELL_CLUSTERS"):
        deployer.observe(OF)


def test_the_role_is_named(azure: Aks, deployer: KubernetesDeployer) -> None:
    azure.arm.refusal = (403, {}, {"error": {"code": "AuthorizationFailed", "message": "no"}})
    with pytest.raises(PermanentError, match=r"managedClusters/runCommand/action"):
        deployer.observe(OF)


def test_a_command_without_an_end(
    azure: Aks, deployer: KubernetesDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_command, "MAX_SECONDS", 0.0)
    with pytest.raises(TemporaryError, match="no result within 0 s"):
        deployer.observe(OF)
    monkeypatch.undo()
    assert deployer.observe(OF).image == GOOD


def test_what_is_deleted_is_held_to_what_was_seen(azure: Aks, deployer: KubernetesDeployer) -> None:
    client: Any = deployer._client("c")
    core: Any = CoreV1Api(client)
    (first, *_) = core.list_namespaced_pod("default", label_selector="app=w").items
    body = {"preconditions": {"uid": "another"}}
    with pytest.raises(Exception, match="409"):
        core.delete_namespaced_pod(first.metadata.name, "default", body=body)


def test_files_hold_what_is_asked_for() -> None:
    assert context("GET", DEPLOYMENT, "", None) == {"path": DEPLOYMENT}
    pods = "/api/v1/namespaces/n/pods"
    assert context("GET", pods, "", None) == {"path": f"{pods}?limit=25"}
    asked = f"{pods}?labelSelector=app%3Dw%2Ctier%20in%20%28a%29"
    assert context("GET", asked, "", None) == {"path": f"{asked}&limit=25"}
    page = "/apis/apps/v1/deployments?limit={}&continue=a%3D"
    assert context("GET", page.format(500), "", None) == {"path": page.format(25)}
    assert context("GET", f"{pods}?limit=500", "", None) == {"path": f"{pods}?limit=25"}
    assert context("DELETE", f"{pods}/p", "", None) == {"path": f"{pods}/p", "options.json": "{}"}
    files = context("PATCH", "/apis/batch/v1/namespaces/n/cronjobs/w.x", STRATEGIC, {"a": "$(b)"})
    assert {name: json.loads(text) for name, text in files.items()} == {
        "object.json": {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"namespace": "n", "name": "w.x"},
        },
        "change.json": {"a": "$(b)"},
    }


@pytest.mark.parametrize(
    ("method", "path", "media_type"),
    [
        ("POST", DEPLOYMENT, ""),
        ("GET", "/version", ""),
        ("GET", "/api/v1/pods\n--x", ""),
        ("GET", "/api/v1/$(id)", ""),
        ("GET", "/api/v1/'x", ""),
        ("GET", "--raw=/api/v1/x", ""),
        ("GET", "/api/v1/pods?a=`id`", ""),
        ("PATCH", DEPLOYMENT, "application/json-patch+json"),
        ("PATCH", "/api/v1/namespaces/n/secrets/w", STRATEGIC),
        ("PATCH", "/apis/apps/v1/namespaces/n/deployments/W", STRATEGIC),
        ("PATCH", f"{DEPLOYMENT}/scale", STRATEGIC),
        ("PATCH", f"{DEPLOYMENT}?dryRun=All", STRATEGIC),
    ],
)
def test_nothing_else_is_run(method: str, path: str, media_type: str) -> None:
    with pytest.raises(PermanentError, match="run-command can make"):
        context(method, path, media_type, {})


def result(**fields: Any) -> RunCommandResult:
    return RunCommandResult(properties=CommandResultProperties(fields))


@pytest.mark.parametrize(
    ("logs", "status", "message"),
    [
        ('Error from server (NotFound): deployments.apps "w" not found\n', 404, 'deployments.apps "w" not found'),
        ("W: x\nError from server (Conflict): Operation cannot\nbe", 409, "Operation cannot\nbe"),
        ("Error from server (Forbidden): no", 403, "no"),
        ("Error from server: etcdserver: timeout", 500, "etcdserver: timeout"),
        ("Error from server (Odd): x", 500, "x"),
        (
            'The Deployment "w" is invalid: spec: Invalid value',
            422,
            'The Deployment "w" is invalid: spec: Invalid value',
        ),
        ("error: You must be logged in to the server (x)\n", 401, "error: You must be logged in to the server (x)"),
    ],
)
def test_what_kubectl_says_of_a_refusal(logs: str, status: int, message: str) -> None:
    found, data = answer(result(exitCode=1, logs=logs), "c")
    assert (found, json.loads(data)["message"]) == (status, message)


def test_warnings_before_the_answer_are_left_out() -> None:
    assert answer(result(exitCode=0, logs='Warning: old {x}\n{"a": 1}'), "c") == (200, b'{"a": 1}')


@pytest.mark.parametrize(
    ("fields", "kind", "told"),
    [
        ({"reason": "ImagePullBackOff"}, TemporaryError, "c: the command did not run: ImagePullBackOff"),
        ({}, TemporaryError, "no reason given"),
        (
            {"exitCode": 1, "logs": "Unable to connect\nto it"},
            TemporaryError,
            "failed (1): Unable to connect to it",
        ),
        ({"exitCode": 0, "logs": "{" + " " * MAX_OUTPUT}, PermanentError, "longer than the 512000 bytes"),
    ],
)
def test_what_is_no_answer(fields: dict[str, Any], kind: type[GroundswellError], told: str) -> None:
    with pytest.raises(GroundswellError) as caught:
        answer(result(**fields), "c")
    assert isinstance(caught.value, kind)
    assert told in str(caught.value)
