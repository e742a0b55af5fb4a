"""What a status means, as decisions."""

import datetime as dt
from typing import Any

import pytest

from groundswell.deploy.health import (
    CRASHES,
    PULL_SECONDS,
    READY_SECONDS,
    broken,
    container_list,
    rollout,
    selector_text,
    stuck,
)
from groundswell.deploy.port import Health, Kind

NOW = 1_800_000_000.0
SPEC = {"containers": [{"name": "web", "image": "web:2"}, {"name": "proxy", "image": "proxy:1"}]}
P, H, F = Health.PROGRESSING, Health.HEALTHY, Health.FAILED


def item(spec: dict[str, Any], status: dict[str, Any], *, generation: int = 2) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "spec": spec, "status": {"observedGeneration": 2, **status}}


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
EXCEEDED = {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]}
SET_DONE = {
    "replicas": 2,
    "readyReplicas": 2,
    "updatedReplicas": 2,
    "currentRevision": "b",
    "updateRevision": "b",
}
ON_DELETE = {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}
PARTITION = {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}
PARTLY = {**SET_DONE, "updatedReplicas": 1, "currentRevision": "a"}
DAEMONS = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "health"),
    [
        (Kind.DEPLOYMENT, {"replicas": 2}, DONE, H),
        (Kind.DEPLOYMENT, {}, {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, H),
        (Kind.DEPLOYMENT, {"replicas": 0}, {}, H),
        (Kind.DEPLOYMENT, {"replicas": 2}, {**DONE, "replicas": 3}, P),  # an old one is still there
        (Kind.DEPLOYMENT, {"replicas": 2}, {**DONE, "updatedReplicas": 1}, P),
        (Kind.DEPLOYMENT, {"replicas": 2}, {**DONE, "availableReplicas": 1}, P),
        (Kind.DEPLOYMENT, {"replicas": 2, "paused": True}, DONE, P),
        (Kind.DEPLOYMENT, {"replicas": 2}, {**DONE, "updatedReplicas": 1, **EXCEEDED}, F),
        (Kind.DEPLOYMENT, {"replicas": 2}, {**DONE, **EXCEEDED, "observedGeneration": 1}, P),
        (Kind.STATEFUL_SET, {"replicas": 2}, SET_DONE, H),
        (Kind.STATEFUL_SET, {"replicas": 2}, {**SET_DONE, "currentRevision": "a"}, P),
        (Kind.STATEFUL_SET, {"replicas": 2}, {**SET_DONE, "readyReplicas": 1}, P),
        (Kind.STATEFUL_SET, PARTITION, PARTLY, H),
        (Kind.STATEFUL_SET, PARTITION, {**PARTLY, "updatedReplicas": 0}, P),
        (Kind.STATEFUL_SET, ON_DELETE, PARTLY, H),
        (Kind.STATEFUL_SET, ON_DELETE, {**PARTLY, "readyReplicas": 1}, P),
        (Kind.STATEFUL_SET, ON_DELETE, {**SET_DONE, "currentRevision": "a"}, H),
        (Kind.DAEMON_SET, {}, DAEMONS, H),
        (Kind.DAEMON_SET, {}, {"desiredNumberScheduled": 0}, H),
        (Kind.DAEMON_SET, {}, {**DAEMONS, "updatedNumberScheduled": 2}, P),
        (Kind.DAEMON_SET, {}, {**DAEMONS, "numberAvailable": 2}, P),
        (Kind.DAEMON_SET, ON_DELETE, {**DAEMONS, "updatedNumberScheduled": 1}, H),
        (Kind.DAEMON_SET, ON_DELETE, {**DAEMONS, "numberAvailable": 2, "updatedNumberScheduled": 1}, P),
        (Kind.CRON_JOB, {}, {"observedGeneration": 0}, H),
    ],
)
def test_a_rollout(kind: Kind, spec: dict[str, Any], status: dict[str, Any], health: Health) -> None:
    found, reason = rollout(kind, item(spec, status))
    assert found is health
    assert bool(reason) or health is Health.HEALTHY


def test_why_pods_cannot_be_made_is_told_whether_there_is_hope_or_not() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "over quota"}
    conditions = [{"type": "Available", "status": "True"}, refused]
    waits = rollout(Kind.DEPLOYMENT, item({"replicas": 2}, {"updatedReplicas": 0, "conditions": conditions}))
    failed = rollout(Kind.DEPLOYMENT, item({}, {"conditions": [*EXCEEDED["conditions"], refused]}))
    assert [found for found, _ in (waits, failed)] == [P, F]
    assert all(reason.endswith("; pods cannot be made: FailedCreate: over quota") for _, reason in (waits, failed))
    assert rollout(Kind.DEPLOYMENT, item({"replicas": 2}, {**DONE, "conditions": conditions})) == (H, "")


