"""The deployment controller: a replica set for each revision of the template, replaced step by step.

It follows the real one in what a client can see: surge and unavailability, revisions, the reasons of `Progressing`,
and the deadline, which counts from the last progress made.
"""

import copy
from dataclasses import dataclass

from groundswell.local.cluster.kinds import DEPLOYMENTS, REPLICA_SETS
from groundswell.local.cluster.objects import Json, owner_reference, owner_uid, short_hash, uid_of
from groundswell.local.cluster.owned import (
    REPLICA_FAILURE,
    Owned,
    condition,
    resolved,
    with_condition,
    without_zeros,
)

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
_NOT_COPIED = frozenset({REVISION, "kubectl.kubernetes.io/last-applied-configuration"})

_ENOUGH = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
_TOO_FEW = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """How far a rollout is, and since when (to better than the whole seconds that conditions have)."""

    counts: tuple[int, int, int, int]
    at: float


class Deployments:
    def __init__(self, owned: Owned) -> None:
        self._owned = owned
        self._store = owned.store
        self._progress: dict[str, _Progress] = {}

    def tick(self, item: Json) -> None:
        """One step of one deployment."""
        paused = bool(item["spec"].get("paused"))
        sets = self._sets(item)
        new = next((one for one in sets if _template(one) == item["spec"]["template"]), None)
        began = ""
        if not paused:
            before = new
            new, item = self._current(item, new, sets)
            sets = self._sets(item)
            if before is None:
                began = "NewReplicaSetCreated"
            elif before["metadata"]["annotations"][REVISION] != new["metadata"]["annotations"][REVISION]:
                began = "FoundNewReplicaSet"
            self._scale(item, new, [one for one in sets if uid_of(one) != uid_of(new)])
            sets = self._sets(item)
            new = next(one for one in sets if uid_of(one) == uid_of(new))
            self._forget_oldest(item, new, sets)
        elif new and new["spec"]["replicas"] != item["spec"]["replicas"]:
            self._resize(new, item["spec"]["replicas"])
        self._tell(item, new, sets, began, paused=paused)

    def _sets(self, item: Json) -> list[Json]:
        uid = uid_of(item)
        return [
            one for one in self._store.items(REPLICA_SETS, item["metadata"]["namespace"]) if owner_uid(one) == uid
        ]

    def _current(self, item: Json, new: Json | None, sets: list[Json]) -> tuple[Json, Json]:
        """The replica set of the template, made when missing, with the newest revision number; and the item."""
        others = [_revision(one) for one in sets if new is None or uid_of(one) != uid_of(new)]
        revision = max(others, default=0) + 1
        kept = {k: v for k, v in (item["metadata"].get("annotations") or {}).items() if k not in _NOT_COPIED}
        if new is None:
            new = self._store.create(REPLICA_SETS, self._make(item, {**kept, REVISION: str(revision)}))
        else:
            revision = max(revision, _revision(new))
            changed = copy.deepcopy(new)
            changed["metadata"]["annotations"] = {**kept, REVISION: str(revision)}
            new = self._store.update(REPLICA_SETS, changed)
        if (item["metadata"].get("annotations") or {}).get(REVISION) != str(revision):
            item = copy.deepcopy(item)
            item["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
            item = self._store.update_status(DEPLOYMENTS, item)
        return new, item

    def _make(self, item: Json, annotations: Json) -> Json:
        template = copy.deepcopy(item["spec"]["template"])
        label = short_hash(template)
        template["metadata"].setdefault("labels", {})[HASH_LABEL] = label
        selector = copy.deepcopy(item["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = label
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{item['metadata']['name']}-{label}",
                "namespace": item["metadata"]["namespace"],
                "labels": dict(template["metadata"]["labels"]),
                "annotations": annotations,
                "ownerReferences": [owner_reference(item)],
            },
            "spec": {
                "replicas": 0,
                "minReadySeconds": item["spec"].get("minReadySeconds") or 0,
                "selector": selector,
                "template": template,
            },
        }

    def _scale(self, item: Json, new: Json, old: list[Json]) -> None:
        """One step from the old replica sets to the new one, within surge and unavailability."""
        spec = item["spec"]
        wanted, strategy = spec["replicas"], spec["strategy"]
        if strategy["type"] == "Recreate":
            for one in old:
                self._resize(one, 0)
            if not any(self._owned.pods(one) for one in old):
                self._resize(new, wanted)
            return
        surge, unavailable = _limits(item)
        total = sum(one["spec"]["replicas"] for one in [new, *old])
        size = new["spec"]["replicas"]
        if size > wanted:
            self._resize(new, wanted)
        elif size < wanted and total < wanted + surge:
            self._resize(new, size + min(wanted + surge - total, wanted - size))
            return
        spare = total - (wanted - unavailable) - max(size - _count(new, "availableReplicas"), 0)
        for one in old:  # what is not available is no loss
            broken = one["spec"]["replicas"] - _count(one, "availableReplicas")
            gone = max(min(broken, spare, one["spec"]["replicas"]), 0)
            self._resize(one, one["spec"]["replicas"] - gone)
            spare -= gone
        available = sum(_count(one, "availableReplicas") for one in [new, *old])
        spare = min(spare, available - (wanted - unavailable))
        for one in self._sets(item):
            if uid_of(one) != uid_of(new) and spare > 0:
                gone = min(one["spec"]["replicas"], spare)
                self._resize(one, one["spec"]["replicas"] - gone)
                spare -= gone

    def _resize(self, item: Json, replicas: int) -> None:
        if item["spec"]["replicas"] != replicas:
            self._store.update(REPLICA_SETS, {**item, "spec": {**item["spec"], "replicas": replicas}})

    def _forget_oldest(self, item: Json, new: Json, sets: list[Json]) -> None:
        idle = [one for one in sets if uid_of(one) != uid_of(new) and not one["spec"]["replicas"]]
        idle = sorted((one for one in idle if not self._owned.pods(one)), key=_revision)
        for one in idle[: max(len(idle) - item["spec"]["revisionHistoryLimit"], 0)]:
            self._store.delete(REPLICA_SETS, one["metadata"]["namespace"], one["metadata"]["name"])

    def _tell(self, item: Json, new: Json | None, sets: list[Json], began: str, *, paused: bool) -> None:
        """Write the status."""
        now, wanted = self._owned.clock(), item["spec"]["replicas"]
        former: list[Json] = item.get("status", {}).get("conditions") or []
        total = sum(_count(one, "replicas") for one in sets)
        updated = _count(new, "replicas") if new else 0
        ready = sum(_count(one, "readyReplicas") for one in sets)
        available = sum(_count(one, "availableReplicas") for one in sets)
        _, unavailable = _limits(item)
        enough = available >= wanted - unavailable
        conditions = with_condition(former, now, "Available", _ENOUGH if enough else _TOO_FEW)
        complete = updated == total == available == wanted and not paused
        moved = self._moved(item, (updated, ready, available, -(total - updated)), began)
        progressing = self._progressing(
            item, new, condition(former, "Progressing"), began, complete=complete, moved=moved, paused=paused
        )
        conditions = with_condition(conditions, now, "Progressing", progressing)
        if failure := _failure([new, *sets] if new else sets):
            conditions = with_condition(conditions, now, REPLICA_FAILURE, failure)
        else:
            conditions = [one for one in conditions if one["type"] != REPLICA_FAILURE]
        counts = {
            "observedGeneration": item["metadata"]["generation"],
            "replicas": total,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": available,
            "unavailableReplicas": max(sum(one["spec"]["replicas"] for one in sets) - available, 0),
        }
        told = {**without_zeros(counts), "conditions": conditions}
        self._store.update_status(DEPLOYMENTS, {**item, "status": told})

    def _moved(self, item: Json, counts: tuple[int, int, int, int], began: str) -> bool:
        """Whether the rollout made progress since the last look; a new revision starts afresh."""
        former = self._progress.get(uid_of(item))
        moved = former is None or bool(began) or any(n > o for n, o in zip(counts, former.counts, strict=True))
        at = self._owned.clock() if moved or former is None else former.at
        self._progress[uid_of(item)] = _Progress(counts=counts, at=at)
        return moved

    def _progressing(
        self,
        item: Json,
        new: Json | None,
        former: Json | None,
        began: str,
        *,
        complete: bool,
        moved: bool,
        paused: bool,
    ) -> tuple[str, str, str]:
        replica_set = new["metadata"]["name"] if new else ""
        said = (former["status"], former["reason"], former["message"]) if former else None
        done = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{replica_set}" has successfully progressed.')
        if paused:
            return "Unknown", "DeploymentPaused", "Deployment is paused"
        if began == "NewReplicaSetCreated":
            self._event(item, f"Scaled up replica set {replica_set}")
            return "True", began, f'Created new replica set "{replica_set}"'
        if began:
            return "True", began, f'Found new replica set "{replica_set}"'
        if complete or said == done:
            return done
        if said and said[1] == "DeploymentPaused":
            return "Unknown", "DeploymentResumed", "Deployment is resumed"
        overdue = self._owned.clock() - self._progress[uid_of(item)].at > item["spec"]["progressDeadlineSeconds"]
        if overdue:
            return "False", "ProgressDeadlineExceeded", f'ReplicaSet "{replica_set}" has timed out progressing.'
        if moved or said is None:
            return "True", "ReplicaSetUpdated", f'ReplicaSet "{replica_set}" is progressing.'
        return said

    def _event(self, item: Json, message: str) -> None:
        self._owned.events.add(item, "Normal", "ScalingReplicaSet", message)


def _failure(sets: list[Json]) -> tuple[str, str, str] | None:
    """What the first of the replica sets says that cannot make its pods."""
    for one in sets:
        if found := condition(one.get("status", {}).get("conditions") or [], REPLICA_FAILURE):
            return found["status"], found["reason"], found["message"]
    return None


def _template(replica_set: Json) -> Json:
    """Its template as the deployment has it, without the hash label."""
    template: Json = copy.deepcopy(replica_set["spec"]["template"])
    template["metadata"]["labels"].pop(HASH_LABEL, None)
    return template


def _revision(replica_set: Json) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION) or 0)


def _count(item: Json, field: str) -> int:
    count: int = item.get("status", {}).get(field) or 0
    return count


def _limits(item: Json) -> tuple[int, int]:
    """How many pods more and how many fewer than wanted there may be; never both none."""
    rolling = item["spec"]["strategy"].get("rollingUpdate")
    if not rolling:
        return 0, 0
    wanted = item["spec"]["replicas"]
    surge = resolved(rolling["maxSurge"], wanted, up=True)
    unavailable = resolved(rolling["maxUnavailable"], wanted, up=False)
    return surge, unavailable if surge or unavailable else 1
