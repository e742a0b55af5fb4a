"""What the API server refuses of workloads. Pure."""

import re

from groundswell.local.cluster.causes import bad, forbidden, required, unsupported
from groundswell.local.cluster.errors import Cause
from groundswell.local.cluster.kinds import CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, Kind
from groundswell.local.cluster.objects import Json, pod_template
from groundswell.local.cluster.pod_rules import pod_spec
from groundswell.local.cluster.selectors import matches_selector

_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_RULE = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used "
    "for validation is '[0-9]+%')"
)
_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_ORDERS = ("OrderedReady", "Parallel")
_POLICIES = ("Allow", "Forbid", "Replace")
_NAMES_IN_CRON = re.compile(r"[A-Za-z]{3}")
_STATEFUL_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def workload(kind: Kind, item: Json) -> list[Cause]:
    """Of any workload as a whole."""
    spec = item.get("spec") or {}
    if kind == CRON_JOBS:
        return [*_cron(spec), *_jobs_pod(pod_template(item).get("spec") or {})]
    template = pod_template(item)
    causes = _counts(spec, "replicas")
    causes += _selector(kind, spec, template)
    causes += pod_spec(template.get("spec") or {}, "spec.template.spec")
    if (policy := (template.get("spec") or {}).get("restartPolicy", "Always")) != "Always":
        causes.append(unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
    causes += _strategy(kind, spec)
    causes += _counts(spec, "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    deadline = spec.get("progressDeadlineSeconds")
    if kind == DEPLOYMENTS and deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        causes.append(bad("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    if kind == STATEFUL_SETS and (policy := spec.get("podManagementPolicy")) not in (None, *_ORDERS):
        causes.append(bad("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    return causes


def _counts(spec: Json, *fields: str) -> list[Cause]:
    why = "must be greater than or equal to 0"
    return [bad(f"spec.{one}", spec[one], why) for one in fields if spec.get(one) is not None and spec[one] < 0]


def _selector(kind: Kind, spec: Json, template: Json) -> list[Cause]:
    selector, labels = spec.get("selector"), (template.get("metadata") or {}).get("labels") or {}
    if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return [bad("spec.selector", {}, f"empty selector is invalid for {kind.name.lower()}")]
    causes = [required("spec.selector")] if selector is None and kind != DAEMON_SETS else []
    if selector is None or not matches_selector(selector, labels):  # none selects nothing
        causes.append(bad("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    return causes


def _strategy(kind: Kind, spec: Json) -> list[Cause]:
    where = "spec.strategy" if kind == DEPLOYMENTS else "spec.updateStrategy"
    strategy = spec.get(where.removeprefix("spec.")) or {}
    rolling, name = strategy.get("rollingUpdate"), strategy.get("type", "RollingUpdate")
    other = "Recreate" if kind == DEPLOYMENTS else "OnDelete"
    if name not in ("RollingUpdate", other):
        if kind == STATEFUL_SETS:
            return [bad(where, strategy, f"must be 'RollingUpdate' or '{other}'")]
        return [unsupported(where, name, sorted(("RollingUpdate", other)))]
    if name != "RollingUpdate":
        if rolling is not None and kind == DEPLOYMENTS:
            return [forbidden(f"{where}.rollingUpdate", f"may not be specified when strategy `type` is '{other}'")]
        if rolling is not None and kind == STATEFUL_SETS:
            return [bad(f"{where}.rollingUpdate", rolling, "only allowed for updateStrategy 'RollingUpdate'")]
        return []
    return _rolling(kind, rolling or {}, f"{where}.rollingUpdate")


def _rolling(kind: Kind, rolling: Json, where: str) -> list[Cause]:
    if kind == STATEFUL_SETS:
        partition = rolling.get("partition") or 0
        return [bad(f"{where}.partition", partition, "must be greater than or equal to 0")] if partition < 0 else []
    causes: list[Cause] = []
    for field in ("maxUnavailable", "maxSurge"):
        value = rolling.get(field)
        if isinstance(value, str) and not _PERCENT.fullmatch(value):
            causes.append(bad(f"{where}.{field}", value, _PERCENT_RULE))
        elif isinstance(value, int) and value < 0:
            causes.append(bad(f"{where}.{field}", value, "must be greater than or equal to 0"))
    if all(rolling.get(field) in (0, "0%", None) for field in ("maxUnavailable", "maxSurge")) and rolling:
        why = "may not be 0 when `maxSurge` is 0" if kind == DEPLOYMENTS else "cannot be 0"
        causes.append(bad(f"{where}.maxUnavailable", rolling.get("maxUnavailable"), why))
    return causes


def _cron(spec: Json) -> list[Cause]:
    causes: list[Cause] = []
    schedule = str(spec.get("schedule") or "")
    if not schedule:
        causes.append(required("spec.schedule"))
    elif why := _unscheduled(schedule):
        causes.append(bad("spec.schedule", schedule, why))
    if (policy := spec.get("concurrencyPolicy")) not in (None, *_POLICIES):
        causes.append(unsupported("spec.concurrencyPolicy", policy, _POLICIES))
    return [*causes, *_counts(spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit")]


def _unscheduled(schedule: str) -> str:
    """Why no times can be read from a schedule; empty when they can. Names (`mon`) are not looked up."""
    if schedule.startswith("@"):
        known = schedule in _CRON_WORDS or schedule.startswith("@every ")
        return "" if known else f"Unrecognized descriptor: {schedule}"
    fields = schedule.split()
    if len(fields) != len(_CRON_LIMITS):
        return f"Expected exactly 5 fields, found {len(fields)}: {schedule}"
    for field, (least, most) in zip(fields, _CRON_LIMITS, strict=True):
        for part in field.split(","):
            for number in re.split(r"[-/]", part):
                if number in ("*", "?") or _NAMES_IN_CRON.fullmatch(number):
                    continue
                if not number.isdecimal():
                    return f"Failed to parse int from {number}: {schedule}"
                if int(number) > most:
                    return f"End of range ({number}) above maximum ({most}): {part}"
                if int(number) < least:
                    return f"Beginning of range ({number}) below minimum ({least}): {part}"
    return ""


def _jobs_pod(spec: Json) -> list[Cause]:
    where = "spec.jobTemplate.spec.template.spec"
    causes = pod_spec(spec, where)
    if spec.get("restartPolicy", "Always") == "Always":
        causes.append(required(f"{where}.restartPolicy", 'valid values: "OnFailure", "Never"'))
    elif spec["restartPolicy"] not in ("OnFailure", "Never"):
        causes.append(unsupported(f"{where}.restartPolicy", spec["restartPolicy"], ["OnFailure", "Never"]))
    return causes


def immutable(kind: Kind, spec: Json, former: Json) -> list[Cause]:
    """Of a change to a workload that is there."""
    if kind == STATEFUL_SETS:
        changed = {field for field in spec.keys() | former.keys() if spec.get(field) != former.get(field)}
        if changed - set(_STATEFUL_CHANGEABLE):
            *most, last = (f"'{field}'" for field in _STATEFUL_CHANGEABLE)
            listed = f"{', '.join(most)} and {last}"
            why = f"updates to statefulset spec for fields other than {listed} are forbidden"
            return [forbidden("spec", why)]
    elif kind != CRON_JOBS and spec.get("selector") != former.get("selector"):
        return [bad("spec.selector", spec.get("selector"), "field is immutable")]
    return []
