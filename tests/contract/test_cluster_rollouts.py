"""How rollouts end: what the look-alike's controllers write into a status is what Kubernetes' own write."""

import re
from typing import Any

import pytest

from groundswell.deploy.health import broken, rollout
from groundswell.deploy.port import Health, Kind
from tests.support.cluster import BETTER, GOOD, MISSING, eventually, workload
from tests.support.places import Place
from tests.support.raw_api import STRATEGIC, ask, path, unique

ROLLED = [Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET]
_TIMES = ("lastUpdateTime", "lastTransitionTime")
_UNDER_WAY = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")
_HASH = re.compile(r"-[a-z0-9]{5,10}\b")


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": name}]}}}}


def comparable(status: dict[str, Any]) -> dict[str, Any]:
    """A status without times, with the names' own parts alike; availableReplicas of stateful sets came in 1.22."""
    told = {key: _HASH.sub("-HASH", value) if isinstance(value, str) else value for key, value in status.items()}
    if "currentRevision" in status:
        told |= {"availableReplicas": None, "one": status["currentRevision"] == status["updateRevision"]}
    conditions = [
        {key: _HASH.sub("-HASH", value) for key, value in one.items() if key not in _TIMES}
        for one in sorted(status.get("conditions") or (), key=lambda one: str(one["type"]))
    ]
    for one in conditions:
        if one["reason"] in _UNDER_WAY:  # which of them depends on what the controller had seen when
            one |= {"reason": "", "message": ""}
    return {**told, "conditions": conditions}


def settled(at: Place, kind: Kind, name: str, *, well: bool) -> dict[str, Any] | None:
    """The status when the rollout has ended well, or has come to where it cannot go on; else None."""
    item = ask(at.admin, "GET", path(f"{kind.lower()}s", at, name)).body
    if item["status"].get("observedGeneration") != item["metadata"]["generation"]:
        return None
    pods = ask(at.admin, "GET", f"{path('pods', at)}?labelSelector=app%3D{name}").body["items"]
    ended = rollout(kind, item)[0] is Health.HEALTHY if well else any(broken(pod) for pod in pods)
    return comparable(item["status"]) if ended else None


STEPS: list[tuple[dict[str, Any], bool]] = [
    (image(BETTER), True),
    ({"metadata": {"annotations": {"a": "b"}}}, True),
    (image(MISSING), False),
]
SCALED: list[tuple[dict[str, Any], bool]] = [
    ({"spec": {"replicas": 4}}, True),
    ({"spec": {"replicas": 1}}, True),
    ({"spec": {"replicas": 0}}, True),
]


@pytest.mark.parametrize(
    ("kind", "steps"),
    [*((kind, STEPS) for kind in ROLLED), (Kind.DEPLOYMENT, SCALED), (Kind.STATEFUL_SET, SCALED)],
)
def test_a_rollout_ends_with_the_same_status(
    both: tuple[Place, Place], kind: Kind, steps: list[tuple[dict[str, Any], bool]]
) -> None:
    name = unique()
    for at in both:
        body = workload(kind, name, namespace=at.namespace, image=GOOD)
        assert ask(at.admin, "POST", path(f"{kind.lower()}s", at), body).status == 201
    for change, well in [({}, True), *steps]:
        for at in both:
            where = path(f"{kind.lower()}s", at, name)
            assert ask(at.admin, "PATCH", where, change, media_type=STRATEGIC).status == 200

        def alike(well: bool = well) -> bool:
            one, other = (settled(at, kind, name, well=well) for at in both)
            return one is not None and one == other

        eventually(alike, seconds=both[1].patience)
    for at in both:
        ask(at.admin, "DELETE", path(f"{kind.lower()}s", at, name), {"propagationPolicy": "Background"})
