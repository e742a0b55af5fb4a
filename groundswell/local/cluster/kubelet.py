"""What becomes of a pod on a node: it pulls its images, starts, and is ready or says why not.

The same rules serve the look-alike of a cluster and the node of a real API server (`local/kube`). Pulling and
starting are told, not done: `exists(image)` says whether a pull works, `crash(image)` whether the container falls
over after starting. A pull that failed is tried again, as a kubelet does, so an image that appears later heals the
pod.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from graph.reference import InvalidReferenceError, Reference
from groundswell.clock import Clock
from groundswell.local.cluster.objects import Json, stamp, uid_of

type Says = Callable[[str], bool]
type Tell = Callable[[Json, str, str, str], None]
"""Takes an event: the pod, its type, reason and message."""


@dataclass(slots=True)
class _Attempt:
    """When a pod is looked at next, and what happened to it before."""

    due: float
    failures: int = 0
    restarts: dict[str, int] = field(default_factory=dict)


class Kubelet:
    """All nodes' kubelets in one. A pod takes `ready_seconds`, and is tried again every `retry_seconds`."""

    def __init__(
        self,
        tell: Tell,
        clock: Clock,
        *,
        exists: Says,
        crash: Says,
        ready_seconds: float,
        retry_seconds: float,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._exists = exists
        self._crash = crash
        self._ready_seconds = ready_seconds
        self._retry_seconds = retry_seconds
        self._attempts: dict[str, _Attempt] = {}

    def look(self, pods: Iterable[Json]) -> Iterator[tuple[Json, Json]]:
        """Each pod whose time has come, with its new status; `pods` are all that there are."""
        known = {uid_of(pod): pod for pod in pods}
        self._attempts = {uid: attempt for uid, attempt in self._attempts.items() if uid in known}
        for uid, pod in known.items():
            attempt = self._attempts.get(uid)
            if attempt is None:
                self._attempts[uid] = _Attempt(due=self._clock() + self._ready_seconds)
                yield pod, self._starting(pod)
            elif self._clock() >= attempt.due and not is_ready(pod):
                yield pod, self._started(pod, attempt)

    def _started(self, pod: Json, attempt: _Attempt) -> Json:
        """Pull and start each container in turn."""
        spec = pod["spec"]
        init = [self._container(pod, one, attempt, init=True) for one in spec.get("initContainers") or ()]
        if all(status.get("ready") for status in init):
            main = [self._container(pod, one, attempt, init=False) for one in spec["containers"]]
        else:
            main = [_waiting(one, "PodInitializing") for one in spec["containers"]]
        attempt.failures += 1
        attempt.due = self._clock() + self._retry_seconds
        ready = all(status["ready"] for status in [*init, *main])
        running = ready or any("running" in status["state"] for status in main)
        status = {
            "phase": "Running" if running else "Pending",
            "startTime": pod.get("status", {}).get("startTime") or stamp(self._clock()),
            "containerStatuses": main,
            "conditions": _conditions(ready=ready, since=stamp(self._clock())),
        }
        if init:
            status["initContainerStatuses"] = init
        return status

    def _container(self, pod: Json, container: Json, attempt: _Attempt, *, init: bool) -> Json:
        name, image = container["name"], container["image"]
        try:
            Reference.parse(image)
        except InvalidReferenceError:
            message = f'Failed to apply default image tag "{image}": couldn\'t parse image name'
            self._tell(pod, "Warning", "InspectFailed", message)
            return _waiting(container, "InvalidImageName", message)
        if why := self._unpulled(image):
            message = f'Failed to pull image "{image}": {why}'
            self._tell(pod, "Warning", "Failed", message)
            if attempt.failures == 0:
                return _waiting(container, "ErrImagePull", message)
            self._tell(pod, "Normal", "BackOff", f'Back-off pulling image "{image}"')
            return _waiting(container, "ImagePullBackOff", f'Back-off pulling image "{image}": {message}')
        if self._crash(image):
            restarts = attempt.restarts[name] = attempt.restarts.get(name, -1) + 1
            message = f"back-off restarting failed container={name} pod={pod['metadata']['name']}"
            self._tell(pod, "Warning", "BackOff", message)
            ended = {"exitCode": 1, "reason": "Error", "finishedAt": stamp(self._clock())}
            return _waiting(container, "CrashLoopBackOff", message) | {
                "restartCount": restarts + 1,
                "lastState": {"terminated": ended},
            }
        started = {"startedAt": stamp(self._clock())}
        state = {"terminated": {"exitCode": 0, "reason": "Completed"}} if init else {"running": started}
        return {
            "name": name,
            "image": image,
            "imageID": image,
            "ready": True,
            "started": not init,
            "restartCount": attempt.restarts.get(name, 0),
            "state": state,
        }

    def _unpulled(self, image: str) -> str:
        """Why the image cannot be pulled; empty when it can."""
        try:
            return "" if self._exists(image) else "not found"
        except OSError as exc:
            return f"the registry does not answer ({type(exc).__name__})"

    def _starting(self, pod: Json) -> Json:
        spec = pod["spec"]
        status: Json = {
            "phase": "Pending",
            "startTime": stamp(self._clock()),
            "containerStatuses": [_waiting(one, "ContainerCreating") for one in spec["containers"]],
            "conditions": _conditions(ready=False, since=stamp(self._clock())),
        }
        if init := spec.get("initContainers"):
            status["initContainerStatuses"] = [_waiting(one, "PodInitializing") for one in init]
        return status


def is_ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def ready_since(pod: Json) -> str:
    """When the pod became ready; empty when it is not."""
    conditions = pod.get("status", {}).get("conditions") or ()
    found: list[str] = [
        one["lastTransitionTime"] for one in conditions if one["type"] == "Ready" and one["status"] == "True"
    ]
    return found[0] if found else ""


def _waiting(container: Json, reason: str, message: str = "") -> Json:
    waiting = {"reason": reason} | ({"message": message} if message else {})
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": waiting},
    }


def _conditions(*, ready: bool, since: str) -> list[Json]:
    status = "True" if ready else "False"
    reason = {} if ready else {"reason": "ContainersNotReady"}
    return [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": since},
        {"type": "ContainersReady", "status": status, "lastTransitionTime": since, **reason},
        {"type": "Ready", "status": status, "lastTransitionTime": since, **reason},
    ]
