"""Lists, selections, pages and watches, on the look-alike as on real API servers (tests/support/places.py)."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, watch

from tests.support.cluster import eventually, workload
from tests.support.places import Place
from tests.support.raw_api import MERGE, STRATEGIC, ask, path, unique

Watch: Any = watch.Watch  # it has no annotations
LABELS = {"a": {"tier": "front"}, "b": {"tier": "back", "rank": "3"}, "c": {"rank": "10"}}


@pytest.fixture(scope="module")
def cron_jobs(at: Place) -> Iterator[str]:
    """Three cron jobs, to which no controller writes; where they are."""
    where = path("cronjobs", at)
    for name, labels in LABELS.items():
        body = workload("CronJob", name, namespace=at.namespace)
        body["metadata"]["labels"] = labels
        assert ask(at.admin, "POST", where, body).status == 201
    yield where
    for name in LABELS:
        ask(at.admin, "DELETE", f"{where}/{name}", {"propagationPolicy": "Background"})


def names(body: Any) -> list[str]:
    return [item["metadata"]["name"] for item in body["items"]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", "abc"),
        ("tier", "ab"),
        ("!tier", "c"),
        ("tier=front", "a"),
        ("tier==front", "a"),
        ("tier!=front", "bc"),
        ("tier in (front, back)", "ab"),
        ("tier notin (front)", "bc"),
        ("rank>5", "c"),
        ("rank<5", "b"),
        ("tier=back,rank", "b"),
        ("tier=", ""),
        (" tier = back ", "b"),
    ],
)
def test_labels(at: Place, cron_jobs: str, selector: str, expected: str) -> None:
    listed = client.BatchV1Api(at.admin).list_namespaced_cron_job(at.namespace, label_selector=selector)
    assert "".join(item.metadata.name for item in listed.items) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name!=b", "ac"),
        ("metadata.namespace=other", ""),
        ("metadata.name==c,metadata.namespace!=other", "c"),
    ],
)
def test_fields(at: Place, cron_jobs: str, selector: str, expected: str) -> None:
    listed = client.BatchV1Api(at.admin).list_namespaced_cron_job(at.namespace, field_selector=selector)
    assert "".join(item.metadata.name for item in listed.items) == expected


def test_a_list_says_its_kind_once(at: Place, cron_jobs: str) -> None:
    body = ask(at.admin, "GET", cron_jobs).body
    assert (body["kind"], body["apiVersion"], names(body)) == ("CronJobList", "batch/v1", ["a", "b", "c"])
    assert all("kind" not in item and "apiVersion" not in item for item in body["items"])
    assert int(body["metadata"]["resourceVersion"]) > 0


def test_pages(at: Place, cron_jobs: str) -> None:
    first = ask(at.admin, "GET", f"{cron_jobs}?limit=2").body
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 1)
    token = first["metadata"]["continue"]
    second = ask(at.admin, "GET", f"{cron_jobs}?limit=2&continue={token}").body
    assert (names(second), "continue" in second["metadata"]) == (["c"], False)
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    both = ask(at.admin, "GET", f"{cron_jobs}?continue={token}&resourceVersion=1")
    assert (both.status, both.reason) == (400, "BadRequest")
    assert names(ask(at.admin, "GET", f"{cron_jobs}?limit=-1").body) == ["a", "b", "c"]


def test_a_watch_tells_what_enters_changes_and_leaves_a_selection(at: Place, cron_jobs: str) -> None:
    version = ask(at.admin, "GET", cron_jobs).body["metadata"]["resourceVersion"]
    changes: list[dict[str, Any]] = [
        {"metadata": {"labels": {"hot": "1"}}},
        {"spec": {"suspend": True}},
        {"spec": {"suspend": True}},  # which changes nothing
        {"metadata": {"labels": {"hot": None}}},
        {"metadata": {"labels": {"hot": "2"}}},
        {"metadata": {"labels": {"hot": None}}, "spec": {"suspend": False}},
    ]
    for body in changes:
        assert ask(at.admin, "PATCH", f"{cron_jobs}/a", body, media_type=MERGE).status == 200
    options = {"resource_version": version, "label_selector": "hot", "timeout_seconds": 1}
    listed = client.BatchV1Api(at.admin).list_namespaced_cron_job
    events = list(Watch().stream(listed, at.namespace, **options))
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    versions = [int(event["object"].metadata.resource_version) for event in events]
    assert versions == sorted(versions)
    assert events[0]["raw_object"]["kind"] == "CronJob"


def test_a_watch_begins_with_what_is_there(at: Place, cron_jobs: str) -> None:
    listed = client.BatchV1Api(at.admin).list_namespaced_cron_job
    events = list(Watch().stream(listed, at.namespace, timeout_seconds=1))
    found = sorted((event["type"], event["object"].metadata.name) for event in events)  # they come in any order
    assert found == [("ADDED", one) for one in LABELS]


def test_a_write_that_changes_nothing_makes_no_version(at: Place, cron_jobs: str) -> None:
    before = ask(at.admin, "GET", f"{cron_jobs}/b").body["metadata"]["resourceVersion"]
    same = ask(at.admin, "PATCH", f"{cron_jobs}/b", {"spec": {"suspend": False}}, media_type=STRATEGIC).body
    assert same["metadata"]["resourceVersion"] == before
    stale = {"metadata": {"resourceVersion": "1"}, "spec": {"suspend": True}}
    conflict = ask(at.admin, "PATCH", f"{cron_jobs}/b", stale, media_type=STRATEGIC)
    assert (conflict.status, conflict.reason) == (409, "Conflict")
    assert "the object has been modified" in conflict.body["message"]


def test_a_status_is_written_apart(at: Place, cron_jobs: str) -> None:
    status = {"lastScheduleTime": "2026-01-01T00:00:00Z"}
    body = {"spec": {"suspend": True}, "status": status, "metadata": {"labels": {"told": "1"}}}
    written = ask(at.admin, "PATCH", f"{cron_jobs}/c/status", body, media_type=MERGE).body
    assert (written["spec"]["suspend"], written["status"]) == (False, status)
    assert written["metadata"]["labels"]["told"] == "1"
    written = ask(
        at.admin, "PATCH", f"{cron_jobs}/c", {"status": {"lastScheduleTime": None}}, media_type=MERGE
    ).body
    assert written["status"] == status


def test_a_deletion_may_insist_on_what_it_deletes(at: Place, cron_jobs: str) -> None:
    for precondition in ({"uid": "other"}, {"resourceVersion": "1"}):
        answer = ask(at.admin, "DELETE", f"{cron_jobs}/c", {"preconditions": precondition})
        assert (answer.status, answer.reason) == (409, "Conflict")
    answer = ask(at.admin, "DELETE", f"{cron_jobs}/c", {"propagationPolicy": "Odd"})
    assert (answer.status, answer.fields) == (422, ["propagationPolicy"])
    assert ask(at.admin, "GET", f"{cron_jobs}/c").status == 200


def test_a_pod_keeps_its_spec_but_for_images(at: Place) -> None:
    name = unique()
    made = ask(at.admin, "POST", path("daemonsets", at), workload("DaemonSet", name, namespace=at.namespace))
    assert made.body["metadata"]["annotations"] == {"deprecated.daemonset.template.generation": "1"}

    def pods() -> list[str]:
        return names(ask(at.admin, "GET", f"{path('pods', at)}?labelSelector=app%3D{name}").body)

    (pod, *_) = eventually(pods, seconds=at.patience)
    where = path("pods", at, pod)
    body = {"spec": {"restartPolicy": "Never"}}
    refused = ask(at.admin, "PATCH", where, body, media_type=STRATEGIC)
    assert (refused.status, refused.fields) == (422, ["spec"])
    assert pod.startswith(ask(at.admin, "GET", where).body["metadata"]["generateName"])
    ask(at.admin, "DELETE", path("daemonsets", at, name), {"propagationPolicy": "Background"})
    eventually(lambda: not pods(), seconds=at.patience)  # they go with their owner
