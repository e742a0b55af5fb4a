"""A client of a private AKS cluster that cannot be reached: each call is a `kubectl` that AKS runs inside it.

It stands in the place of the official client's transport, so that everything above it is the same for every
cluster. The command is one of three fixed texts; what is asked for goes into files beside it (`context`, a zip),
and is held to the grammar of Kubernetes' paths and names before: nothing from outside is ever part of a command. A
call takes seconds, because AKS starts a pod for each. What AKS gives back is cut at 512 kB ("Access a private AKS
cluster using the command invoke", Microsoft's documentation), so lists are asked for by pages of twenty-five, and
of pods the first only.
"""

import io
import json
import re
import zipfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any

from azure.mgmt.containerservice.models import RunCommandRequest, RunCommandResult
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.rest import RESTResponse
from urllib3 import HTTPResponse

from groundswell.deploy.arm import Place, translated
from groundswell.errors import PermanentError, TemporaryError

ROLE = (
    "with Microsoft.ContainerService/managedClusters/runCommand/action and "
    "Microsoft.ContainerService/managedClusters/commandResults/read"
)
COMMANDS: Mapping[str, str] = {
    "GET": 'kubectl get --raw "$(cat path)"',
    "PATCH": "kubectl patch -f object.json --type=strategic --patch-file=change.json -o json",
    "DELETE": 'kubectl delete --raw "$(cat path)" -f options.json',
}
MAX_OUTPUT = 512_000
MAX_SECONDS = 120.0
"""For one command, from asking for it to its result."""

_SERVER = "https://cluster"
_STRATEGIC = "application/strategic-merge-patch+json"
_PATH = re.compile(r"/apis?/[A-Za-z0-9._~%/-]+(?:\?[A-Za-z0-9._~%=&!,:()+-]*)?")
_OBJECT = re.compile(
    r"/apis/(apps/v1|batch/v1)/namespaces/([a-z0-9-]{1,63})"
    r"/(deployments|statefulsets|daemonsets|cronjobs)/([a-z0-9][a-z0-9.-]{0,252})"
)
_PODS = re.compile(r"/api/v1/namespaces/[a-z0-9-]+/pods(?:\?(?!.*limit=).*)?")
_LIMIT = re.compile(r"([?&]limit=)\d+")
_PAGE = 25
_KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "cronjobs": "CronJob",
}
_REFUSED = re.compile(r"^Error from server(?: \((\w+)\))?: (.*)", re.MULTILINE | re.DOTALL)
_INVALID = re.compile(r"^The .+ is invalid: .*", re.MULTILINE | re.DOTALL)
_LOGIN = re.compile(r"^error: You must be logged in to the server.*", re.MULTILINE)
_STATUSES = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Invalid": 422,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "Timeout": 504,
    "ServerTimeout": 504,
}
_LONGEST = 256


class RunCommandClient(ApiClient):
    """Safe to share between threads. `token()` is what the command's kubectl is known by to the API server."""

    def __init__(self, name: str, where: Place, token: Callable[[], str], *, poll_seconds: float = 2.0) -> None:
        super().__init__(Configuration(host=_SERVER))
        self._name = name
        self._place = where
        self._token = token
        self._poll = poll_seconds

    def close(self) -> None:
        """Close the connections."""
        super().close()  # type: ignore[no-untyped-call]  # the only call of the client without annotations
        self._place.client.close()

    def call_api(
        self, method: Any, url: Any, header_params: Any = None, body: Any = None, *_: Any, **__: Any
    ) -> RESTResponse:
        """What the API server answers, as kubectl tells it."""
        path = str(url).removeprefix(_SERVER)
        files = context(method, path, (header_params or {}).get("Content-Type", ""), body)
        result = self._run(COMMANDS[method], files)
        status, data = answer(result, f"cluster {self._name}")
        raw = HTTPResponse(
            body=io.BytesIO(data),
            status=status,
            headers={"content-type": "application/json"},
            preload_content=False,
        )
        return RESTResponse(raw)

    def _run(self, command: str, files: Mapping[str, str]) -> RunCommandResult:
        subject = f"cluster {self._name}, by run-command"
        request = RunCommandRequest(command=command, context=_zipped(files), cluster_token=self._token())
        with translated(subject, ROLE):
            poller = self._place.client.managed_clusters.begin_run_command(
                self._place.group, self._place.name, request, polling_interval=self._poll
            )
            poller.wait(MAX_SECONDS)
            if not poller.done():
                raise TemporaryError(f"{subject}: no result within {MAX_SECONDS:.0f} s")
            return poller.result()


def context(method: str, path: str, media_type: str, body: Any) -> dict[str, str]:
    """The files that a command reads. PermanentError for what is no call that is made of a cluster. Pure."""
    if method not in COMMANDS or not _PATH.fullmatch(path):
        raise PermanentError(f"{method} {path[:_LONGEST]!r} is no call that run-command can make")
    if method == "GET":
        if _PODS.fullmatch(path):
            path = f"{path}{'&' if '?' in path else '?'}limit={_PAGE}"
        return {"path": _LIMIT.sub(rf"\g<1>{_PAGE}", path)}
    if method == "DELETE":
        return {"path": path, "options.json": json.dumps(body or {})}
    found = _OBJECT.fullmatch(path)
    if found is None or media_type != _STRATEGIC:
        raise PermanentError(f"PATCH {path[:_LONGEST]!r} is no change that run-command can make")
    version, namespace, plural, name = found.groups()
    target = {
        "apiVersion": version,
        "kind": _KINDS[plural],
        "metadata": {"namespace": namespace, "name": name},
    }
    return {"object.json": json.dumps(target), "change.json": json.dumps(body)}


def answer(result: RunCommandResult, subject: str) -> tuple[int, bytes]:
    """The status and the body that the API server gave kubectl. TemporaryError when it was not asked. Pure."""
    code, logs = result.exit_code, result.logs or ""
    if code is None:
        raise TemporaryError(
            f"{subject}: the command did not run: {(result.reason or 'no reason given')[:_LONGEST]}"
        )
    if code == 0:
        start = re.search(r"^\{", logs, re.MULTILINE)  # warnings stand before
        if len(logs.encode()) >= MAX_OUTPUT:
            raise PermanentError(f"{subject}: the answer is longer than the {MAX_OUTPUT} bytes that AKS gives back")
        return 200, logs[start.start() :].encode() if start else b""
    status, message = _refusal(logs)
    if status is None:
        told = " ".join(logs.split())[-_LONGEST:]
        raise TemporaryError(f"{subject}: kubectl failed ({code}): {told}")
    return status, json.dumps({"kind": "Status", "message": message}).encode()


def _refusal(logs: str) -> tuple[int | None, str]:
    if found := _REFUSED.search(logs):
        return _STATUSES.get(found[1] or "", 500), found[2].strip()
    if found := _INVALID.search(logs):
        return 422, found[0].strip()
    if found := _LOGIN.search(logs):
        return 401, found[0]
    return None, ""


def _zipped(files: Mapping[str, str]) -> str:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return b64encode(packed.getvalue()).decode()
