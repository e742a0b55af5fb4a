"""A real cluster as one thing, used as the look-alike is: a control plane, its node, its front, its users."""

import contextlib
import secrets
from functools import partial
from pathlib import Path

import yaml

from groundswell import clock as clocks
from groundswell.clock import Clock
from groundswell.local.certs import Certificates
from groundswell.local.cluster.kinds import kind_named
from groundswell.local.cluster.kubelet import Says
from groundswell.local.cluster.objects import Json
from groundswell.local.kube.binaries import binaries
from groundswell.local.kube.client import KubeClient, path_of
from groundswell.local.kube.control_plane import MASTERS, ControlPlane, User
from groundswell.local.kube.front import Front
from groundswell.local.kube.node import Node
from groundswell.local.paths import ROOT
from groundswell.local.serve import Servers

ROLE = ROOT / "examples/cluster/role.yaml"
"""What people are told to let Groundswell do; its user here may do no more."""

_USER, _READER = "groundswell", "reader"
_RBAC = "rbac.authorization.k8s.io"


class KubeCluster:
    """A cluster with one node, its state in `folder`; `token` is Groundswell's, `read_only_token` may only read.

    `exists`, `crash` and the seconds are those of the look-alike. `create` and `get` act as an administrator, and
    are for one thread.
    """

    def __init__(
        self,
        folder: Path,
        certificates: Certificates,
        *,
        token: str,
        exists: Says = lambda _: True,
        crash: Says = lambda _: False,
        read_only_token: str = "",
        ready_seconds: float = 0.3,
        retry_seconds: float = 1.0,
        step_seconds: float = 0.05,
        clock: Clock = clocks.now,
    ) -> None:
        self._certificates = certificates
        self.admin_token = secrets.token_urlsafe(24)
        self._users = [User(name="admin", token=self.admin_token, group=MASTERS), User(name=_USER, token=token)]
        if read_only_token:
            self._users.append(User(name=_READER, token=read_only_token))
        self._plane = ControlPlane(folder, binaries(), certificates)
        self._make_node = partial(
            Node,
            self._connect,
            clock,
            exists=exists,
            crash=crash,
            ready_seconds=ready_seconds,
            retry_seconds=retry_seconds,
            step_seconds=step_seconds,
        )
        self._closing = contextlib.ExitStack()
        self._client: KubeClient

    def start(self, servers: Servers, *, port: int = 0) -> int:
        """Start it all and serve it on `port`; returns the port. Raises PermanentError when it does not start."""
        with contextlib.ExitStack() as closing:
            closing.callback(self._plane.close)
            self._plane.start(*self._users)
            self._allow()
            node = self._make_node()
            node.start()
            closing.callback(node.join)
            closing.callback(self._plane.close)  # what the node's watch waits for
            closing.callback(node.stop)
            port = servers.serve(Front(self._plane.server, self._certificates.ca).app, port=port)
            self._client = self._connect(f"https://localhost:{port}")
            closing.callback(self._client.close)
            self._closing = closing.pop_all()
        return port

    def close(self) -> None:
        """Stop it; the front goes with the servers."""
        self._closing.close()

    def create(self, manifest: Json) -> Json:
        """Create an object as `kubectl create` would. Raises ApiError when it is not valid or exists already."""
        kind = kind_named(manifest.get("kind", ""))
        namespace = manifest.get("metadata", {}).get("namespace") or "default"
        return self._client.create(path_of(kind, namespace), manifest)

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """An object as it stands. Raises ApiError when there is none."""
        return self._client.get(path_of(kind_named(kind), namespace, name))

    def _connect(self, server: str = "") -> KubeClient:
        return KubeClient(server or self._plane.server, self.admin_token, self._certificates.ca)

    def _allow(self) -> None:
        """Give the users their roles: Groundswell's is the one of the example, the reader may read everything."""
        documents: list[Json] = [*yaml.safe_load_all(ROLE.read_text("utf-8"))]
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
        documents += [
            {"kind": "ClusterRole", "metadata": {"name": _READER}, "rules": rules},
            {
                "kind": "ClusterRoleBinding",
                "metadata": {"name": _READER},
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _READER},
                "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": _READER}],
            },
        ]
        with contextlib.closing(self._connect()) as client:
            for document in documents:
                client.create(f"/apis/{_RBAC}/v1/{document['kind'].lower()}s", document)
