"""A cluster for tests: the look-alike over TLS, and the official client that talks to it."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes import client

from groundswell.local.certs import Certificates, certificates
from groundswell.local.cluster import ClusterLookalike
from groundswell.local.serve import Servers
from groundswell.settings import Cluster

TOKEN, READER = "writer-token", "reader-token"

GOOD, BETTER = "registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10"
MISSING = "registry.k8s.io/pause:no-such-tag"
SIDE = "registry.k8s.io/pause:3.8"


@dataclass(slots=True, kw_only=True)
class Images:
    """What the look-alike's nodes are told of images; may be changed while it runs."""

    missing: set[str] = field(default_factory=lambda: {MISSING})
    crashing: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Its APIs are Any: the client takes plain JSON where its annotations ask for models."""

    lookalike: ClusterLookalike
    images: Images
    cluster: Cluster
    api: client.ApiClient

    @property
    def apps(self) -> Any:
        return client.AppsV1Api(self.api)

    @property
    def core(self) -> Any:
        return client.CoreV1Api(self.api)

    @property
    def batch(self) -> Any:
        return client.BatchV1Api(self.api)


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certs"))


@pytest.fixture(scope="module")
def servers(certs: Certificates) -> Iterator[Servers]:
    with Servers(certs) as running:
        yield running


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[client.ApiClient]:
    configuration = client.Configuration(host=cluster.server)
    configuration.api_key = {"authorization": f"Bearer {cluster.token}"}
    configuration.ssl_ca_cert = cluster.ca_file
    configuration.retries = False
    with client.ApiClient(configuration) as api:
        yield api


@contextlib.contextmanager
def running(servers: Servers, certs: Certificates, **options: Any) -> Iterator[Running]:
    images = Images()
    lookalike = ClusterLookalike(
        token=TOKEN,
        read_only_token=READER,
        exists=lambda image: image not in images.missing,
        crash=lambda image: image in images.crashing,
        **{"ready_seconds": 0.05, "retry_seconds": 0.1, "step_seconds": 0.01, **options},
    )
    try:
        port = servers.serve(lookalike.app)
        cluster = Cluster(server=f"https://localhost:{port}", token=TOKEN, ca_file=str(certs.ca))
        with connected(cluster) as api:
            yield Running(lookalike=lookalike, images=images, cluster=cluster, api=api)
    finally:
        lookalike.close()


def workload(kind: str, name: str, *, namespace: str = "default", image: str = GOOD, **spec: Any) -> dict[str, Any]:
    """A manifest with an init container, the container `web` with env, and the sidecar `proxy`."""
    pod: dict[str, Any] = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [
                {"name": "web", "image": image, "env": [{"name": "A", "value": "1"}]},
                {"name": "proxy", "image": SIDE, "env": [{"name": "LEVEL", "value": "warn"}]},
            ],
        },
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    if kind == "CronJob":
        pod["spec"]["restartPolicy"] = "Never"
        spec = {"schedule": "0 5 1 * *", "jobTemplate": {"spec": {"template": pod}}, **spec}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": pod, **spec}
    if kind != "DaemonSet":
        spec.setdefault("replicas", 2)
    if kind == "StatefulSet":
        spec.setdefault("serviceName", name)
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def eventually[T](look: Callable[[], T], *, seconds: float = 10.0) -> T:
    """What `look()` gives once it is true; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds} s; last: {found!r}"
        time.sleep(0.02)
    return found
