"""The cluster look-alike's controllers and nodes, seen through the official client as a rollout goes on."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from kubernetes import watch

from groundswell.local.certs import Certificates
from groundswell.local.serve import Servers
from tests.support.cluster import (
    BETTER,
    GOOD,
    MISSING,
    SIDE,
    Running,
    certs,
    eventually,
    running,
    servers,
    workload,
)

__all__ = ["certs", "servers"]  # fixtures

Watch: Any = watch.Watch  # it has no annotations
REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture
def found(servers: Servers, certs: Certificates) -> Iterator[Running]:
    with running(servers, certs, nodes=3) as cluster:
        yield cluster


def set_image(found: Running, image: str, name: str = "w") -> Any:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
    return found.apps.patch_namespaced_deployment(name, "default", body)


def conditions(item: Any) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in item.status.conditions or ()}


def progressing(found: Running, reason: str, name: str = "w") -> Any:
    """The deployment once its condition Progressing has that reason (about its newest spec)."""

    def look() -> Any:
        item = found.apps.read_namespaced_deployment(name, "default")
        current = item.status.observed_generation == item.metadata.generation
        return item if current and conditions(item).get("Progressing", ("", ""))[1] == reason else None

    return eventually(look)


def pods(found: Running, name: str = "w") -> list[Any]:
    return list(found.core.list_namespaced_pod("default", label_selector=f"app={name}").items)


def test_a_deployment_keeps_to_surge_and_unavailability(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w", replicas=4))
    first = progressing(found, "NewReplicaSetAvailable")
    assert first.metadata.annotations[REVISION] == "1"
    changed = set_image(found, BETTER)
    assert changed.metadata.generation == 2
    assert changed.status.observed_generation == 1
    done = progressing(found, "NewReplicaSetAvailable")
    steps = _statuses(found, since=changed.metadata.resource_version)
    assert max(step.replicas for step in steps) == 5  # 25 % surge
    assert min(step.available_replicas for step in steps) >= 3
    updated = [step.updated_replicas or 0 for step in steps]
    assert updated == sorted(updated)
    assert len(set(updated)) > 2  # step by step
    assert {one.spec.containers[0].image for one in pods(found)} == {BETTER}
    assert done.metadata.annotations[REVISION] == "2"
    assert done.metadata.generation == 2
    assert conditions(done) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    sizes = {one.metadata.annotations[REVISION]: one.spec.replicas for one in _sets(found)}
    assert sizes == {"1": 0, "2": 4}


def _statuses(found: Running, *, since: str) -> list[Any]:
    """Each status that the deployment had of its newest spec."""
    stream = Watch().stream(
        found.apps.list_namespaced_deployment, "default", resource_version=since, timeout_seconds=1
    )
    items = [event["object"] for event in stream]
    return [item.status for item in items if item.status.observed_generation == item.metadata.generation]


def _sets(found: Running) -> list[Any]:
    return list(found.apps.list_namespaced_replica_set("default").items)


def test_going_back_takes_the_former_replica_set_under_a_new_revision(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w"))
    progressing(found, "NewReplicaSetAvailable")
    set_image(found, BETTER)
    eventually(lambda: found.apps.read_namespaced_deployment("w", "default").metadata.annotations[REVISION] == "2")
    set_image(found, GOOD)
    eventually(lambda: found.apps.read_namespaced_deployment("w", "default").metadata.annotations[REVISION] == "3")
    revisions = {
        one.spec.template.spec.containers[0].image: one.metadata.annotations[REVISION] for one in _sets(found)
    }
    assert revisions == {BETTER: "2", GOOD: "3"}


def test_recreate_has_none_of_both_at_once(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w", strategy={"type": "Recreate"}))
    progressing(found, "NewReplicaSetAvailable")
    set_image(found, BETTER)
    seen: list[set[str]] = []

    def look() -> bool:
        seen.append({one.spec.containers[0].image for one in pods(found)})
        return seen[-1] == {BETTER}

    eventually(look)
    assert {GOOD, BETTER} not in seen


def test_a_missing_image_waits_tells_events_exceeds_the_deadline_and_heals(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w", progressDeadlineSeconds=1))
    progressing(found, "NewReplicaSetAvailable")
    set_image(found, MISSING)
    stopped = progressing(found, "ProgressDeadlineExceeded")
    assert conditions(stopped)["Progressing"][0] == "False"
    assert conditions(stopped)["Available"][0] == "True"
    (bad,) = [one for one in pods(found) if one.spec.containers[0].image == MISSING]
    web, proxy = bad.status.container_statuses
    assert (bad.status.phase, web.ready, web.state.waiting.reason) == ("Running", False, "ImagePullBackOff")
    assert proxy.ready
    selector = f"involvedObject.name={bad.metadata.name},reason=Failed"
    (event,) = found.core.list_namespaced_event("default", field_selector=selector).items
    assert (event.type, event.count >= 2) == ("Warning", True)
    assert MISSING in event.message
    found.images.missing.clear()
    progressing(found, "NewReplicaSetAvailable")


def test_a_crash_loop_counts_its_restarts(found: Running) -> None:
    found.images.crashing.add(BETTER)
    found.lookalike.create(workload("Deployment", "w", replicas=1, image=BETTER))

    def look() -> Any:
        statuses = [one.status.container_statuses[0] for one in pods(found) if one.status.container_statuses]
        return statuses[0] if statuses and statuses[0].restart_count >= 2 else None

    status = eventually(look)
    assert status.state.waiting.reason == "CrashLoopBackOff"
    assert status.last_state.terminated.exit_code == 1


def test_an_init_container_that_cannot_start_holds_the_others(found: Running) -> None:
    body = workload("Deployment", "w", replicas=1)
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": "prepare", "image": MISSING}]
    found.lookalike.create(body)

    def look() -> Any:
        statuses = [one.status.init_container_statuses for one in pods(found)]
        waits = statuses and statuses[0] and statuses[0][0].state.waiting.reason == "ImagePullBackOff"
        return pods(found)[0] if waits else None

    pod = eventually(look)
    assert {one.state.waiting.reason for one in pod.status.container_statuses} == {"PodInitializing"}
    found.images.missing.clear()
    progressing(found, "NewReplicaSetAvailable")


def test_paused_changes_wait_until_it_is_resumed(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w"))
    progressing(found, "NewReplicaSetAvailable")
    found.apps.patch_namespaced_deployment("w", "default", {"spec": {"paused": True}})
    set_image(found, BETTER)
    assert conditions(progressing(found, "DeploymentPaused"))["Progressing"][0] == "Unknown"
    assert {one.spec.containers[0].image for one in pods(found)} == {GOOD}
    found.apps.patch_namespaced_deployment("w", "default", {"spec": {"paused": False}})
    progressing(found, "NewReplicaSetAvailable")
    assert {one.spec.containers[0].image for one in pods(found)} == {BETTER}


def _has(found: Running, count: int) -> bool:
    return len(pods(found)) == count


def test_scaling(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w", replicas=1))
    progressing(found, "NewReplicaSetAvailable")
    for wanted in (3, 0):
        found.apps.patch_namespaced_deployment("w", "default", {"spec": {"replicas": wanted}})
        eventually(partial(_has, found, wanted))
    (only,) = _sets(found)
    assert only.metadata.annotations[REVISION] == "1"


def _stateful(found: Running, **spec: Any) -> Any:
    found.lookalike.create(workload("StatefulSet", "w", replicas=3, **spec))

    def look() -> Any:
        item = found.apps.read_namespaced_stateful_set("w", "default")
        return item if item.status.ready_replicas == 3 else None

    return eventually(look)


def _restated(found: Running, image: str) -> None:
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}}
    found.apps.patch_namespaced_stateful_set("w", "default", body)


def _by_ordinal(found: Running) -> dict[str, str]:
    return {one.metadata.name: one.spec.containers[0].image for one in pods(found)}


def test_a_stateful_set_is_updated_from_the_last_to_the_first(found: Running) -> None:
    before = _stateful(found).status
    assert before.current_revision == before.update_revision
    _restated(found, BETTER)
    seen: list[tuple[str, ...]] = []

    def look() -> Any:
        images = _by_ordinal(found)
        moved = tuple(sorted(name for name, image in images.items() if image == BETTER))
        if not seen or seen[-1] != moved:
            seen.append(moved)
        status = found.apps.read_namespaced_stateful_set("w", "default").status
        return status if status.current_revision == status.update_revision != before.update_revision else None

    after = eventually(look)
    assert after.updated_replicas == after.ready_replicas == 3
    last_to_first = [(), ("w-2",), ("w-1", "w-2"), ("w-0", "w-1", "w-2")]
    assert [step for step in seen if step in last_to_first] == seen


def test_a_partition_holds_back(found: Running) -> None:
    _stateful(found, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    _restated(found, BETTER)
    eventually(lambda: found.apps.read_namespaced_stateful_set("w", "default").status.updated_replicas == 1)
    assert _by_ordinal(found) == {"w-0": GOOD, "w-1": GOOD, "w-2": BETTER}


def test_a_broken_stateful_set_needs_its_pod_deleted(found: Running) -> None:
    _stateful(found)
    _restated(found, MISSING)
    eventually(lambda: _by_ordinal(found).get("w-2") == MISSING)
    _restated(found, GOOD)

    def settled() -> bool:
        item = found.apps.read_namespaced_stateful_set("w", "default")
        return bool(item.status.observed_generation == item.metadata.generation == 3)

    eventually(settled)
    assert _by_ordinal(found)["w-2"] == MISSING
    found.core.delete_namespaced_pod("w-2", "default")
    eventually(lambda: _by_ordinal(found).get("w-2") == GOOD)


def test_a_daemon_set_has_a_pod_on_every_node(found: Running) -> None:
    found.lookalike.create(workload("DaemonSet", "w"))

    def look() -> Any:
        status = found.apps.read_namespaced_daemon_set("w", "default").status
        return status if status.number_available == 3 else None

    assert eventually(look).desired_number_scheduled == 3
    assert len({one.spec.node_name for one in pods(found)}) == 3
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": BETTER}]}}}}
    found.apps.patch_namespaced_daemon_set("w", "default", body)
    fewest = 3

    def updated() -> bool:
        nonlocal fewest
        status = found.apps.read_namespaced_daemon_set("w", "default").status
        fewest = min(fewest, status.number_available or 0)
        return bool(status.updated_number_scheduled == status.number_available == 3)

    eventually(updated)
    assert fewest >= 2


def test_a_cron_job_has_nothing_to_roll_out(found: Running) -> None:
    found.lookalike.create(workload("CronJob", "w"))
    assert found.batch.read_namespaced_cron_job("w", "default").spec.job_template.spec.template.spec.containers
    assert pods(found) == []


def test_what_the_demo_asks(found: Running) -> None:
    found.lookalike.create(workload("Deployment", "w"))
    set_image(found, BETTER)
    found.apps.patch_namespaced_deployment("w", "default", {"metadata": {"labels": {"x": "y"}}})
    set_image(found, GOOD)
    seen = found.lookalike.images_seen("default", "Deployment", "w")
    assert [entry[1:] for entry in seen] == [("web", GOOD), ("proxy", SIDE), ("web", BETTER), ("web", GOOD)]
    assert [entry[0] for entry in seen] == sorted(entry[0] for entry in seen)
    assert found.lookalike.get("Deployment", "default", "w")["metadata"]["labels"]["x"] == "y"
    assert found.lookalike.images_seen("default", "Deployment", "none") == []
