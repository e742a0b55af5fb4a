"""The clusters, and the repositories that clusters follow: they answer, and we may do what a rollout takes."""

from collections.abc import Iterable, Iterator, Sequence

from groundswell.deploy.port import Act, Deployer, Kind, Permissions, Workload
from groundswell.doctor.check import Check, bad, ok, skipped

_RESOURCES = {
    Kind.DEPLOYMENT: ("deployments", "apps"),
    Kind.STATEFUL_SET: ("statefulsets", "apps"),
    Kind.DAEMON_SET: ("daemonsets", "apps"),
    Kind.CRON_JOB: ("cronjobs", "batch"),
}
_MOST = 40
"""Questions to one cluster; repositories that are read."""


def acts(workloads: Iterable[Workload], *, discover: bool) -> list[Act]:
    """What has to be allowed for these workloads to be rolled out; pure."""
    found: dict[Act, None] = {}
    for workload in workloads:
        resource, group = _RESOURCES[workload.kind]
        for verb in ("get", "patch"):
            found[Act(verb=verb, resource=resource, group=group, namespace=workload.namespace)] = None
        found[Act(verb="list", resource="pods", group="", namespace=workload.namespace)] = None
        if workload.kind is Kind.STATEFUL_SET:
            found[Act(verb="delete", resource="pods", group="", namespace=workload.namespace)] = None
    if discover:
        for resource, group in _RESOURCES.values():
            found[Act(verb="list", resource=resource, group=group, namespace="")] = None
    return list(found)


def look(
    cluster: str, workloads: Sequence[Workload], permissions: Permissions, *, discover: bool
) -> Iterator[Check]:
    name, needed = f"cluster {cluster}", acts(workloads, discover=discover)
    asked = needed[:_MOST] or [Act(verb="get", resource="deployments", group="apps", namespace="default")]
    refused = [act for act in asked if not permissions.may(cluster, act)]
    if not needed:
        yield ok(name, "it answers; no workload is registered there")
    elif refused:
        fix = "its role must allow that (docs/aks.md has one)"
        yield bad(name, f"we may not {'; '.join(map(str, refused))}", fix)
    else:
        more = f" (the first {_MOST} of {len(needed)})" if len(needed) > _MOST else ""
        yield ok(name, f"we may do what {len(workloads)} workloads need{more}")


def slowly(cluster: str, workloads: Sequence[Workload], deployer: Deployer) -> Iterator[Check]:
    """A cluster that is reached by commands alone: one workload is read, which takes seconds."""
    name = f"cluster {cluster}"
    if not workloads:
        yield skipped(name, "no workload is registered there that could be read")
        return
    deployer.observe(workloads[0])
    yield ok(name, f"{workloads[0]} can be read")


def repositories(workloads: Iterable[Workload], deployer: Deployer) -> Iterator[Check]:
    """One file of each repository that clusters follow."""
    first: dict[str, Workload] = {}
    for workload in workloads:
        first.setdefault(workload.cluster, workload)
    for repository, workload in sorted(first.items())[:_MOST]:
        deployer.observe(workload)
        yield ok(f"git {repository}", f"{workload.name} on {workload.namespace} can be read")
    if not first:
        yield skipped("git", "no deployment is in git")
