"""What a workload's status means: is its rollout on its way, done, or beyond help? Pure, on the API's own JSON.

FAILED is said when waiting longer cannot be expected to help:

- the deployment controller said so (`ProgressDeadlineExceeded`);
- a pod of the new revision has an image name that cannot be parsed, or has been restarted CRASHES times by a crash
  loop: neither depends on anything that heals by itself;
- a pod of the new revision has not been able to pull its image for PULL_SECONDS: a registry that hiccups, or a
  replica that lags behind, has come back by then;
- for kinds that have no progress deadline of their own (StatefulSet, DaemonSet): a pod of the new revision has not
  become ready within READY_SECONDS, which is what a Deployment's deadline is when none is given.

HEALTHY with a reason is said of what takes effect when somebody else wants it to: a CronJob (its next job runs the
new image), a StatefulSet's partition, and the update strategy OnDelete, once the pods that there are are ready.

Until then such pods are only the reason that PROGRESSING is given. A pod is of the new revision when its containers
have the images of the template; only images are ever changed here.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from groundswell.deploy.port import Health, Kind

type Json = dict[str, Any]
type Finding = tuple[Health, str]

CRASHES = 3
PULL_SECONDS = 120.0
READY_SECONDS = 600.0

_PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_HOPELESS = frozenset({"InvalidImageName"})
_CRASHING = frozenset({"CrashLoopBackOff"})


def pod_spec(kind: Kind, item: Json) -> Json:
    """The pod spec in a workload's template; that of a CronJob is a level deeper."""
    spec = item["spec"]["jobTemplate"]["spec"] if kind is Kind.CRON_JOB else item["spec"]
    found: Json = spec["template"]["spec"]
    return found


def container_list(spec: Json, name: str) -> str | None:
    """Which list of a pod spec has the container: `containers`, `initContainers`, or None."""
    for field in ("containers", "initContainers"):
        if any(one["name"] == name for one in spec.get(field) or ()):
            return field
    return None


def image_of(spec: Json, name: str) -> str | None:
    """The image that a pod spec gives a container; None when it has no such container."""
    return images(spec).get(name)


def rollout(kind: Kind, item: Json) -> Finding:
    """What the workload's own status says. The status is believed only once it is about the newest spec."""
    if kind is Kind.CRON_JOB:
        suspended = item["spec"].get("suspend")
        return Health.HEALTHY, "suspended: no job runs it until it is resumed" if suspended else ""
    status = item.get("status") or {}
    if (status.get("observedGeneration") or 0) < item["metadata"]["generation"]:
        return Health.PROGRESSING, "the controller has not seen the change yet"
    match kind:
        case Kind.DEPLOYMENT:
            return _deployment(item["spec"], status)
        case Kind.STATEFUL_SET:
            return _stateful_set(item["spec"], status)
        case _:
            return _daemon_set(item["spec"], status)


def _deployment(spec: Json, status: Json) -> Finding:
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    progressing, failure = conditions.get("Progressing", {}), conditions.get("ReplicaFailure", {})
    refused = ""  # by a quota, or by an admission that takes only what is signed
    if failure.get("status") == "True":
        refused = f"; pods cannot be made: {failure.get('reason', '')}: {failure.get('message', '')}"
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health.FAILED, f"ProgressDeadlineExceeded: {progressing.get('message', '')}{refused}"
    if spec.get("paused"):
        return Health.PROGRESSING, "the deployment is paused; `kubectl rollout resume` lets it go on"
    wanted = _count(spec, "replicas", 1)
    total, updated = _count(status, "replicas"), _count(status, "updatedReplicas")
    available = _count(status, "availableReplicas")
    if updated == available == total == wanted:
        return Health.HEALTHY, ""
    told = f"{updated} of {wanted} updated, {available} available, {total - updated} old ones to go"
    return Health.PROGRESSING, told + refused


