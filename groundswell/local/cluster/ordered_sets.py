"""The stateful set and daemon set controllers: pods replaced in place, one after the other."""

import copy

from groundswell.local.cluster.kinds import DAEMON_SETS, STATEFUL_SETS
from groundswell.local.cluster.kubelet import is_ready
from groundswell.local.cluster.objects import Json, short_hash, uid_of
from groundswell.local.cluster.owned import Owned, resolved, without_zeros

REVISION_LABEL = "controller-revision-hash"


class StatefulSets:
    """As the real controller, it waits for a pod that does not become ready, even when the template was put back.

    (`podManagementPolicy: OrderedReady`; the documentation of Kubernetes calls the way out a forced rollback: the
    broken pods have to be deleted.)
    """

    def __init__(self, owned: Owned) -> None:
        self._owned = owned
        self._templates: dict[tuple[str, str], Json] = {}

    def tick(self, item: Json) -> None:
        """One step of one stateful set."""
        update = f"{item['metadata']['name']}-{short_hash(item['spec']['template'])}"
        self._templates[uid_of(item), update] = copy.deepcopy(item["spec"]["template"])
        current = item.get("status", {}).get("currentRevision") or update
        self._step(item, current, update)
        pods = self._owned.pods(item)
        wanted = item["spec"]["replicas"]
        on_update = [pod for pod in pods if _revision(pod) == update]
        ready = sum(is_ready(pod) for pod in pods)
        rolling = item["spec"]["updateStrategy"]["type"] == "RollingUpdate"
        if rolling and len(on_update) == ready == len(pods) == wanted:
            current = update
        least = item["spec"].get("minReadySeconds") or 0
        counts = {
            "observedGeneration": item["metadata"]["generation"],
            "readyReplicas": ready,
            "availableReplicas": sum(self._owned.available(pod, least) for pod in pods),
            "currentReplicas": sum(_revision(pod) == current for pod in pods),
            "updatedReplicas": len(on_update),
            "currentRevision": current,
            "updateRevision": update,
        }
        status = {"replicas": len(pods), "collisionCount": 0, **without_zeros(counts)}
        self._owned.store.update_status(STATEFUL_SETS, {**item, "status": status})

    def _step(self, item: Json, current: str, update: str) -> None:
        spec = item["spec"]
        strategy = spec["updateStrategy"]
        rolling = strategy["type"] == "RollingUpdate"
        partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
        ordered = spec["podManagementPolicy"] == "OrderedReady"
        pods = {_ordinal(pod): pod for pod in self._owned.pods(item)}
        for ordinal in range(spec["replicas"]):
            pod = pods.get(ordinal)
            if pod is None:
                self._add(item, ordinal, current if ordinal < partition else update)
            if ordered and (pod is None or not is_ready(pod)):
                return
        extra = sorted((ordinal for ordinal in pods if ordinal >= spec["replicas"]), reverse=True)
        for ordinal in extra[: 1 if ordered else None]:
            self._owned.remove(item, pods[ordinal])
        if extra or not rolling:
            return
        for ordinal in range(spec["replicas"] - 1, partition - 1, -1):
            pod = pods.get(ordinal)
            if pod is None:
                return
            if _revision(pod) != update:
                self._owned.remove(item, pod)
                return
            if not is_ready(pod):
                return

    def _add(self, item: Json, ordinal: int, revision: str) -> None:
        name = f"{item['metadata']['name']}-{ordinal}"
        template = self._templates.get((uid_of(item), revision), item["spec"]["template"])
        labels = {
            REVISION_LABEL: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        self._owned.add(item, template, name=name, labels=labels)


class DaemonSets:
    """A pod on each of `nodes` nodes."""

    def __init__(self, owned: Owned, nodes: int) -> None:
        self._owned = owned
        self._nodes = [f"local-{number}" for number in range(nodes)]

    def tick(self, item: Json) -> None:
        """One step of one daemon set."""
        spec = item["spec"]
        update = short_hash(spec["template"])
        pods = {pod["spec"]["nodeName"]: pod for pod in self._owned.pods(item)}
        for node in self._nodes:
            if node not in pods:
                self._owned.add(item, spec["template"], labels={REVISION_LABEL: update}, node=node)
        strategy = spec["updateStrategy"]
        if strategy["type"] == "RollingUpdate":
            most = resolved(
                (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), len(self._nodes), up=True
            )
            spare = max(most, 1) - sum(not is_ready(pods[node]) if node in pods else True for node in self._nodes)
            for pod in pods.values():
                if _revision(pod) == update:
                    continue
                if not is_ready(pod):
                    self._owned.remove(item, pod)
                elif spare > 0:
                    self._owned.remove(item, pod)
                    spare -= 1
        now = self._owned.pods(item)
        least = spec.get("minReadySeconds") or 0
        available = sum(self._owned.available(pod, least) for pod in now)
        status = {
            "currentNumberScheduled": len(now),
            "desiredNumberScheduled": len(self._nodes),
            "numberMisscheduled": 0,
            "numberReady": sum(is_ready(pod) for pod in now),
            **without_zeros(
                {
                    "observedGeneration": item["metadata"]["generation"],
                    "updatedNumberScheduled": sum(_revision(pod) == update for pod in now),
                    "numberAvailable": available,
                    "numberUnavailable": len(self._nodes) - available,
                }
            ),
        }
        self._owned.store.update_status(DAEMON_SETS, {**item, "status": status})


def _revision(pod: Json) -> str:
    revision: str = pod["metadata"]["labels"].get(REVISION_LABEL, "")
    return revision


def _ordinal(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])
