"""The replica set controller: as many pods as asked for, the ones that are not ready removed first."""

from groundswell.local.cluster.kinds import REPLICA_SETS
from groundswell.local.cluster.kubelet import is_ready
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.owned import REPLICA_FAILURE, Owned, with_condition, without_zeros


class ReplicaSets:
    def __init__(self, owned: Owned) -> None:
        self._owned = owned

    def tick(self, item: Json) -> None:
        spec = item["spec"]
        pods = self._owned.pods(item)
        missing = spec["replicas"] - len(pods)
        refused = ""
        for _ in range(missing):
            refused = refused or self._owned.add(item, spec["template"])
        for pod in sorted(pods, key=is_ready)[: max(-missing, 0)]:
            self._owned.remove(item, pod)
        pods = self._owned.pods(item)
        conditions = item.get("status", {}).get("conditions") or []
        failure = ("True", "FailedCreate", refused)
        self._owned.store.update_status(
            REPLICA_SETS,
            {
                **item,
                "status": {
                    "replicas": len(pods),
                    **without_zeros(
                        {
                            "fullyLabeledReplicas": len(pods),
                            "readyReplicas": sum(is_ready(pod) for pod in pods),
                            "availableReplicas": sum(
                                self._owned.available(pod, spec.get("minReadySeconds") or 0) for pod in pods
                            ),
                            "observedGeneration": item["metadata"]["generation"],
                            "conditions": with_condition(conditions, self._owned.clock(), REPLICA_FAILURE, failure)
                            if refused
                            else [],
                        }
                    ),
                },
            },
        )
