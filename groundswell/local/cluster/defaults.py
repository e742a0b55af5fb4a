"""What the API server fills in before it looks at an object, and the shapes that it cannot decode at all. Pure."""

from typing import Any

from groundswell.local.cluster.kinds import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Kind,
)
from groundswell.local.cluster.objects import Json, containers_of, pod_template

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""The annotation in which a daemon set's templates are counted."""

_FIRST_STATUS: dict[Kind, Json] = {  # what is sent even when it is zero
    DEPLOYMENTS: {},
    CRON_JOBS: {},
    REPLICA_SETS: {"replicas": 0},
    STATEFUL_SETS: {"replicas": 0, "availableReplicas": 0},
    DAEMON_SETS: {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    PODS: {"phase": "Pending", "qosClass": "BestEffort"},
}
_COUNTS = (
    "replicas",
    "minReadySeconds",
    "progressDeadlineSeconds",
    "revisionHistoryLimit",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
)


def defaulted(kind: Kind, item: Json, former: Json | None = None) -> Json:
    """The object with what the API server fills in; changes and returns `item`, which must have the right shape."""
    item["apiVersion"], item["kind"] = kind.api_version, kind.name
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not item["metadata"].get(field):
            item["metadata"].pop(field, None)
    if kind in _FIRST_STATUS:
        item.setdefault("status", dict(_FIRST_STATUS[kind]))
    spec = item.get("spec")
    if not isinstance(spec, dict):
        if kind == NAMESPACES:
            item.setdefault("spec", {"finalizers": ["kubernetes"]})
            item.setdefault("status", {"phase": "Active"})
        return item
    if kind == DEPLOYMENTS:
        _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
        strategy = _fill(spec.setdefault("strategy", {}), type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    elif kind == STATEFUL_SETS:
        _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", serviceName="")
        strategy = _fill(spec.setdefault("updateStrategy", {}), type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy.setdefault("rollingUpdate", {}), partition=0)
    elif kind == DAEMON_SETS:
        _fill(spec, revisionHistoryLimit=10)
        strategy = _fill(spec.setdefault("updateStrategy", {}), type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy.setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)
    elif kind == CRON_JOBS:
        _fill(spec, concurrencyPolicy="Allow", suspend=False)
        _fill(spec, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    pod_spec = spec if kind == PODS else pod_template(item).get("spec")
    if isinstance(pod_spec, dict):
        _default_pod(pod_spec)
    if kind == PODS:
        _fill(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    elif kind == DAEMON_SETS:
        _count_templates(item, former)
    return item


def _default_pod(spec: Json) -> None:
    _fill(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    _fill(spec, schedulerName="default-scheduler", securityContext={})
    for container in containers_of(spec):
        for field in [field for field, value in container.items() if value == []]:
            del container[field]  # an empty list is not stored
        image = str(container.get("image"))
        latest = "@" not in image and ":" not in image.rpartition("/")[2]
        _fill(container, imagePullPolicy="Always" if latest or image.endswith(":latest") else "IfNotPresent")
        _fill(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
        _fill(container, resources={})
        for port in container.get("ports") or ():
            _fill(port, protocol="TCP")


def _count_templates(item: Json, former: Json | None) -> None:
    count = "1"
    if former:
        count = former["metadata"].get("annotations", {}).get(TEMPLATE_GENERATION, "1")
        count = str(int(count) + (former["spec"].get("template") != item["spec"].get("template")))
    item["metadata"].setdefault("annotations", {})[TEMPLATE_GENERATION] = count


def misshapen(item: Json) -> str:
    """Why the object could not be decoded into the Go types; empty when it could."""
    metadata, spec = item.get("metadata", {}), item.get("spec", {})
    shapes: list[tuple[object, type, str]] = [(metadata, dict, "metadata"), (spec, dict, "spec")]
    if isinstance(metadata, dict):
        for field in ("labels", "annotations"):
            values = metadata.get(field) or {}
            shapes.append((values, dict, field))
            shapes += [(value, str, f"{field}.{key}") for key, value in _items(values)]
        shapes.append((metadata.get("finalizers"), list, "finalizers"))
    if isinstance(spec, dict):
        objects = ("template", "jobTemplate", "strategy", "updateStrategy", "selector")
        shapes += [(spec.get(field), dict, f"spec.{field}") for field in objects]
        shapes += [(spec.get(field), int, f"spec.{field}") for field in _COUNTS]
        if not _wrong(shapes):
            shapes += _pod_shapes((pod_template(item).get("spec") if item.get("kind") != "Pod" else spec) or {})
    return _wrong(shapes)


def _pod_shapes(pod_spec: object) -> list[tuple[object, type, str]]:
    shapes: list[tuple[object, type, str]] = [(pod_spec, dict, "pod spec")]
    for field in ("containers", "initContainers") if isinstance(pod_spec, dict) else ():
        listed = pod_spec.get(field) or [] if isinstance(pod_spec, dict) else []
        shapes.append((listed, list, field))
        for one in listed if isinstance(listed, list) else ():
            shapes.append((one, dict, field))
            shapes += [(one.get(text), str, text) for text in ("name", "image") if isinstance(one, dict)]
    return shapes


def _wrong(shapes: list[tuple[object, type, str]]) -> str:
    for value, wanted, field in shapes:
        boolean = isinstance(value, bool) and wanted is not bool
        if value is not None and (boolean or not isinstance(value, wanted)):
            return f"cannot unmarshal {type(value).__name__} into field {field}"
    return ""


def _items(values: object) -> list[tuple[Any, Any]]:
    return list(values.items()) if isinstance(values, dict) else []


def _fill(target: Json, **defaults: Any) -> Json:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = value
    return target