@pytest.mark.parametrize(
    ("kind", "spec", "status", "says"),
    [
        (Kind.STATEFUL_SET, ON_DELETE, PARTLY, "OnDelete: 1 of 2 updated"),
        (Kind.STATEFUL_SET, ON_DELETE, {**PARTLY, "updatedReplicas": 2}, ""),
        (Kind.STATEFUL_SET, ON_DELETE, SET_DONE, ""),
        (Kind.DAEMON_SET, ON_DELETE, {**DAEMONS, "updatedNumberScheduled": 1}, "OnDelete: 1 of 3 updated"),
        (Kind.STATEFUL_SET, PARTITION, PARTLY, "partition 1 keeps 1 on the former revision"),
        (Kind.CRON_JOB, {"suspend": True}, {}, "suspended: no job runs it until it is resumed"),
        (Kind.CRON_JOB, {"suspend": False}, {}, ""),
    ],
)
def test_what_takes_effect_when_somebody_else_wants_it_to_is_healthy_and_says_so(
    kind: Kind, spec: dict[str, Any], status: dict[str, Any], says: str
) -> None:
    health, reason = rollout(kind, item(spec, status))
    assert health is H
    assert (reason.startswith(says), bool(reason)) == (True, bool(says))


@pytest.mark.parametrize("kind", [Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET])
def test_a_status_about_an_older_spec_is_not_believed(kind: Kind) -> None:
    status = {**DONE, **SET_DONE, **DAEMONS}
    assert rollout(kind, item({"replicas": 2}, status))[0] is H
    assert rollout(kind, item({"replicas": 2}, status, generation=3))[0] is P
    assert rollout(kind, {**item({"replicas": 2}, {}), "status": {}})[0] is P


def pod(reason: str = "", *, image: str = "web:2", age: float = 0.0, restarts: int = 0) -> dict[str, Any]:
    waits = {"name": "web", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": "why"}}}
    born = dt.datetime.fromtimestamp(NOW - age, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"name": "w-1", "creationTimestamp": born},
        "spec": {"containers": [{"name": "web", "image": image}, {"name": "proxy", "image": "proxy:1"}]},
        "status": {"containerStatuses": [waits] if reason else []},
    }


@pytest.mark.parametrize(
    ("kind", "one", "expected"),
    [
        (Kind.DEPLOYMENT, pod("ImagePullBackOff"), P),
        (Kind.DEPLOYMENT, pod("ErrImagePull", age=PULL_SECONDS - 1), P),
        (Kind.DEPLOYMENT, pod("ImagePullBackOff", age=PULL_SECONDS), F),
        (Kind.DEPLOYMENT, pod("InvalidImageName"), F),
        (Kind.DEPLOYMENT, pod("CrashLoopBackOff", restarts=CRASHES - 1), P),
        (Kind.DEPLOYMENT, pod("CrashLoopBackOff", restarts=CRASHES), F),
        (Kind.DEPLOYMENT, pod("ContainerCreating"), None),
        (Kind.DEPLOYMENT, pod("InvalidImageName", image="web:1"), None),  # of the former revision
        (Kind.DEPLOYMENT, pod(age=READY_SECONDS), None),  # the deployment's own deadline judges that
        (Kind.STATEFUL_SET, pod(age=READY_SECONDS - 1), None),
        (Kind.STATEFUL_SET, pod(age=READY_SECONDS), F),
        (Kind.DAEMON_SET, pod(age=READY_SECONDS), F),
    ],
)
def test_what_a_pod_says(kind: Kind, one: dict[str, Any], expected: Health | None) -> None:
    found = stuck(kind, SPEC, [one], NOW)
    assert (found[0] if found else None) is expected


def test_the_worst_pod_is_told() -> None:
    found = stuck(Kind.DEPLOYMENT, SPEC, [pod("ErrImagePull"), pod("InvalidImageName")], NOW)
    assert found == (F, "pod w-1, container web: InvalidImageName: why")


def test_a_pod_that_is_broken() -> None:
    assert broken(pod("CrashLoopBackOff"))
    assert not broken(pod("ContainerCreating"))
    assert not broken(pod())


def test_which_list_has_a_container() -> None:
    spec = {"initContainers": [{"name": "prepare", "image": "p"}], **SPEC}
    assert [container_list(spec, name) for name in ("web", "prepare", "no")] == [
        "containers",
        "initContainers",
        None,
    ]


def test_a_selector_as_text() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "zone", "operator": "NotIn", "values": ["c"]},
        {"key": "here", "operator": "Exists"},
        {"key": "gone", "operator": "DoesNotExist"},
    ]
    text = selector_text({"matchLabels": {"app": "w"}, "matchExpressions": expressions})
    assert text == "app=w,tier in (a,b),zone notin (c),here,!gone"
