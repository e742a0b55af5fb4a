"""The control loop: a thread that moves everything one step on, again and again, until it is stopped.

It works a moment after each write, as the real controllers do: what a client reads right after a write is the old
status with an old observedGeneration.
"""

import threading
import time
from collections.abc import Callable

from groundswell.local.cluster.deployments import Deployments
from groundswell.local.cluster.kinds import DAEMON_SETS, DEPLOYMENTS, KINDS, PODS, REPLICA_SETS, STATEFUL_SETS, Kind
from groundswell.local.cluster.objects import Json, owner_uid, uid_of
from groundswell.local.cluster.ordered_sets import DaemonSets, StatefulSets
from groundswell.local.cluster.owned import Owned
from groundswell.local.cluster.pods import Nodes
from groundswell.local.cluster.replica_sets import ReplicaSets
from groundswell.local.cluster.store import Store

_IDLE_SECONDS = 0.25


class Controllers:
    def __init__(self, store: Store, owned: Owned, kubelets: Nodes, *, nodes: int, step_seconds: float) -> None:
        self._store = store
        self._kubelets = kubelets
        self._step = step_seconds
        self._controllers: tuple[tuple[Kind, Callable[[Json], None]], ...] = (
            (DEPLOYMENTS, Deployments(owned).tick),
            (REPLICA_SETS, ReplicaSets(owned).tick),
            (STATEFUL_SETS, StatefulSets(owned).tick),
            (DAEMON_SETS, DaemonSets(owned, nodes).tick),
        )
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless begun already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="cluster-controllers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for the step in hand."""
        self._stopped.set()
        if self._thread:
            self._thread.join(10)

    def _run(self) -> None:
        seen, looked = 0, 0.0
        while not self._stopped.wait(self._step):
            now = time.monotonic()
            if self._store.version != seen or now - looked >= _IDLE_SECONDS:  # deadlines pass without a write
                seen, looked = self._store.version, now
                self.tick()
            self._kubelets.tick()

    def tick(self) -> None:
        """One step of every workload."""
        self._collect()
        for kind, tick in self._controllers:
            for item in self._store.items(kind):
                with self._store.lock:
                    newest = self._store.find(kind, item["metadata"]["namespace"], item["metadata"]["name"])
                    if newest is not None:
                        tick(newest)

    def _collect(self) -> None:
        """Delete what belonged to an owner that is gone."""
        with self._store.lock:
            living = {uid_of(item) for kind in KINDS for item in self._store.items(kind)}
            for kind in (REPLICA_SETS, PODS):
                for item in self._store.items(kind):
                    if owner_uid(item) and owner_uid(item) not in living:
                        metadata = item["metadata"]
                        self._store.delete(kind, metadata["namespace"], metadata["name"])
