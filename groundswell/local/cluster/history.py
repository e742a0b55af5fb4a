"""Which images a workload's containers were given, and when: evidence for whoever checks what was rolled out."""

from groundswell.clock import Clock
from groundswell.local.cluster.kinds import WORKLOADS
from groundswell.local.cluster.objects import containers_of, pod_template
from groundswell.local.cluster.store import Change, Store

type Sighting = tuple[float, str, str]
"""Time, container, image."""


class History:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[tuple[str, str, str], list[Sighting]] = {}
        store.listen(self._note)

    def _note(self, change: Change) -> None:
        """Called within every write, so with the store's lock held."""
        if change.deleted or change.kind not in WORKLOADS:
            return
        metadata = change.item["metadata"]
        seen = self._seen.setdefault((metadata["namespace"], change.kind.name, metadata["name"]), [])
        last = {container: image for _, container, image in seen}
        for one in containers_of(pod_template(change.item).get("spec") or {}):
            if last.get(one["name"]) != one["image"]:
                seen.append((self._clock(), one["name"], one["image"]))

    def images(self, namespace: str, kind: str, name: str) -> list[Sighting]:
        """Each image that a container was given, in order."""
        with self._store.lock:
            return list(self._seen.get((namespace, kind, name), ()))
