"""The nodes of the look-alike: its pods are what `Kubelet` says becomes of them."""

import copy

from groundswell.local.cluster.kinds import PODS
from groundswell.local.cluster.kubelet import Kubelet
from groundswell.local.cluster.objects import Json, uid_of
from groundswell.local.cluster.store import Store


class Nodes:
    def __init__(self, store: Store, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet

    def tick(self) -> None:
        """Move every pod whose time has come one step on; without the store's lock, for that asks others."""
        for pod, status in self._kubelet.look(self._store.items(PODS)):
            self._save(pod, status)

    def _save(self, pod: Json, status: Json) -> None:
        """Unless the pod was deleted meanwhile."""
        with self._store.lock:
            metadata = pod["metadata"]
            current = self._store.find(PODS, metadata["namespace"], metadata["name"])
            if current and uid_of(current) == uid_of(pod):
                self._store.update_status(PODS, {**current, "status": copy.deepcopy(status)})
