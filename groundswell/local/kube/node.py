"""The one node of a real control plane: a stand-in for the scheduler and for the kubelet, on which nothing runs.

It binds every pod to itself, and tells of it what `Kubelet` says becomes of it, which is what the look-alike's
nodes say too. A pod that is being deleted is gone at its next step.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from groundswell.clock import Clock
from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import EVENTS, PODS
from groundswell.local.cluster.kubelet import Kubelet, Says
from groundswell.local.cluster.objects import Json, short_hash, stamp, uid_of
from groundswell.local.kube.client import KubeClient, path_of

logger = logging.getLogger(__name__)

NAME = "local-0"
_NODES = "/api/v1/nodes"
_WATCH_SECONDS = 300
_PAUSE = 0.5


class Node:
    """Registers itself when it starts, and works until it is stopped; `connect` makes a client for a thread."""

    def __init__(
        self,
        connect: Callable[[], KubeClient],
        clock: Clock,
        *,
        exists: Says,
        crash: Says,
        ready_seconds: float,
        retry_seconds: float,
        step_seconds: float,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._client = connect()
        self._kubelet = Kubelet(
            self._tell,
            clock,
            exists=exists,
            crash=crash,
            ready_seconds=ready_seconds,
            retry_seconds=retry_seconds,
        )
        self._step = step_seconds
        self._pods: dict[str, Json] = {}
        self._told: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, name="node-watch", daemon=True),
            threading.Thread(target=self._work, name="node", daemon=True),
        ]

    def start(self) -> None:
        self._register()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take no further step; the watch may still wait for a server that is about to end (see `join`)."""
        self._stopped.set()
        self._threads[-1].join()

    def join(self) -> None:
        """Wait for the watch, which ends with the server."""
        self._threads[0].join()
        self._client.close()

    def _register(self) -> None:
        node: Json = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME}}
        at = stamp(self._clock())
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "it says so"}
        room = {"cpu": "1000", "memory": "1Ti", "pods": "10000"}
        self._client.create(_NODES, node)
        status = {
            "conditions": [{**ready, "lastHeartbeatTime": at, "lastTransitionTime": at}],
            "capacity": room,
            "allocatable": room,
        }
        self._client.patch(f"{_NODES}/{NAME}/status", {"status": status})

    def _watch(self) -> None:
        """Keep `_pods` as the server has them."""
        with contextlib.closing(self._connect()) as client:
            while not self._stopped.is_set():
                try:
                    self._follow(client)
                except (ApiError, OSError, ValueError) as exc:  # ValueError: it ended within a line
                    if not self._stopped.wait(_PAUSE):
                        logger.warning("the node does not hear of its pods", extra={"error": str(exc)})

    def _follow(self, client: KubeClient) -> None:
        listed = client.get(path_of(PODS, ""))
        with self._lock:
            self._pods = {uid_of(pod): pod for pod in listed["items"]}
        for event, pod in client.watch(path_of(PODS, ""), listed["metadata"]["resourceVersion"], _WATCH_SECONDS):
            if event == "ERROR":  # the history that it follows is gone: list again
                return
            with self._lock:
                if event == "DELETED":
                    self._pods.pop(uid_of(pod), None)
                else:
                    self._pods[uid_of(pod)] = pod

    def _work(self) -> None:
        while not self._stopped.wait(self._step):
            with self._lock:
                pods = list(self._pods.values())
            try:
                self._tick(pods)
            except (ApiError, OSError) as exc:
                if not self._stopped.wait(_PAUSE):
                    logger.warning("the node cannot tell what became of its pods", extra={"error": str(exc)})

    def _tick(self, pods: list[Json]) -> None:
        for pod in pods:
            if pod["metadata"].get("deletionTimestamp"):
                self._remove(pod)
            elif not pod["spec"].get("nodeName"):
                self._bind(pod)
        for pod, status in self._kubelet.look(pod for pod in pods if pod["spec"].get("nodeName")):
            with _unless_gone():
                self._client.patch(_path(pod, "status"), {"metadata": {"uid": uid_of(pod)}, "status": status})

    def _remove(self, pod: Json) -> None:
        with _unless_gone():
            self._client.delete(_path(pod), {"gracePeriodSeconds": 0, "preconditions": {"uid": uid_of(pod)}})

    def _bind(self, pod: Json) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NAME}
        metadata = {"name": pod["metadata"]["name"], "uid": uid_of(pod)}
        with _unless_gone():
            self._client.create(
                _path(pod, "binding"),
                {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target},
            )

    def _tell(self, pod: Json, severity: str, reason: str, message: str) -> None:
        """An event; the same again raises its count."""
        metadata, at = pod["metadata"], stamp(self._clock())
        name = f"{metadata['name']}.{short_hash([uid_of(pod), reason, message], 16)}"
        count = self._told[name] = self._told.get(name, 0) + 1
        with _unless_gone():
            if count > 1:
                path = path_of(EVENTS, metadata["namespace"], name)
                self._client.patch(path, {"count": count, "lastTimestamp": at})
                return
            self._client.create(
                path_of(EVENTS, metadata["namespace"]),
                {
                    "metadata": {"name": name, "namespace": metadata["namespace"]},
                    "involvedObject": {
                        "apiVersion": "v1",
                        "kind": "Pod",
                        "name": metadata["name"],
                        "namespace": metadata["namespace"],
                        "uid": uid_of(pod),
                    },
                    "type": severity,
                    "reason": reason,
                    "message": message,
                    "count": count,
                    "firstTimestamp": at,
                    "lastTimestamp": at,
                    "source": {"component": "kubelet", "host": NAME},
                },
            )


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """What the server refuses because the object is gone, or not as it was, is seen by the watch in a moment."""
    try:
        yield
    except ApiError as exc:
        if exc.status not in (403, 404, 409):  # 403: its namespace is being deleted
            raise


def _path(pod: Json, subresource: str = "") -> str:
    return path_of(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"], subresource)
