"""The resources that the look-alike knows, and how a request's path names them."""

from dataclasses import dataclass

from groundswell.local.cluster.errors import ApiError, NotServedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource type. `generation`: whether its spec is counted; `status`: whether it has that subresource."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    generation: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


NAMESPACES = Kind(group="", version="v1", plural="namespaces", name="Namespace", namespaced=False)
PODS = Kind(group="", version="v1", plural="pods", name="Pod")
EVENTS = Kind(group="", version="v1", plural="events", name="Event")
DEPLOYMENTS = Kind(group="apps", version="v1", plural="deployments", name="Deployment", generation=True)
REPLICA_SETS = Kind(group="apps", version="v1", plural="replicasets", name="ReplicaSet", generation=True)
STATEFUL_SETS = Kind(group="apps", version="v1", plural="statefulsets", name="StatefulSet", generation=True)
DAEMON_SETS = Kind(group="apps", version="v1", plural="daemonsets", name="DaemonSet", generation=True)
CRON_JOBS = Kind(group="batch", version="v1", plural="cronjobs", name="CronJob", generation=True)

KINDS = (NAMESPACES, PODS, EVENTS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS, CRON_JOBS)
WORKLOADS = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, CRON_JOBS)

_SERVED = {(kind.group, kind.version) for kind in KINDS}
_BY_PATH = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names: a collection (no name), an object, or its status."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def kind_named(name: str) -> Kind:
    """The kind called `name`. Raises ApiError when it is not one of ours."""
    if name not in _BY_NAME:
        raise ApiError(404, f'no matches for kind "{name}"; known are {", ".join(_BY_NAME)}')
    return _BY_NAME[name]


def parse_path(path: str) -> Target:
    """Read `/api/v1/...` or `/apis/GROUP/VERSION/...`.

    Raises ApiError 404 for what is not there, NotServedError when its group is not there at all.
    """
    unknown = ApiError(404, "the server could not find the requested resource")
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            raise NotServedError
    if (group, version) not in _SERVED:
        raise NotServedError
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] != "status":
        _, namespace, *rest = rest
    if not rest or len(rest) > 3 or (group, version, rest[0]) not in _BY_PATH:
        raise unknown
    kind = _BY_PATH[group, version, rest[0]]
    plural_only = [*rest[1:], "", ""]
    if (plural_only[1] and plural_only[1] != "status") or (namespace and not kind.namespaced):
        raise unknown
    if kind.namespaced and not namespace and plural_only[0]:
        raise unknown
    return Target(kind=kind, namespace=namespace, name=plural_only[0], subresource=plural_only[1])
