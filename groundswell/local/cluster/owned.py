"""What the workload controllers share: owned pods, availability, conditions."""

import calendar
import copy
import itertools
import time

from groundswell.clock import Clock
from groundswell.local.cluster.defaults import defaulted
from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.events import Events
from groundswell.local.cluster.kinds import PODS
from groundswell.local.cluster.kubelet import is_ready, ready_since
from groundswell.local.cluster.objects import Json, owner_reference, owner_uid, short_hash, stamp, uid_of
from groundswell.local.cluster.store import Store
from groundswell.local.cluster.validation import validate

REPLICA_FAILURE = "ReplicaFailure"
"""The condition that tells of pods that cannot be made."""

_RETRY_SECONDS = 1.0


class Owned:
    """Makes and removes the pods of one owner at a time."""

    def __init__(self, store: Store, events: Events, clock: Clock) -> None:
        self.store = store
        self.events = events
        self.clock = clock
        self._numbers = itertools.count()
        self._refused: dict[str, tuple[float, str]] = {}

    def pods(self, owner: Json) -> list[Json]:
        uid = uid_of(owner)
        return [pod for pod in self.store.items(PODS, owner["metadata"]["namespace"]) if owner_uid(pod) == uid]

    def add(
        self, owner: Json, template: Json, *, name: str = "", labels: Json | None = None, node: str = ""
    ) -> str:
        """Make a pod from a template, named after its owner when no name is given.

        Returns why the server refuses it, "" when it is made. After a refusal the next try is a second later.
        """
        again, why = self._refused.get(uid_of(owner), (0.0, ""))
        if self.clock() < again:
            return why
        of, metadata = owner["metadata"], copy.deepcopy(template.get("metadata") or {})
        if not name:
            metadata["generateName"] = f"{of['name']}-"
            name = metadata["generateName"] + short_hash([uid_of(owner), next(self._numbers)], 5)
        metadata |= {
            "name": name,
            "namespace": of["namespace"],
            "labels": {**(metadata.get("labels") or {}), **(labels or {})},
            "ownerReferences": [owner_reference(owner)],
        }
        spec = {**template["spec"], "nodeName": node or "local-0"}
        pod = defaulted(PODS, copy.deepcopy({"metadata": metadata, "spec": spec}))
        try:
            validate(PODS, pod)
        except ApiError as exc:
            self._refused[uid_of(owner)] = (self.clock() + _RETRY_SECONDS, str(exc))
            self.events.add(owner, "Warning", "FailedCreate", f"Error creating: {exc}")
            return str(exc)
        self.store.create(PODS, pod)
        self.events.add(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        return ""

    def remove(self, owner: Json, pod: Json) -> None:
        """Pods go at once: nothing runs that would need a grace period."""
        metadata = pod["metadata"]
        self.store.delete(PODS, metadata["namespace"], metadata["name"])
        self.events.add(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {metadata['name']}")

    def available(self, pod: Json, min_ready_seconds: int) -> bool:
        """Ready, and for long enough."""
        if not is_ready(pod):
            return False
        since = calendar.timegm(time.strptime(ready_since(pod), "%Y-%m-%dT%H:%M:%SZ"))
        return self.clock() - since >= min_ready_seconds


def with_condition(conditions: list[Json], now: float, kind: str, said: tuple[str, str, str]) -> list[Json]:
    """The conditions with one set to (status, reason, message); its times move only when it does."""
    status, reason, message = said
    former = condition(conditions, kind)
    if former and (former["status"], former["reason"], former["message"]) == said:
        return conditions
    at = stamp(now)
    since = former["lastTransitionTime"] if former and former["status"] == status else at
    changed = {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastUpdateTime": at,
        "lastTransitionTime": since,
    }
    return [*(one for one in conditions if one["type"] != kind), changed]


def condition(conditions: list[Json], kind: str) -> Json | None:
    return next((one for one in conditions if one["type"] == kind), None)


def without_zeros(status: Json) -> Json:
    """Go's `omitempty`: the API does not send counts of zero."""
    return {key: value for key, value in status.items() if value not in (0, None, [])}


def resolved(value: int | str, of: int, *, up: bool) -> int:
    """A count or percentage of `of`."""
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * of
    return -(-share // 100) if up else share // 100
