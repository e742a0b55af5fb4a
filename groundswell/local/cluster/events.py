"""Events: what happened to an object, counted rather than repeated."""

from groundswell.clock import Clock
from groundswell.local.cluster.kinds import EVENTS, NAMESPACES
from groundswell.local.cluster.objects import Json, short_hash, stamp, uid_of
from groundswell.local.cluster.store import Store


class Events:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, item: Json, severity: str, reason: str, message: str) -> None:
        """Tell that something happened to `item`; the same again raises the count."""
        metadata = item["metadata"]
        name = f"{metadata['name']}.{short_hash([uid_of(item), reason, message], 16)}"
        with self._store.lock:
            if self._store.find(NAMESPACES, "", metadata["namespace"]) is None:
                return  # deleted meanwhile, with everything in it
            at = stamp(self._clock())
            if former := self._store.find(EVENTS, metadata["namespace"], name):
                self._store.update(EVENTS, {**former, "count": former["count"] + 1, "lastTimestamp": at})
                return
            self._store.create(
                EVENTS,
                {
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": {"name": name, "namespace": metadata["namespace"]},
                    "involvedObject": {
                        "apiVersion": item["apiVersion"],
                        "kind": item["kind"],
                        "name": metadata["name"],
                        "namespace": metadata["namespace"],
                        "uid": uid_of(item),
                    },
                    "type": severity,
                    "reason": reason,
                    "message": message,
                    "count": 1,
                    "firstTimestamp": at,
                    "lastTimestamp": at,
                    "source": {"component": "groundswell-local"},
                },
            )
