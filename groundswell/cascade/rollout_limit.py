"""How many workloads of one cluster are rolled out at once, over all cascades and instances.

Each cluster has one small record of what is under way in it, whose ETag makes the limit hold. A place is given back
before it is saved that the workload has arrived, so a crash in between gives it back once more; what is left by a
rebuild that ended in some other way, the sweep takes out. Going back needs no place: it has one still.
"""

from collections.abc import Callable, Collection, Mapping

from groundswell.cascade.model import Rebuild
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Documents, Json, Put

_TABLE, _PARTITION = "rolling", "rolling"


class RolloutLimit:
    """`limit` is for each cluster; 0: none, and nothing is written down."""

    def __init__(self, store: Documents, *, limit: int) -> None:
        self._store = store
        self._limit = limit

    def take(self, state: Rebuild, cluster: str, workloads: Collection[str]) -> set[str]:
        """Those of `workloads` that may be moved now. One that has a place already keeps it, as this rebuild's."""
        if not self._limit or not workloads:
            return set(workloads)
        granted: set[str] = set()

        def change(running: Mapping[str, Json]) -> Mapping[str, Json]:
            has = [name for name in workloads if name in running]
            new = [name for name in workloads if name not in running][: max(self._limit - len(running), 0)]
            granted.clear()
            granted.update(has, new)
            place = {"cascade": state.cascade, "image": state.image}
            return {**running, **dict.fromkeys((*has, *new), place)}

        self._change(cluster, change)
        return granted

    def give_back(self, state: Rebuild, cluster: str, workloads: Collection[str]) -> None:
        """Give back the places of `workloads`, as far as the rebuild has them."""
        if self._limit and workloads:
            self._drop(cluster, lambda name, place: name in workloads and _of(place, state))

    def sweep(self, rolls: Callable[[str, str], bool]) -> None:
        """Take out what belongs to a rebuild (cascade, image) that no longer `rolls` anything out."""
        for record in list(self._store.scan(_TABLE, _PARTITION)):
            self._drop(record.row, lambda _, place: not rolls(place["cascade"], place["image"]))

    def _drop(self, cluster: str, goes: Callable[[str, Json], bool]) -> None:
        self._change(cluster, lambda running: {n: place for n, place in running.items() if not goes(n, place)})

    def _change(self, cluster: str, change: Callable[[Mapping[str, Json]], Mapping[str, Json]]) -> None:
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, cluster)
                running = record.value["running"] if record else {}
                after = change(running)
                if after != running:
                    put = Put(row=cluster, value={"running": after}, etag=record.etag if record else None)
                    self._store.commit(_TABLE, _PARTITION, [put])


def _of(place: Json, state: Rebuild) -> bool:
    return (place["cascade"], place["image"]) == (state.cascade, state.image)
