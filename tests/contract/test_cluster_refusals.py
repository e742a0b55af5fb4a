"""What an API server refuses and what it takes, the look-alike as real ones do (tests/support/places.py)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.cluster import workload
from tests.support.places import Place
from tests.support.raw_api import STRATEGIC, Answer, ask, path, unique

POD, WEB = "spec.template.spec", "spec.template.spec.containers[0]"
type Change = Callable[[dict[str, Any]], object]


def _container(**values: Any) -> Change:
    return lambda body: body["spec"]["template"]["spec"]["containers"][0].update(values)


def _spec(**values: Any) -> Change:
    return lambda body: body["spec"].update(values)


def _metadata(**values: Any) -> Change:
    return lambda body: body["metadata"].update(values)


def _rolling(**values: Any) -> Change:
    return _spec(strategy={"type": "RollingUpdate", "rollingUpdate": values})


REFUSED: list[tuple[str, Change, int, list[str]]] = [
    ("Deployment", _metadata(name=""), 422, ["metadata.name"]),
    ("Deployment", _metadata(name="Not_Good"), 422, ["metadata.name"]),
    ("Deployment", _metadata(name="a" * 254), 422, ["metadata.name"]),
    ("Deployment", _metadata(labels={"a": "not good"}), 422, ["metadata.labels"]),
    ("Deployment", _metadata(labels={"not good": "a"}), 422, ["metadata.labels"]),
    ("Deployment", _metadata(labels={"a": 1}), 400, []),
    ("Deployment", _metadata(annotations={"not good": "a"}), 422, ["metadata.annotations"]),
    ("Deployment", _metadata(finalizers=["mine"]), 422, ["metadata.finalizers[0]"]),
    ("Deployment", _metadata(namespace="other"), 400, []),
    ("Deployment", _metadata(resourceVersion="1"), 500, []),
    ("Deployment", lambda b: b.update(kind="StatefulSet"), 400, []),
    ("Deployment", lambda b: b.update(apiVersion="apps/v2"), 400, []),
    ("Deployment", lambda b: b.pop("spec"), 422, ["spec.selector", "spec.template.metadata.labels",
     f"{POD}.containers"]),
    ("Deployment", lambda b: b["spec"].pop("selector"), 422, ["spec.selector", "spec.template.metadata.labels"]),
    ("Deployment", _spec(selector={}), 422, ["spec.selector"]),
    ("Deployment", lambda b: b["spec"]["template"].pop("metadata"), 422, ["spec.template.metadata.labels"]),
    ("Deployment", _spec(replicas=-1), 422, ["spec.replicas"]),
    ("Deployment", _spec(replicas="3"), 400, []),
    ("Deployment", _spec(replicas=1.5), 400, []),
    ("Deployment", _spec(minReadySeconds=9, progressDeadlineSeconds=9), 422, ["spec.progressDeadlineSeconds"]),
    ("Deployment", _spec(strategy={"type": "Fast"}), 422, ["spec.strategy"]),
    ("Deployment", _spec(strategy={"type": "Recreate", "rollingUpdate": {}}), 422, ["spec.strategy.rollingUpdate"]),
    ("Deployment", _rolling(maxSurge="x"), 422, ["spec.strategy.rollingUpdate.maxSurge"]),
    ("Deployment", _rolling(maxSurge=0, maxUnavailable=0), 422, ["spec.strategy.rollingUpdate.maxUnavailable"]),
    ("Deployment", lambda b: b["spec"]["template"]["spec"].update(containers=[]), 422, [f"{POD}.containers"]),
    ("Deployment", lambda b: b["spec"]["template"]["spec"].update(containers="web"), 400, []),
    ("Deployment", lambda b: b["spec"]["template"]["spec"].update(containers=["web"]), 400, []),
    ("Deployment", lambda b: b["spec"]["template"]["spec"].update(restartPolicy="Never"), 422,
     [f"{POD}.restartPolicy"]),
    ("Deployment", _container(name=""), 422, [f"{WEB}.name"]),
    ("Deployment", _container(name="Not_Good"), 422, [f"{WEB}.name"]),
    ("Deployment", _container(name="proxy"), 422, [f"{POD}.containers[1].name"]),
    ("Deployment", _container(image=""), 422, [f"{WEB}.image"]),
    ("Deployment", _container(image=1), 400, []),
    ("Deployment", _container(env=[{"value": "x"}]), 422, [f"{WEB}.env[0].name"]),
    ("StatefulSet", _spec(podManagementPolicy="Fast"), 422, ["spec.podManagementPolicy"]),
    ("StatefulSet", _spec(updateStrategy={"type": "Fast"}), 422, ["spec.updateStrategy"]),
    ("StatefulSet", _spec(updateStrategy={"rollingUpdate": {"partition": -1}}), 422,
     ["spec.updateStrategy.rollingUpdate.partition"]),
    ("StatefulSet", _spec(updateStrategy={"type": "OnDelete", "rollingUpdate": {}}), 422,
     ["spec.updateStrategy.rollingUpdate"]),
    ("DaemonSet", _spec(updateStrategy={"type": "Fast"}), 422, ["spec.updateStrategy"]),
    ("DaemonSet", _spec(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}), 422,
     ["spec.updateStrategy.rollingUpdate.maxUnavailable"]),
    ("CronJob", _metadata(name="c" * 53), 422, ["metadata.name"]),
    ("CronJob", _spec(schedule=""), 422, ["spec.schedule"]),
    ("CronJob", _spec(schedule="often"), 422, ["spec.schedule"]),
    ("CronJob", _spec(schedule="61 * * * *"), 422, ["spec.schedule"]),
    ("CronJob", _spec(schedule="1 * 0 * *"), 422, ["spec.schedule"]),
    ("CronJob", _spec(schedule="@sometimes"), 422, ["spec.schedule"]),
    ("CronJob", _spec(concurrencyPolicy="Fast"), 422, ["spec.concurrencyPolicy"]),
    ("CronJob", _spec(failedJobsHistoryLimit=-1), 422, ["spec.failedJobsHistoryLimit"]),
    ("CronJob", lambda b: b["spec"]["jobTemplate"]["spec"]["template"]["spec"].pop("restartPolicy"), 422,
     ["spec.jobTemplate.spec.template.spec.restartPolicy"]),
    ("CronJob", lambda b: b["spec"].pop("jobTemplate"), 422,
     ["spec.jobTemplate.spec.template.spec.containers", "spec.jobTemplate.spec.template.spec.restartPolicy"]),
]  # fmt: skip
REASONS = {400: "BadRequest", 422: "Invalid", 500: ""}


@pytest.mark.parametrize(("kind", "change", "status", "fields"), REFUSED)
def test_what_is_not_created(at: Place, kind: str, change: Change, status: int, fields: list[str]) -> None:
    body = workload(kind, unique(), namespace=at.namespace)
    change(body)
    answer = ask(at.admin, "POST", path(f"{kind.lower()}s", at), body)
    assert (answer.status, answer.reason, answer.fields) == (status, REASONS[status], fields), answer.body


ACCEPTED: list[tuple[str, Change]] = [
    ("Deployment", lambda b: b.pop("kind")),
    ("Deployment", lambda b: b.pop("apiVersion")),
    ("Deployment", _container(image=" x ")),  # which is refused of a pod only
    ("DaemonSet", lambda b: None),
    ("StatefulSet", lambda b: b["spec"].pop("serviceName")),
    ("CronJob", _spec(schedule="@daily")),
    ("CronJob", _spec(schedule="*/5 1-3 1,15 jan mon")),
]


@pytest.mark.parametrize(("kind", "change"), ACCEPTED)
def test_what_is_created(at: Place, kind: str, change: Change) -> None:
    body = workload(kind, unique(), namespace=at.namespace, **({"paused": True} if kind == "Deployment" else {}))
    change(body)
    assert ask(at.admin, "POST", f"{path(f'{kind.lower()}s', at)}?dryRun=All", body).status == 201


@pytest.mark.parametrize(
    ("method", "name", "body", "media_type", "status"),
    [
        ("GET", "none", None, "application/json", 404),
        ("DELETE", "none", None, "application/json", 404),
        ("PATCH", "none", {}, STRATEGIC, 404),
        ("PUT", "none", {"metadata": {"name": "other"}}, "application/json", 400),
        ("PUT", "none", {"metadata": {}}, "application/json", 400),
        ("PUT", "", {}, "application/json", 405),
        ("POST", "none", {}, "application/json", 405),
        ("GET", "none/nothing", None, "application/json", 404),
        ("DELETE", "none/status", None, "application/json", 405),
        ("POST", "", "x", "text/plain", 415),
        ("POST", "", '{"a":', "application/json", 400),
        ("POST", "", [], "application/json", 400),
        ("POST", "?dryRun=Some", {}, "application/json", 422),
        ("GET", "?limit=many", None, "application/json", 400),
        ("GET", "?continue=nonsense", None, "application/json", 400),
        ("GET", "?labelSelector=a%20b", None, "application/json", 400),
        ("GET", "?labelSelector=a+in+(", None, "application/json", 400),
        ("GET", "?fieldSelector=spec.paused%3Dtrue", None, "application/json", 400),
        ("GET", "?fieldSelector=metadata.name", None, "application/json", 400),
    ],
)
def test_how_a_request_is_refused(
    at: Place, method: str, name: str, body: Any, media_type: str, status: int
) -> None:
    where = path("deployments", at) + (name if name.startswith("?") else f"/{name}" if name else "")
    answer = ask(at.admin, method, where, body, media_type=media_type)
    assert (answer.status, answer.body["kind"], answer.body["code"]) == (status, "Status", status), answer


def test_what_is_not_served_is_no_status(at: Place) -> None:
    assert ask(at.admin, "GET", "/apis/none/v1/things") == Answer(status=404, body={"text": "404 page not found\n"})
    assert ask(at.admin, "GET", "/apis/apps/v1/things").reason == "NotFound"
