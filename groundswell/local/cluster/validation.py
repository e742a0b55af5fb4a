"""What the API server checks and fills in before it stores an object. Pure."""

import re
from typing import Any

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOADS,
    Kind,
)
from groundswell.local.cluster.objects import Json, pod_template
from groundswell.local.cluster.selectors import matches_selector

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character"
)
_SUBDOMAIN_RULE = _LABEL_RULE.replace("label", "subdomain").replace("'-'", "'-' or '.'")
_PERCENT = re.compile(r"[0-9]+%")
_CRON_FIELDS = 5
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
    PODS: {"phase": "Pending"},
}

type Cause = tuple[str, str, str]


def defaulted(kind: Kind, item: Json) -> Json:
    """The object with what the API server fills in; changes and returns `item`. ApiError 400 for a wrong shape."""
    item["apiVersion"], item["kind"] = kind.api_version, kind.name
    _check_shape(item)
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
        _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
        strategy = _fill(spec.setdefault("updateStrategy", {}), type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy.setdefault("rollingUpdate", {}), partition=0)
    elif kind == DAEMON_SETS:
        strategy = _fill(spec.setdefault("updateStrategy", {}), type="RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            _fill(strategy.setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)
    elif kind == CRON_JOBS:
        _fill(spec, concurrencyPolicy="Allow", suspend=False)
    pod_spec = spec if kind == PODS else pod_template(item).get("spec")
    if isinstance(pod_spec, dict):
        _fill(pod_spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
        for container in [*(pod_spec.get("initContainers") or ()), *(pod_spec.get("containers") or ())]:
            if isinstance(container, dict):
                by_digest = "@" in str(container.get("image"))
                latest = not by_digest and ":" not in str(container.get("image")).rpartition("/")[2]
                _fill(container, imagePullPolicy="Always" if latest else "IfNotPresent")
                for port in container.get("ports") or ():
                    _fill(port, protocol="TCP")
    return item


def _check_shape(item: Json) -> None:
    """Refuse what could not be decoded into the Go types."""
    shapes: list[tuple[object, type, str]] = [(item.get("spec", {}), dict, "spec")]
    if isinstance(item.get("spec"), dict):
        spec = item["spec"]
        shapes += [
            (spec.get(field, {}), dict, f"spec.{field}") for field in ("template", "jobTemplate", "strategy")
        ]
        if all(isinstance(value, kind) for value, kind, _ in shapes):
            pod_spec = (pod_template(item).get("spec") if item["kind"] != "Pod" else spec) or {}
            shapes.append((pod_spec, dict, "pod spec"))
            for field in ("containers", "initContainers") if isinstance(pod_spec, dict) else ():
                listed = pod_spec.get(field) or []
                shapes.append((listed, list, field))
                shapes += [(one, dict, field) for one in listed if isinstance(listed, list)]
    for value, wanted, field in shapes:
        if value is not None and not isinstance(value, wanted):
            given = type(value).__name__
            raise ApiError(400, f"{item['kind']} cannot be handled: cannot unmarshal {given} into field {field}")


def _fill(target: Json, **defaults: Any) -> Json:
    for key, value in defaults.items():
        if target.get(key) is None:
            target[key] = value
    return target


def validate(kind: Kind, item: Json, former: Json | None = None) -> None:
    """Raises ApiError 422 with every cause when the object (or the change from `former`) is not valid."""
    causes = [*_metadata(kind, item["metadata"])]
    if kind in WORKLOADS:
        spec = item.get("spec")
        if isinstance(spec, dict):
            causes += _workload(kind, item, spec)
            causes += _immutable(kind, spec, former.get("spec") or {}) if former else []
        else:
            causes.append(_required("spec"))
    elif kind == PODS:
        causes += _pod_spec(item.get("spec") or {}, "spec")
    if causes:
        name = item["metadata"].get("name", "")
        told = causes[0] if len(causes) == 1 else None
        listed = f"{told[1]}: {told[2]}" if told else f"[{', '.join(f'{c[1]}: {c[2]}' for c in causes)}]"
        raise ApiError(
            422,
            f'{kind.name}{"." + kind.group if kind.group else ""} "{name}" is invalid: {listed}',
            details={"name": name, "group": kind.group, "kind": kind.name},
            causes=causes,
        )


def _required(field: str, why: str = "") -> Cause:
    return ("FieldValueRequired", field, f"Required value{': ' + why if why else ''}")


def _invalid(field: str, value: object, why: str) -> Cause:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return ("FieldValueInvalid", field, f"Invalid value: {shown}: {why}")


def _metadata(kind: Kind, metadata: Json) -> list[Cause]:
    name, causes = metadata.get("name"), []
    pattern, rule = (_LABEL, _LABEL_RULE) if kind == NAMESPACES else (_SUBDOMAIN, _SUBDOMAIN_RULE)
    if not name:
        causes.append(_required("metadata.name", "name or generateName is required"))
    elif not isinstance(name, str) or len(name) > 253 or (kind != EVENTS and not pattern.fullmatch(name)):
        causes.append(_invalid("metadata.name", name, rule))
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str) or len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            causes.append(_invalid("metadata.labels", value, f"not a valid value of label {key}"))
    return causes


def _workload(kind: Kind, item: Json, spec: Json) -> list[Cause]:
    causes: list[Cause] = []
    if kind == CRON_JOBS:
        if len(str(spec.get("schedule") or "").split()) != _CRON_FIELDS:
            causes.append(_invalid("spec.schedule", spec.get("schedule") or "", "expected exactly 5 fields"))
        if not isinstance(spec.get("jobTemplate"), dict):
            return [*causes, _required("spec.jobTemplate")]
        where = "spec.jobTemplate.spec.template"
    else:
        where = "spec.template"
        causes += _selector(spec)
        causes += _counts(kind, spec)
    template = pod_template(item)
    causes += _pod_spec(template.get("spec") or {}, f"{where}.spec")
    policy = (template.get("spec") or {}).get("restartPolicy")
    if kind == CRON_JOBS and policy not in ("Never", "OnFailure"):
        reason = 'supported values: "OnFailure", "Never"'
        causes.append(
            ("FieldValueNotSupported", f"{where}.spec.restartPolicy", f'Unsupported value: "{policy}": {reason}')
        )
    return causes


def _selector(spec: Json) -> list[Cause]:
    selector = spec.get("selector")
    if not isinstance(selector, dict) or not selector:
        return [_required("spec.selector")]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not matches_selector(selector, labels):
        return [_invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")]
    return []


def _counts(kind: Kind, spec: Json) -> list[Cause]:
    causes = [
        _invalid(f"spec.{field}", spec[field], "must be greater than or equal to 0")
        for field in ("replicas", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
        if spec.get(field) is not None and (not isinstance(spec[field], int) or spec[field] < 0)
    ]
    field = "strategy" if kind == DEPLOYMENTS else "updateStrategy"
    strategy = spec.get(field) or {}
    known = ("RollingUpdate", "Recreate") if kind == DEPLOYMENTS else ("RollingUpdate", "OnDelete")
    if strategy.get("type") not in known:
        listed = ", ".join(f'"{one}"' for one in known)
        message = f'Unsupported value: "{strategy.get("type")}": supported values: {listed}'
        causes.append(("FieldValueNotSupported", f"spec.{field}.type", message))
    for name, value in (strategy.get("rollingUpdate") or {}).items():
        if not (isinstance(value, int) and value >= 0) and not (
            isinstance(value, str) and _PERCENT.fullmatch(value)
        ):
            causes.append(_invalid(f"spec.{field}.rollingUpdate.{name}", value, "must be a number or a percentage"))
    return causes


def _count_or_percentage(value: object) -> bool:
    return (isinstance(value, int) and value >= 0) or (isinstance(value, str) and bool(_PERCENT.fullmatch(value)))


def _pod_spec(spec: Json, where: str) -> list[Cause]:
    if not spec.get("containers"):
        return [_required(f"{where}.containers")]
    causes: list[Cause] = []
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{where}.{field}[{index}]"
            name, image = container.get("name"), container.get("image")
            if not name:
                causes.append(_required(f"{here}.name"))
            elif not _LABEL.fullmatch(name) or len(name) > 63:
                causes.append(_invalid(f"{here}.name", name, _LABEL_RULE))
            elif name in seen:
                causes.append(("FieldValueDuplicate", f"{here}.name", f'Duplicate value: "{name}"'))
            seen.add(name or "")
            if not image:
                causes.append(_required(f"{here}.image"))
            elif image != image.strip():
                causes.append(_invalid(f"{here}.image", image, "must not have leading or trailing whitespace"))
    return causes


def _immutable(kind: Kind, spec: Json, former: Json) -> list[Cause]:
    if kind != CRON_JOBS and spec.get("selector") != former.get("selector"):
        return [_invalid("spec.selector", spec.get("selector"), "field is immutable")]
    mutable = {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "minReadySeconds",
               "persistentVolumeClaimRetentionPolicy"}  # fmt: skip
    if kind == STATEFUL_SETS:
        changed = {key for key in spec.keys() | former.keys() if spec.get(key) != former.get(key)} - mutable
        if changed:
            why = f"updates to statefulset spec for fields other than {', '.join(sorted(mutable))} are forbidden"
            return [("FieldValueForbidden", "spec", f"Forbidden: {why}")]
    return []
