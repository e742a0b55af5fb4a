"""Workloads of Kubernetes clusters, through the official client.

A patch names the container and its image, and nothing else of the pod, so what stands beside it stays; it carries
the resourceVersion that was read, so a change by somebody else in between is a conflict and not lost. The client is
slow to import and is imported on first use. Retries are the caller's: the client makes none.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundswell import clock as clocks
from groundswell.clock import Clock
from groundswell.deploy import health
from groundswell.deploy.following import followers
from groundswell.deploy.port import Act, Found, Health, Kind, Rollout, Workload
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    NotFoundError,
    PermanentError,
    TemporaryError,
    without_logins,
)
from groundswell.settings import Cluster

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    type Connect = Callable[[str, Cluster], ApiClient]

logger = logging.getLogger(__name__)

CHANGE_CAUSE = "kubernetes.io/change-cause"

_TIMEOUT = (5.0, 20.0)  # seconds to connect, to read
_STRATEGIC = "application/strategic-merge-patch+json"
_PLURALS = {
    Kind.DEPLOYMENT: "deployments",
    Kind.STATEFUL_SET: "statefulsets",
    Kind.DAEMON_SET: "daemonsets",
    Kind.CRON_JOB: "cronjobs",
}
_NAMES = {
    Kind.DEPLOYMENT: "deployment",
    Kind.STATEFUL_SET: "stateful_set",
    Kind.DAEMON_SET: "daemon_set",
    Kind.CRON_JOB: "cron_job",
}
_ATTEMPTS = 5
_PAGE = 500
_FOUND_SECONDS = 60.0
_LONGEST = 256
_LONGEST_DELAY = 600.0
_SEEN_SECONDS, _SEEN_PAUSE = 3.0, 0.1


class KubernetesDeployer:
    """The Deployer, and the Finder, for the clusters of the settings. Safe to share between threads.

    `connect(name, cluster)` makes the client of a cluster that the settings know by its id in Azure.
    """

    def __init__(
        self, clusters: Mapping[str, Cluster], *, connect: "Connect | None" = None, clock: Clock = clocks.now
    ) -> None:
        self._clusters = clusters
        self._connect = connect or _no_way
        self._clock = clock
        self._clients: dict[str, ApiClient] = {}
        self._lock = threading.Lock()
        self._searching = threading.Lock()
        self._found: tuple[float, tuple[Found, ...]] | None = None

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()  # type: ignore[no-untyped-call]  # the only call of the client without annotations
            self._clients.clear()

    def observe(self, workload: Workload) -> Rollout:
        with _understood(str(workload), workload.cluster):
            return self._observe(workload)

    def _observe(self, workload: Workload) -> Rollout:
        item = self._read(workload)
        spec = health.pod_spec(workload.kind, item)
        image = health.image_of(spec, workload.container)
        if image is None:
            raise _no_container(workload)
        state, reason = health.rollout(workload.kind, item)
        paused = bool(item["spec"].get("paused"))
        if state is Health.HEALTHY:
            return Rollout(image=image, health=state, reason=reason, paused=paused)
        found = health.stuck(workload.kind, spec, self._pods(workload, item), self._clock())
        if found and state is Health.FAILED:
            reason = f"{reason} ({found[1]})"
        elif found:
            state, reason = found
        return Rollout(image=image, health=state, reason=reason, paused=paused)

    @property
    def searches(self) -> bool:
        return any(cluster.discover for cluster in self._clusters.values())

    def following(self) -> tuple[Found, ...]:
        with self._searching:  # many rebuilds ask at once; one of them looks
            if self._found is None or self._clock() - self._found[0] >= _FOUND_SECONDS:
                names = [name for name, cluster in self._clusters.items() if cluster.discover]
                found = tuple(each for name in names for kind in _NAMES for each in self._followers(name, kind))
                self._found = self._clock(), found
            return self._found[1]

    def _followers(self, cluster: str, kind: Kind) -> Iterator[Found]:
        from kubernetes import client

        everywhere = Workload(cluster=cluster, namespace="*", kind=kind, name="*", container="*")
        api = client.BatchV1Api if kind is Kind.CRON_JOB else client.AppsV1Api
        method = getattr(api(self._client(cluster)), f"list_{_NAMES[kind]}_for_all_namespaces")
        need, page = f"list {_PLURALS[kind]}", {"limit": _PAGE}
        while True:
            listed = self._ask(everywhere, need, method, **page)
            with _understood(str(everywhere), cluster):
                found = [each for item in listed["items"] for each in followers(cluster, kind, item)]
                token = listed["metadata"].get("continue")
            yield from found
            if not token:
                return
            page = {"limit": _PAGE, "_continue": token}

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        with _understood(str(workload), workload.cluster):
            self._patch(workload, image, cause)

    def _patch(self, workload: Workload, image: str, cause: str) -> None:
        item = first = self._read(workload)
        for attempt in range(1, _ATTEMPTS + 1):
            body = _change(workload, item, image, cause)
            if body is None:
                break
            try:
                self._call(workload, "patch", body=body, _content_type=_STRATEGIC)
            except ConflictError:
                # The controllers' status writes move the resourceVersion too; only another spec is a conflict.
                item = self._read(workload)
                if attempt == _ATTEMPTS or item["spec"] != first["spec"]:
                    raise
                continue
            extra = {"action": "deploy.patch", "workload": str(workload), "image": image}
            logger.info("workload patched", extra=extra)
            break
        if workload.kind is Kind.STATEFUL_SET:
            self._unblock(workload)

    def may(self, cluster: str, act: Act) -> bool:
        """See `Permissions.may`: a SelfSubjectAccessReview, of which the server keeps nothing."""
        from kubernetes import client

        where = Workload(
            cluster=cluster, namespace=act.namespace or "*", kind=Kind.DEPLOYMENT, name="*", container="*"
        )
        attributes = {"verb": act.verb, "resource": act.resource, "group": act.group, "namespace": act.namespace}
        api = client.AuthorizationV1Api(self._client(cluster))
        review = {"spec": {"resourceAttributes": attributes}}
        found = self._ask(
            where, "create selfsubjectaccessreviews", api.create_self_subject_access_review, body=review
        )
        with _understood(str(where), cluster):
            return (found.get("status") or {}).get("allowed") is True

    def _unblock(self, workload: Workload) -> None:
        """Delete pods that wait for an image the stateful set no longer has.

        With ordered pod management its controller waits for them, even when the template was put back, until
        somebody deletes them (Kubernetes' documentation calls that a forced rollback).
        """
        item = self._read(workload)
        if not (pods := self._left_behind(workload, item)):
            return
        end = time.monotonic() + _SEEN_SECONDS
        while not _seen(item) and time.monotonic() < end:  # or it would make the pod again as it was
            time.sleep(_SEEN_PAUSE)
            item = self._read(workload)
        for pod in pods:
            self._delete_pod(workload, pod)

    def _left_behind(self, workload: Workload, item: dict[str, Any]) -> list[dict[str, Any]]:
        image = health.image_of(health.pod_spec(workload.kind, item), workload.container)
        return [
            pod
            for pod in self._pods(workload, item)
            if health.broken(pod) and health.image_of(pod["spec"], workload.container) != image
        ]

    def _delete_pod(self, workload: Workload, pod: Mapping[str, Any]) -> None:
        from kubernetes.client import CoreV1Api

        metadata = pod["metadata"]
        delete = CoreV1Api(self._client(workload.cluster)).delete_namespaced_pod
        body = {"preconditions": {"uid": metadata["uid"]}}
        with contextlib.suppress(NotFoundError, ConflictError):  # gone or made anew meanwhile: as wanted
            self._ask(workload, "delete pods", delete, metadata["name"], workload.namespace, body=body)

    def _read(self, workload: Workload) -> dict[str, Any]:
        return self._call(workload, "read")

    def _call(self, workload: Workload, verb: str, **arguments: Any) -> dict[str, Any]:
        from kubernetes import client

        connection = self._client(workload.cluster)
        api = client.BatchV1Api if workload.kind is Kind.CRON_JOB else client.AppsV1Api
        method = getattr(api(connection), f"{verb}_namespaced_{_NAMES[workload.kind]}")
        need = f"{'get' if verb == 'read' else verb} {_PLURALS[workload.kind]}"
        return self._ask(workload, need, method, workload.name, workload.namespace, **arguments)

    def _pods(self, workload: Workload, item: Mapping[str, Any]) -> list[dict[str, Any]]:
        from kubernetes.client import CoreV1Api

        listed = CoreV1Api(self._client(workload.cluster)).list_namespaced_pod
        selector = health.selector_text(item["spec"]["selector"])
        found = self._ask(workload, "list pods", listed, workload.namespace, label_selector=selector)
        pods: list[dict[str, Any]] = found["items"]
        return pods

    def _ask(
        self, workload: Workload, need: str, method: Callable[..., Any], *names: str, **arguments: Any
    ) -> dict[str, Any]:
        """The answer's JSON; `need` is the permission that the call takes."""
        with _translated(workload, need):
            response = method(*names, _preload_content=False, _request_timeout=_TIMEOUT, **arguments)
            try:
                answer = json.loads(response.data)
            except (ValueError, RecursionError) as exc:
                raise TemporaryError(f"{workload}: cluster {workload.cluster} did not answer with JSON") from exc
        if not isinstance(answer, dict):
            raise TemporaryError(f"{workload}: cluster {workload.cluster} did not answer with an object")
        return answer

    def _client(self, name: str) -> "ApiClient":
        cluster = self._clusters.get(name)
        if cluster is None:
            raise PermanentError(
                f"cluster {name} has no entry in the setting GROUNDSWELL_CLUSTERS, which says how to reach it"
            )
        with self._lock:
            if name not in self._clients:
                connect = self._connect if cluster.aks else _connect
                self._clients[name] = connect(name, cluster)
            return self._clients[name]


def _no_way(name: str, cluster: Cluster) -> "ApiClient":
    raise PermanentError(f"cluster {name} is known by {cluster.aks} only, and nothing here asks Azure where it is")


def _connect(name: str, cluster: Cluster) -> "ApiClient":
    from kubernetes import client

    if cluster.ca_file and not Path(cluster.ca_file).is_file():
        raise PermanentError(
            f"cluster {name}: the file {cluster.ca_file} is missing; check ca_file in GROUNDSWELL_CLUSTERS"
        )
    configuration = client.Configuration(host=cluster.server.rstrip("/"))
    configuration.api_key = {"authorization": f"Bearer {cluster.token}"}
    configuration.ssl_ca_cert = cluster.ca_file
    configuration.retries = False
    return client.ApiClient(configuration)


def _change(workload: Workload, item: dict[str, Any], image: str, cause: str) -> dict[str, Any] | None:
    """The patch that gives the container its image; None when it has it. NotFoundError without the container."""
    spec = health.pod_spec(workload.kind, item)
    containers = health.container_list(spec, workload.container)
    if containers is None:
        raise _no_container(workload)
    if health.image_of(spec, workload.container) == image:
        return None
    change = {"template": {"spec": {containers: [{"name": workload.container, "image": image}]}}}
    version = item["metadata"]["resourceVersion"]
    return {
        "metadata": {"resourceVersion": version, "annotations": {CHANGE_CAUSE: cause}},
        "spec": {"jobTemplate": {"spec": change}} if workload.kind is Kind.CRON_JOB else change,
    }


@contextlib.contextmanager
def _understood(subject: str, cluster: str) -> Iterator[None]:
    """Raise what comes of an answer of another form than the API's, a proxy's maybe, as our own error."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        what = f"{type(exc).__name__}: {exc}"[:_LONGEST]
        raise TemporaryError(
            f"{subject}: cluster {cluster} answered with something else than Kubernetes' API does ({what})"
        ) from exc


@contextlib.contextmanager
def _translated(workload: Workload, need: str) -> Iterator[None]:
    """Raise what the client raises as our own errors."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError, SSLError

    try:
        yield
    except ApiException as exc:
        raise _error(workload, need, exc) from exc
    except (HTTPError, OSError) as exc:
        if isinstance(exc, SSLError):
            raise _untrusted(workload) from exc
        raise TemporaryError(
            f"{workload}: cluster {workload.cluster} does not answer ({type(exc).__name__})"
        ) from exc


def _error(workload: Workload, need: str, exc: Any) -> GroundswellError:
    status: int = exc.status or 0
    told = f"{workload}: the API server answered {status}: {_message(exc)}"
    if status == 0:  # the client's way to report a TLS error
        return _untrusted(workload)
    if status == 404:
        return NotFoundError(told)
    if status == 409:
        return ConflictError(told)
    if status in (401, 403):
        remedy = "check its token in GROUNDSWELL_CLUSTERS" if status == 401 else f"its role must allow: {need}"
        return PermanentError(f"{told}; {remedy} in namespace {workload.namespace} of cluster {workload.cluster}")
    if status in (408, 410, 429) or status >= 500:  # 410: the list went on for so long that it is out of date
        return TemporaryError(told, delay=_delay(exc))
    return PermanentError(told)


def _untrusted(workload: Workload) -> PermanentError:
    return PermanentError(
        f"{workload}: the certificate of cluster {workload.cluster} is not trusted; "
        "check server and ca_file in GROUNDSWELL_CLUSTERS"
    )


def _message(exc: Any) -> str:
    """The message of the Status object, or the reason phrase when the body is none."""
    try:
        body = json.loads(exc.body or "")
        text = str(body["message"]) if isinstance(body, dict) and body.get("message") else str(exc.reason)
    except (ValueError, RecursionError):
        text = str(exc.reason)
    return without_logins(text)[:_LONGEST]


def _delay(exc: Any) -> float:
    text = (exc.headers or {}).get("Retry-After", "")
    return min(max(float(text), 1.0), _LONGEST_DELAY) if text.isdecimal() else 5.0


def _seen(item: Mapping[str, Any]) -> bool:
    observed: int = (item.get("status") or {}).get("observedGeneration") or 0
    generation: int = item["metadata"]["generation"]
    return observed >= generation


def _no_container(workload: Workload) -> NotFoundError:
    return NotFoundError(f"{workload}: there is no container {workload.container}; check the registration")
