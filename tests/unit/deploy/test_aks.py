"""AKS clusters by their ids: where they are asked for, what is asked again, and what is refused."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from groundswell.deploy.aks import AksClusters, endpoint
from groundswell.deploy.kubernetes import KubernetesDeployer
from groundswell.deploy.port import Kind, Workload
from groundswell.errors import GroundswellError, NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import Certificates, certificates
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.aks import ID, Aks, aks
from tests.support.cluster import GOOD, certs, running, servers, workload

__all__ = ["certs", "servers"]  # fixtures

OF = Workload(cluster="c", namespace="default", kind=Kind.DEPLOYMENT, name="w", container="web")


@pytest.fixture
def azure(servers: Servers, certs: Certificates) -> Iterator[Aks]:
    with aks(servers, certs) as made:
        made.running.lookalike.create(workload("Deployment", "w"))
        yield made


@pytest.fixture
def deployer(azure: Aks) -> Iterator[KubernetesDeployer]:
    made = KubernetesDeployer({"c": azure.cluster}, connect=azure.clusters.connect)
    yield made
    made.close()


def test_azure_is_asked_once(azure: Aks, deployer: KubernetesDeployer) -> None:
    for _ in range(3):
        assert deployer.observe(OF).image == GOOD
    assert azure.arm.asked == 1


def test_another_address_is_used_after_a_refused_connection(azure: Aks, deployer: KubernetesDeployer) -> None:
    good, azure.arm.server = azure.arm.server, "https://localhost:1"
    with pytest.raises(TemporaryError, match="does not answer"):
        deployer.observe(OF)
    azure.arm.server, azure.time = good, 59.0
    with pytest.raises(TemporaryError, match="does not answer"):
        deployer.observe(OF)  # Azure was asked a moment ago
    azure.time = 61.0
    assert deployer.observe(OF).image == GOOD
    assert azure.arm.asked == 2


def test_another_server_is_used_after_a_401(
    azure: Aks, deployer: KubernetesDeployer, servers: Servers, certs: Certificates
) -> None:
    with running(servers, certs) as strict:
        good, azure.arm.server = azure.arm.server, strict.cluster.server
        with pytest.raises(PermanentError, match=r"401.*GROUNDSWELL_CLUSTERS"):
            deployer.observe(OF)
        azure.arm.server, azure.time = good, 61.0
        assert deployer.observe(OF).image == GOOD


def test_rotated_certificates_are_read_again(
    azure: Aks, deployer: KubernetesDeployer, tmp_path: Path, certs: Certificates
) -> None:
    azure.arm.ca = certificates(tmp_path).ca.read_bytes()
    with pytest.raises(PermanentError, match="localhost shows a certificate that is not of the CA"):
        deployer.observe(OF)
    azure.arm.ca, azure.time = certs.ca.read_bytes(), 61.0
    assert deployer.observe(OF).image == GOOD


def test_what_another_thread_found_is_used(azure: Aks, deployer: KubernetesDeployer) -> None:
    deployer.observe(OF)
    client: Any = deployer._clients["c"]
    stale = client._endpoint
    azure.arm.server, azure.time = azure.arm.server.replace("localhost", "127.0.0.1"), 61.0
    assert client._renewed(stale)
    assert client._renewed(stale)
    assert azure.arm.asked == 2
    assert client._moved(f"{stale.server}/apis", stale) == f"{azure.arm.server}/apis"


def test_no_token(azure: Aks) -> None:
    class Speechless:
        def get_token(self, *scopes: str, **_: Any) -> Any:
            if "6dae42f8" in scopes[0]:
                raise ClientAuthenticationError("no such application")
            return azure.clusters.credential.get_token(*scopes)

    clusters = AksClusters(credential=Speechless(), arm_endpoint=azure.clusters.arm_endpoint)
    deployer = KubernetesDeployer({"c": azure.cluster}, connect=clusters.connect)
    with pytest.raises(TemporaryError, match=r"cluster c: no token from Entra ID.*no such application"):
        deployer.observe(OF)
    deployer.close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "told"),
    [
        (403, {}, {"error": {"code": "AuthorizationFailed", "message": "no"}}, PermanentError, "Cluster User Role"),
        (404, {}, {"error": {"code": "ResourceNotFound", "message": "gone"}}, NotFoundError, "check aks"),
        (400, {}, ["odd"], PermanentError, "answered 400"),
        (429, {"Retry-After": "9"}, {}, TemporaryError, "429"),
        (503, {}, {}, TemporaryError, "503"),
    ],
)
def test_what_azure_refuses(
    azure: Aks,
    deployer: KubernetesDeployer,
    status: int,
    headers: dict[str, str],
    body: Any,
    kind: type[GroundswellError],
    told: str,
) -> None:
    azure.arm.refusal = (status, headers, body)
    with pytest.raises(GroundswellError, match=told) as caught:
        deployer.observe(OF)
    assert type(caught.value) is kind
    assert azure.arm.asked == 1  # retries are the caller's
    if headers and isinstance(caught.value, TemporaryError):
        assert caught.value.delay == 9.0


def test_azure_that_does_not_answer(azure: Aks) -> None:
    clusters = AksClusters(credential=azure.clusters.credential, arm_endpoint="https://localhost:1")
    deployer = KubernetesDeployer({"c": azure.cluster}, connect=clusters.connect)
    with pytest.raises(TemporaryError, match="Azure did not answer"):
        deployer.observe(OF)


def test_nothing_here_asks_azure(azure: Aks) -> None:
    with pytest.raises(PermanentError, match="managedClusters/prod only"):
        KubernetesDeployer({"c": azure.cluster}).observe(OF)


def test_no_token_for_azure(azure: Aks) -> None:
    class Speechless:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("no identity here")

    clusters = AksClusters(credential=Speechless(), arm_endpoint=azure.clusters.arm_endpoint)
    deployer = KubernetesDeployer({"c": azure.cluster}, connect=clusters.connect)
    with pytest.raises(TemporaryError, match=r"gave no token .*no identity here"):
        deployer.observe(OF)


def test_no_kubeconfig(azure: Aks, deployer: KubernetesDeployer) -> None:
    azure.arm.kubeconfigs = []
    with pytest.raises(PermanentError, match="gave no kubeconfig"):
        deployer.observe(OF)


def test_a_cluster_without_entra_id_is_refused(azure: Aks, deployer: KubernetesDeployer) -> None:
    azure.arm.user = {"client-certificate-data": "secret", "token": "secret"}
    with pytest.raises(PermanentError, match="does not take tokens of Microsoft Entra ID") as caught:
        deployer.observe(OF)
    assert "secret" not in str(caught.value)


_CA = base64.b64encode(b"pem").decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no kubeconfig"),
        ("[]", "no kubeconfig"),
        ("clusters: []\nusers: []", "no kubeconfig"),
        (
            "clusters: [{cluster: {server: 's', certificate-authority-data: '%'}}]\nusers: [{user: {}}]",
            "no kubeconfig",
        ),
        (
            f"clusters: [{{cluster: {{server: 'http://s', certificate-authority-data: {_CA}}}}}]\n"
            "users: [{user: {exec: {}}}]",
            "not at an https address",
        ),
    ],
)
def test_what_is_no_kubeconfig(text: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told):
        endpoint(text.encode(), "c")


def test_only_what_is_one_way_to_a_cluster_is_one() -> None:
    assert Cluster(aks=ID).server == ""
    assert "secret" not in repr(Cluster(server="s", token="secret"))
    for fields in (
        {},
        {"server": "s"},
        {"aks": ID, "via": "x"},
        {"server": "s", "token": "t", "via": "run-command"},
        {"aks": ID, "token": "t"},
        {"aks": ID + "/x"},
        {"aks": "/subscriptions/x"},
    ):
        with pytest.raises(TypeError):
            Cluster(**fields)
