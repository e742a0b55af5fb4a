"""The cluster look-alike's API, with the official client: verbs, lists, watches, errors."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, watch

from groundswell.local.certs import Certificates
from groundswell.local.cluster.errors import ApiError
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.cluster import (
    BETTER,
    GOOD,
    READER,
    Running,
    certs,
    connected,
    eventually,
    running,
    servers,
    workload,
)

__all__ = ["certs", "servers"]  # fixtures

Watch: Any = watch.Watch  # it has no annotations
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def found(servers: Servers, certs: Certificates) -> Iterator[Running]:
    with running(servers, certs, bookmark_seconds=0.2) as cluster:
        yield cluster


@pytest.fixture
def space(found: Running) -> str:
    """A namespace of the test's own."""
    name = f"n-{uuid.uuid4().hex[:8]}"
    found.core.create_namespace({"metadata": {"name": name}})
    return name


def refused(call: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    """The status and the Status object that a call is refused with."""
    with pytest.raises(client.ApiException) as caught:
        call(*arguments, **options)
    return caught.value.status, json.loads(caught.value.body or "{}")


def names(listed: Any) -> list[str]:
    return [item.metadata.name for item in listed.items]


def cron(found: Running, space: str, *named: str) -> None:
    """Cron jobs hold still: no controller writes to them."""
    for name in named:
        found.batch.create_namespaced_cron_job(space, workload("CronJob", name, namespace=space))


def test_version_and_discovery(found: Running) -> None:
    assert client.VersionApi(found.api).get_code().major == "1"
    resources = client.AppsV1Api(found.api).get_api_resources().resources
    assert {"deployments", "statefulsets", "daemonsets", "replicasets"} == {one.name for one in resources}
    assert {group.name for group in client.ApisApi(found.api).get_api_versions().groups} == {"apps", "batch"}


def test_create_get_replace_delete(found: Running, space: str) -> None:
    made = found.apps.create_namespaced_deployment(space, workload("Deployment", "w", namespace=space))
    assert (made.metadata.generation, made.status.observed_generation) == (1, None)
    assert made.spec.strategy.rolling_update.max_surge == "25%"
    read = eventually(lambda: _settled(found, space, "w"))
    assert read.metadata.uid == made.metadata.uid
    read.spec.replicas = 1
    assert found.apps.replace_namespaced_deployment("w", space, read).metadata.generation == 2
    status, body = refused(found.apps.replace_namespaced_deployment, "w", space, read)
    assert (status, body["reason"], body["details"]["name"]) == (409, "Conflict", "w")
    found.apps.delete_namespaced_deployment("w", space)
    eventually(lambda: not found.core.list_namespaced_pod(space).items)
    assert not found.apps.list_namespaced_replica_set(space).items


def _settled(found: Running, space: str, name: str) -> Any:
    read = found.apps.read_namespaced_deployment(name, space)
    return read if read.status.available_replicas == read.spec.replicas else None


def test_a_namespace_goes_with_all_that_is_in_it(found: Running, space: str) -> None:
    cron(found, space, "a")
    found.core.delete_namespace(space)
    assert refused(found.batch.read_namespaced_cron_job, "a", space)[0] == 404
    status, body = refused(found.batch.create_namespaced_cron_job, space, workload("CronJob", "b", namespace=space))
    assert (status, body["details"]["kind"]) == (404, "namespaces")


def test_generation_grows_with_the_spec_only(found: Running, space: str) -> None:
    cron(found, space, "a")
    patch = found.batch.patch_namespaced_cron_job
    labelled = patch("a", space, {"metadata": {"labels": {"x": "y"}}})
    assert labelled.metadata.generation == 1
    same = patch("a", space, {"spec": {"suspend": False}})
    assert (same.metadata.generation, same.metadata.resource_version) == (1, labelled.metadata.resource_version)
    assert patch("a", space, {"spec": {"suspend": True}}).metadata.generation == 2


def test_patches_of_three_kinds(found: Running, space: str) -> None:
    cron(found, space, "a")

    def containers(item: Any) -> list[Any]:
        return list(item.spec.job_template.spec.template.spec.containers)

    def patched(body: Any, content_type: str) -> list[Any]:
        return containers(found.batch.patch_namespaced_cron_job("a", space, body, _content_type=content_type))

    def template(spec: Any) -> Any:
        return {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}

    web, proxy = patched(template({"containers": [{"name": "web", "image": BETTER}]}), STRATEGIC)
    assert (web.image, web.env[0].value, proxy.env[0].value) == (BETTER, "1", "warn")
    path = "/spec/jobTemplate/spec/template/spec/containers/0/image"
    json_patch = "application/json-patch+json"
    web, _ = patched(
        [{"op": "test", "path": path, "value": BETTER}, {"op": "replace", "path": path, "value": GOOD}], json_patch
    )
    assert web.image == GOOD
    failing = [{"op": "test", "path": path, "value": "other"}, {"op": "remove", "path": path}]
    assert refused(found.batch.patch_namespaced_cron_job, "a", space, failing, _content_type=json_patch)[0] == 422
    (only,) = patched(template({"containers": [{"name": "web", "image": GOOD}]}), MERGE)
    assert only.env is None


def test_a_stale_patch_is_a_conflict(found: Running, space: str) -> None:
    cron(found, space, "a")
    stale = found.batch.read_namespaced_cron_job("a", space).metadata.resource_version
    found.batch.patch_namespaced_cron_job("a", space, {"spec": {"suspend": True}})
    body = {"metadata": {"resourceVersion": stale}, "spec": {"suspend": False}}
    assert refused(found.batch.patch_namespaced_cron_job, "a", space, body)[0] == 409


def test_a_dry_run_changes_nothing(found: Running, space: str) -> None:
    cron(found, space, "a")
    before = found.batch.read_namespaced_cron_job("a", space)
    dry = found.batch.patch_namespaced_cron_job("a", space, {"spec": {"suspend": True}}, dry_run="All")
    assert dry.spec.suspend is True
    found.batch.create_namespaced_cron_job(space, workload("CronJob", "b", namespace=space), dry_run="All")
    found.batch.delete_namespaced_cron_job("a", space, dry_run="All")
    assert names(found.batch.list_namespaced_cron_job(space)) == ["a"]
    assert found.batch.read_namespaced_cron_job("a", space) == before


def test_selectors(found: Running, space: str) -> None:
    cron(found, space, "a", "b", "c")

    def listed(**options: str) -> list[str]:
        return names(found.batch.list_namespaced_cron_job(space, **options))

    assert listed(label_selector="app in (a,c)") == ["a", "c"]
    assert listed(label_selector="app!=a") == ["b", "c"]
    assert listed(field_selector="metadata.name=b") == ["b"]
    everywhere = found.batch.list_cron_job_for_all_namespaces(field_selector=f"metadata.namespace={space}")
    assert names(everywhere) == ["a", "b", "c"]


def test_pages_of_one_snapshot_until_it_expires(found: Running, space: str) -> None:
    cron(found, space, "a", "b", "c")
    first = found.batch.list_namespaced_cron_job(space, limit=2)
    assert (names(first), first.metadata.remaining_item_count) == (["a", "b"], 1)
    found.batch.delete_namespaced_cron_job("c", space)
    more = {"limit": 2, "_continue": first.metadata._continue}
    second = found.batch.list_namespaced_cron_job(space, **more)
    assert (names(second), second.metadata._continue) == (["c"], None)
    found.lookalike.expire()
    status, body = refused(found.batch.list_namespaced_cron_job, space, **more)
    assert (status, body["reason"]) == (410, "Expired")
    assert refused(found.batch.list_namespaced_cron_job, space, _continue="nonsense")[0] == 400


def test_a_watch_tells_what_enters_changes_and_leaves_a_selection(found: Running, space: str) -> None:
    cron(found, space, "a")
    version = found.batch.list_namespaced_cron_job(space).metadata.resource_version
    patch = found.batch.patch_namespaced_cron_job
    cron(found, space, "other")
    patch("a", space, {"metadata": {"labels": {"hot": "1"}}})
    patch("a", space, {"spec": {"suspend": True}})
    patch("a", space, {"metadata": {"labels": {"hot": None}}})
    patch("a", space, {"metadata": {"labels": {"hot": "2"}}})
    found.batch.delete_namespaced_cron_job("a", space)
    options = {"resource_version": version, "label_selector": "hot", "timeout_seconds": 1}
    events = list(Watch().stream(found.batch.list_namespaced_cron_job, space, **options))
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    versions = [int(event["object"].metadata.resource_version) for event in events]
    assert versions == sorted(versions)
    assert versions[0] > int(version)


def test_a_watch_begins_with_what_is_there_and_hears_what_comes(found: Running, space: str) -> None:
    cron(found, space, "a")
    heard = []
    watching = Watch()
    for event in watching.stream(found.batch.list_namespaced_cron_job, space, timeout_seconds=10):
        heard.append((event["type"], event["object"].metadata.name))
        if len(heard) == 1:
            cron(found, space, "b")
        else:
            watching.stop()
    assert heard == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_of_what_is_forgotten_is_gone(found: Running, space: str) -> None:
    cron(found, space, "a")
    found.lookalike.expire()
    with pytest.raises(client.ApiException) as caught:
        list(Watch().stream(found.batch.list_namespaced_cron_job, space, resource_version="2", timeout_seconds=1))
    assert caught.value.status == 410


def test_bookmarks_when_asked_for(found: Running, space: str) -> None:
    cron(found, space, "a")
    options = {"timeout_seconds": 1, "allow_watch_bookmarks": True}
    kinds = [e["type"] for e in Watch().stream(found.batch.list_namespaced_cron_job, space, **options)]
    assert (kinds[0], set(kinds[1:])) == ("ADDED", {"BOOKMARK"})


def test_who_may_not(found: Running, space: str, certs: Certificates) -> None:
    for token in ("wrong", ""):
        with connected(Cluster(server=found.cluster.server, token=token, ca_file=str(certs.ca))) as api:
            status, body = refused(client.CoreV1Api(api).list_namespace)
            assert (status, body["reason"]) == (401, "Unauthorized")
    with connected(Cluster(server=found.cluster.server, token=READER, ca_file=str(certs.ca))) as api:
        batch: Any = client.BatchV1Api(api)
        assert batch.list_namespaced_cron_job(space).items == []
        status, body = refused(batch.create_namespaced_cron_job, space, workload("CronJob", "a", namespace=space))
        assert (status, body["reason"]) == (403, "Forbidden")
        assert 'cannot create resource "cronjobs"' in body["message"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("GET", "/apis/apps/v1/nothings", {}, None, (404, "NotFound")),
        ("GET", "/apis/apps/v1/namespaces/default/deployments/none", {}, None, (404, "NotFound")),
        ("DELETE", "/apis/apps/v1/namespaces/default/deployments", {}, None, (405, "MethodNotAllowed")),
        ("POST", "/apis/apps/v1/deployments", {"Content-Type": "application/json"}, {}, (405, "MethodNotAllowed")),
        ("POST", "/api/v1/namespaces", {"Content-Type": "text/plain"}, "x", (415, "UnsupportedMediaType")),
        (
            "PATCH",
            "/api/v1/namespaces/default",
            {"Content-Type": "text/plain"},
            "{}",
            (415, "UnsupportedMediaType"),
        ),
        ("POST", "/api/v1/namespaces", {"Content-Type": "application/json"}, [1], (400, "BadRequest")),
        ("POST", "/api/v1/namespaces", {"Content-Type": "application/json"}, {"kind": "Pod"}, (400, "BadRequest")),
        ("GET", "/api/v1/pods?limit=many", {}, None, (400, "BadRequest")),
        ("GET", "/api/v1/pods?labelSelector=a%20b", {}, None, (400, "BadRequest")),
        ("GET", "/api/v1/pods?fieldSelector=spec.x%3D1", {}, None, (400, "BadRequest")),
        ("DELETE", "/api/v1/namespaces/default?dryRun=Some", {}, None, (422, "Invalid")),
    ],
)
def test_how_the_server_refuses(
    found: Running, method: str, path: str, headers: dict[str, str], body: Any, expected: tuple[int, str]
) -> None:
    authorization = {"authorization": f"Bearer {found.cluster.token}"}
    answer: Any = found.api.call_api(
        method, found.cluster.server + path, header_params={**headers, **authorization}, body=body
    )
    told = json.loads(answer.read())
    assert (answer.status, told["reason"], told["kind"], told["code"]) == (*expected, "Status", expected[0])