def _stateful_set(spec: Json, status: Json) -> Finding:
    wanted, ready = _count(spec, "replicas", 1), _count(status, "readyReplicas")
    updated = _count(status, "updatedReplicas")
    strategy = spec.get("updateStrategy") or {}
    kept = min(_count(strategy.get("rollingUpdate") or {}, "partition"), wanted)
    current, update = status.get("currentRevision"), status.get("updateRevision")
    all_ready = ready == _count(status, "replicas") == wanted
    if strategy.get("type") == "OnDelete" and all_ready:
        return Health.HEALTHY, "" if current == update else _on_delete(updated, wanted)
    if all_ready and (current == update or (kept and updated >= wanted - kept)):
        return Health.HEALTHY, f"partition {kept} keeps {kept} on the former revision" if kept else ""
    return Health.PROGRESSING, f"{updated} of {wanted - kept} updated, {ready} of {wanted} ready"


def _daemon_set(spec: Json, status: Json) -> Finding:
    wanted, updated = _count(status, "desiredNumberScheduled"), _count(status, "updatedNumberScheduled")
    available = _count(status, "numberAvailable")
    if updated >= wanted and available >= wanted:
        return Health.HEALTHY, ""
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete" and available >= wanted:
        return Health.HEALTHY, _on_delete(updated, wanted)
    return Health.PROGRESSING, f"{updated} of {wanted} updated, {available} available"


def _on_delete(updated: int, wanted: int) -> str:
    if updated >= wanted:
        return ""
    return f"OnDelete: {updated} of {wanted} updated; the others are when somebody deletes their pods"


def stuck(kind: Kind, spec: Json, pods: Iterable[Json], now: float) -> Finding | None:
    """The worst that pods of the new revision (those with the images of `spec`) say; None when nothing is wrong."""
    findings = [
        found for pod in pods if images(pod["spec"]) == images(spec) for found in _pod_findings(kind, pod, now)
    ]
    return next((found for found in findings if found[0] is Health.FAILED), findings[0] if findings else None)


def _pod_findings(kind: Kind, pod: Json, now: float) -> Iterable[Finding]:
    name, age = pod["metadata"]["name"], now - _seconds(pod["metadata"]["creationTimestamp"])
    for container, reason, message, restarts in waiting(pod):
        if reason in _HOPELESS:
            failed = True
        elif reason in _PULLING:
            failed = age >= PULL_SECONDS
        elif reason in _CRASHING:
            failed = restarts >= CRASHES
        else:
            continue
        told = f"pod {name}, container {container}: {reason}" + (f": {message}" if message else "")
        yield (Health.FAILED if failed else Health.PROGRESSING), told
    conditions = pod.get("status", {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    if kind is not Kind.DEPLOYMENT and not ready and age >= READY_SECONDS:
        yield Health.FAILED, f"pod {name} is not ready after {age:.0f} s"


def waiting(pod: Json) -> Iterable[tuple[str, str, str, int]]:
    """(container, reason, message, restarts) of each container that waits."""
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        if state := (one.get("state") or {}).get("waiting"):
            yield one["name"], state.get("reason", ""), state.get("message", ""), one.get("restartCount") or 0


def broken(pod: Json) -> bool:
    """Whether a container of the pod waits for something that its image causes."""
    return any(reason in _HOPELESS | _PULLING | _CRASHING for _, reason, _, _ in waiting(pod))


def selector_text(selector: Json) -> str:
    """A LabelSelector as the query parameter that means the same."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        key, values = one["key"], ",".join(one.get("values") or ())
        texts = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}
        parts.append(texts.get(one["operator"], f"!{key}"))
    return ",".join(parts)


def images(spec: Json) -> dict[str, str]:
    """The image of every container of a pod spec, init containers first. TypeError when one is no text."""
    listed = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found = {one["name"]: one["image"] for one in listed}
    if not all(isinstance(text, str) for pair in found.items() for text in pair):
        raise TypeError("a container's name or image is no text")
    return found


def _count(item: Json, field: str, default: int = 0) -> int:
    """A count that the API leaves out when it is zero (or, in a spec, when it is the default)."""
    value = item.get(field)
    return default if value is None else int(value)


def _seconds(stamp: str) -> float:
    return dt.datetime.fromisoformat(stamp).timestamp()
