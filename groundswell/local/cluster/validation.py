"""What the API server refuses to store. Pure."""

from groundswell.local.cluster.causes import bad, key, label, label_value, required, subdomain
from groundswell.local.cluster.errors import Cause, invalid
from groundswell.local.cluster.kinds import CRON_JOBS, EVENTS, NAMESPACES, PODS, WORKLOADS, Kind
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.pod_rules import pod_spec, pod_update
from groundswell.local.cluster.workload_rules import immutable, workload

_LONGEST_CRON_JOB = 52
"""What is left of 63 for the jobs' own part of their names."""


def validate(kind: Kind, item: Json, former: Json | None = None) -> None:
    """Raises ApiError 422 with every cause when the object (or the change from `former`) is not valid."""
    causes = [*_metadata(kind, item["metadata"])]
    spec, before = item.get("spec") or {}, (former or {}).get("spec") or {}
    if kind in WORKLOADS:
        causes += workload(kind, item)
        causes += immutable(kind, spec, before) if former else []
    elif kind == PODS:
        causes += pod_spec(spec, "spec", template=False)
        causes += pod_update(spec, before) if former and not causes else []
    if causes:
        raise invalid(kind.group, kind.name, item["metadata"].get("name", ""), causes)


def _metadata(kind: Kind, metadata: Json) -> list[Cause]:
    causes: list[Cause] = []
    name = metadata.get("name")
    if not name:
        causes.append(required("metadata.name", "name or generateName is required"))
    elif kind == NAMESPACES:
        causes += label("metadata.name", name)
    elif kind == CRON_JOBS and len(name) > _LONGEST_CRON_JOB:
        causes.append(bad("metadata.name", name, f"must be no more than {_LONGEST_CRON_JOB} characters"))
    elif kind != EVENTS:
        causes += subdomain("metadata.name", name)
    for one, value in (metadata.get("labels") or {}).items():
        causes += [*key("metadata.labels", one), *label_value("metadata.labels", value)]
    for one in metadata.get("annotations") or {}:
        causes += key("metadata.annotations", one.lower())
    for place, one in enumerate(metadata.get("finalizers") or ()):
        if "/" not in one:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(bad(f"metadata.finalizers[{place}]", one, why))
    return causes
