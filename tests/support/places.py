"""The clusters that a contract is tried on, each with a namespace of its own, its users and an administrator.

- the look-alike;
- a real API server, where `make kube` has built one;
- any other cluster: GROUNDSWELL_TEST_KUBECONFIG names a kubeconfig whose user may do everything within a namespace
  that it makes. Nothing outside that namespace is touched, and it is deleted at the end.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from groundswell.errors import PermanentError
from groundswell.local.certs import certificates
from groundswell.local.kube.binaries import binaries
from groundswell.local.kube.service import ROLE, KubeCluster
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.cluster import READER, TOKEN, Images, connected, running

KUBECONFIG = os.environ.get("GROUNDSWELL_TEST_KUBECONFIG", "")
NAMES = ["look-alike", "kube", *(["kubeconfig"] if KUBECONFIG else [])]

_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`cluster` is reached as Groundswell, with its role; `reader` as somebody who may only read.

    `patience`: seconds to wait for what a controller does. `version`: of the API server.
    """

    name: str
    cluster: Cluster
    reader: Cluster
    admin: Any
    namespace: str
    patience: float
    version: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kube:
    """A running real API server, kept for all tests of a run."""

    server: str
    ca: Path
    admin_token: str

    def as_user(self, token: str) -> Cluster:
        return Cluster(server=self.server, token=token, ca_file=str(self.ca))


@contextlib.contextmanager
def kube_running(folder: Path) -> Iterator[Kube]:
    """Start a real API server; the tests that ask for it are skipped where none has been built."""
    try:
        binaries()
    except PermanentError as exc:
        pytest.skip(str(exc))
    images, certs = Images(), certificates(folder / "certs")
    with Servers(certs) as servers, contextlib.ExitStack() as closing:
        cluster = KubeCluster(
            folder / "kube",
            certs,
            token=TOKEN,
            read_only_token=READER,
            exists=lambda image: image not in images.missing,
            crash=lambda image: image in images.crashing,
            ready_seconds=0.05,
            retry_seconds=0.1,
            step_seconds=0.01,
        )
        closing.callback(cluster.close)
        port = cluster.start(servers)
        yield Kube(server=f"https://localhost:{port}", ca=certs.ca, admin_token=cluster.admin_token)


@contextlib.contextmanager
def place(name: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A new namespace in the cluster of that name (one of NAMES), deleted afterwards."""
    match name:
        case "look-alike":
            certs = request.getfixturevalue("certs")
            with running(request.getfixturevalue("servers"), certs) as found:
                cluster = found.cluster
                reader = Cluster(server=cluster.server, token=READER, ca_file=cluster.ca_file)
                with in_namespace(found.api) as namespace:
                    yield placed(name, found.api, namespace, cluster=cluster, reader=reader)
        case "kube":
            kube: Kube = request.getfixturevalue("kube")
            with connected(kube.as_user(kube.admin_token)) as admin, in_namespace(admin) as namespace:
                yield placed(name, admin, namespace, cluster=kube.as_user(TOKEN), reader=kube.as_user(READER))
        case _:
            role = next(one for one in yaml.safe_load_all(ROLE.read_text("utf-8")) if one["kind"] == "ClusterRole")
            reading = [{**rule, "verbs": ["get", "list"]} for rule in role["rules"]]
            with _from_kubeconfig() as admin, in_namespace(admin) as namespace:
                cluster = _user(admin, namespace, "groundswell", role["rules"])
                reader = _user(admin, namespace, "reader", reading)
                yield placed(name, admin, namespace, cluster=cluster, reader=reader, patience=120.0)


@contextlib.contextmanager
def in_namespace(admin: client.ApiClient) -> Iterator[str]:
    """A namespace of a new name, deleted afterwards."""
    core: Any = client.CoreV1Api(admin)
    name = f"groundswell-test-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    try:
        yield name
    finally:
        core.delete_namespace(name)


def placed(
    name: str, admin: Any, namespace: str, *, cluster: Cluster, reader: Cluster, patience: float = 20.0
) -> Place:
    return Place(
        name=name,
        cluster=cluster,
        reader=reader,
        admin=admin,
        namespace=namespace,
        patience=patience,
        version=_version(admin),
    )


@contextlib.contextmanager
def _from_kubeconfig() -> Iterator[client.ApiClient]:
    """As the kubeconfig's user, however that proves who it is: a token, a certificate, a program."""
    configuration: Any = client.Configuration()
    load: Any = config.load_kube_config
    load(KUBECONFIG, client_configuration=configuration)
    configuration.retries = False
    with client.ApiClient(configuration) as admin:
        yield admin


def _user(admin: Any, namespace: str, name: str, rules: list[Any]) -> Cluster:
    """A service account that may do so much in the namespace."""
    core: Any = client.CoreV1Api(admin)
    roles: Any = client.RbacAuthorizationV1Api(admin)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
    roles.create_namespaced_role(namespace, {"metadata": {"name": name}, "rules": rules})
    role = {"apiGroup": _RBAC, "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    binding = {"metadata": {"name": name}, "roleRef": role, "subjects": [subject]}
    roles.create_namespaced_role_binding(namespace, binding)
    asked = core.create_namespaced_service_account_token(name, namespace, {"spec": {"expirationSeconds": 3600}})
    at = admin.configuration
    return Cluster(server=at.host, token=asked.status.token, ca_file=at.ssl_ca_cert)


def _version(admin: Any) -> tuple[int, int]:
    major, minor, *_ = client.VersionApi(admin).get_code().git_version.removeprefix("v").split(".")
    return int(major), int(minor)
