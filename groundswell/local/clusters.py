"""The cluster of the stack: the look-alike, or a real API server that `make kube` has built."""

import contextlib
from pathlib import Path
from typing import Protocol

from groundswell.local.certs import Certificates
from groundswell.local.cluster import ClusterLookalike
from groundswell.local.cluster.kubelet import Says
from groundswell.local.cluster.objects import Json
from groundswell.local.kube.service import KubeCluster
from groundswell.local.serve import Servers

LOOK_ALIKE, KUBE = "look-alike", "kube"
NAMES = (LOOK_ALIKE, KUBE)


class LocalCluster(Protocol):
    """What whoever prepares and checks a cluster asks of it, as its administrator. Raises ApiError."""

    def create(self, manifest: Json) -> Json: ...

    def get(self, kind: str, namespace: str, name: str) -> Json: ...


def start(
    name: str,
    folder: Path,
    servers: Servers,
    certificates: Certificates,
    closing: contextlib.ExitStack,
    *,
    token: str,
    exists: Says,
    crash: Says,
    port: int,
) -> tuple[LocalCluster, int]:
    """Start the cluster of that name on `port`, to be ended by `closing`; returns it and its port.

    PermanentError when it does not start, or has not been built.
    """
    if name == KUBE:
        kube = KubeCluster(folder, certificates, token=token, exists=exists, crash=crash)
        closing.callback(kube.close)
        return kube, kube.start(servers, port=port)
    look_alike = ClusterLookalike(token=token, exists=exists, crash=crash)
    closing.callback(look_alike.close)
    return look_alike, servers.serve(look_alike.app, port=port)