def _changed(kind: str, change: Callable[[Any], None]) -> dict[str, Any]:
    body = workload(kind, "w")
    change(body)
    return body


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("Deployment", lambda b: b["metadata"].update(name="Not_Good"), "metadata.name"),
        ("Deployment", lambda b: b["metadata"].pop("name"), "metadata.name"),
        ("Deployment", lambda b: b["metadata"].update(labels={"a": "not good"}), "metadata.labels"),
        ("Deployment", lambda b: b.pop("spec"), "spec.template.spec.containers"),
        ("Deployment", lambda b: b["spec"].update(replicas=-1), "spec.replicas"),
        ("Deployment", lambda b: b["spec"].pop("selector"), "spec.selector"),
        ("Deployment", lambda b: b["spec"].update(strategy={"type": "Fast"}), "spec.strategy"),
        ("Deployment", lambda b: b["spec"]["template"].update(metadata={}), "spec.template.metadata.labels"),
        (
            "Deployment",
            lambda b: b["spec"]["template"]["spec"]["containers"][0].update(image=""),
            "spec.template.spec.containers[0].image",
        ),
        (
            "Deployment",
            lambda b: b["spec"]["template"]["spec"]["containers"][1].update(name="web"),
            "spec.template.spec.containers[1].name",
        ),
        ("DaemonSet", lambda b: b["spec"]["template"]["spec"].pop("containers"), "spec.template.spec.containers"),
        ("CronJob", lambda b: b["spec"].update(schedule="often"), "spec.schedule"),
        ("CronJob", lambda b: b["spec"].pop("jobTemplate"), "spec.jobTemplate.spec.template.spec.containers"),
    ],
)
def test_what_is_not_valid(found: Running, kind: str, change: Callable[[Any], None], field: str) -> None:
    with pytest.raises(ApiError) as caught:
        found.lookalike.create(_changed(kind, change))
    assert caught.value.status == 422
    assert field in [cause["field"] for cause in caught.value.document()["details"]["causes"]]


