"""Workloads that ask to be rolled out without being registered: an annotation on the workload says so. Pure.

`groundswell.dev/follow: "true"` is for every container whose image turns out to be ours, `web,worker` for those
two; `groundswell.dev/environment` is what rings and freezes call the place, in place of the cluster's name.
"""

from collections.abc import Iterator
from typing import Any

from groundswell.deploy import health
from groundswell.deploy.port import Found, Kind, Workload

FOLLOW, ENVIRONMENT = "groundswell.dev/follow", "groundswell.dev/environment"

_ALL, _NONE = "true", ("", "false")


def followers(cluster: str, kind: Kind, item: dict[str, Any]) -> Iterator[Found]:
    """The containers of a workload, init containers included, that ask for it."""
    metadata = item["metadata"]
    annotations = metadata.get("annotations") or {}
    asked = str(annotations.get(FOLLOW, "")).strip()
    if asked.lower() in _NONE:
        return
    named = {name.strip() for name in asked.split(",")}
    for container, image in health.images(health.pod_spec(kind, item)).items():
        if asked.lower() == _ALL or container in named:
            workload = Workload(
                cluster=cluster,
                namespace=metadata["namespace"],
                kind=kind,
                name=metadata["name"],
                container=container,
                environment=annotations.get(ENVIRONMENT) or None,
            )
            yield Found(workload=workload, image=image)