def test_the_client_sees_the_causes_and_a_selector_is_immutable(found: Running, space: str) -> None:
    found.apps.create_namespaced_deployment(space, workload("Deployment", "w", namespace=space, paused=True))
    labels = {"matchLabels": {"app": None, "other": "x"}}
    body = {"spec": {"selector": labels, "template": {"metadata": {"labels": {"other": "x"}}}}}
    status, told = refused(found.apps.patch_namespaced_deployment, "w", space, body)
    assert (status, told["reason"], told["details"]["causes"][0]["field"]) == (422, "Invalid", "spec.selector")
    assert "field is immutable" in told["message"]


@pytest.mark.parametrize("spec", ["text", {"template": []}, {"template": {"spec": {"containers": ["web"]}}}])
def test_what_has_the_wrong_shape(found: Running, spec: Any) -> None:
    with pytest.raises(ApiError) as caught:
        found.lookalike.create({"kind": "Deployment", "metadata": {"name": "w"}, "spec": spec})
    assert caught.value.status == 400


def test_what_exists_already(found: Running, space: str) -> None:
    cron(found, space, "a")
    status, body = refused(found.batch.create_namespaced_cron_job, space, workload("CronJob", "a", namespace=space))
    assert (status, body["reason"]) == (409, "AlreadyExists")
