"""Builds as runs of one pipeline of Azure DevOps.

The service has no idempotency key, so the pipeline names its runs by a parameter of ours (`name: ${{
parameters.GS_NAME }}`): a run is found again by that, exactly, however many there were since. One that does not is
refused. Run and build are the same thing with the same id in two of its APIs; only the runs API takes parameters,
and only the builds API looks for names, stops, and has the log by steps.

Source of the shapes: Microsoft's REST reference 7.1, "Pipelines - Runs", "Build - Builds", "Build - Timeline".
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError

from groundswell.build.once import once
from groundswell.build.parameters import NAME, parameters
from groundswell.build.port import MAX_LOG, BuildRequest, Run, RunStatus
from groundswell.build.rest import Answer, Rest, understood
from groundswell.errors import NotFoundError, PermanentError, TemporaryError, cause
from groundswell.settings import BuildServer

SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"
"""Azure DevOps, whatever the organisation."""

_VERSION = "7.1"
_GOING_ON = "inProgress,notStarted,cancelling,postponed"
_MOST_BUILDS = 1000
_MOST_LOGS, _MOST_LINES = 40, 5000
_TEXT = {"Accept": "text/plain"}
_MACROS = ("$(", "$[", "${{")
_STATUS = {
    "notStarted": RunStatus.QUEUED,
    "postponed": RunStatus.QUEUED,
    "inProgress": RunStatus.RUNNING,
    "cancelling": RunStatus.RUNNING,
}
_RESULT = {"succeeded": RunStatus.SUCCEEDED, "canceled": RunStatus.CANCELED}
"""`failed` and `partiallySucceeded` (a step failed, and was allowed to) are failures alike."""


class AzurePipelinesBuilder:
    """One pipeline, as `router.Pipeline`. Safe to share between threads."""

    def __init__(self, server: BuildServer, credential: TokenCredential, *, read_seconds: float = 60.0) -> None:
        self._pipeline = server.pipeline
        self._project = quote(server.project, safe="")
        self._token = server.token
        self._credential = credential
        self._rest = Rest(
            server.url,
            self._authorization,
            service="Azure DevOps",
            remedy="the identity, or the owner of the token, must be a user of the organisation with the right to "
            "queue builds of this pipeline (and the token have the scope Build: read & execute)",
            read_seconds=read_seconds,
        )

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    @understood
    def start(self, request: BuildRequest) -> Run:
        wanted = parameters(request)
        for name, value in wanted.items():
            if any(macro in value for macro in _MACROS):
                raise PermanentError(
                    f"{name} holds {' or '.join(_MACROS)}, which Azure Pipelines would put something else for"
                )
        subject = f"starting build {request.name}"
        return once(
            request.name,
            find=lambda: self._find(request.name),
            begin=lambda: self._begin(wanted, subject),
            stop=self.cancel,
        )

    @understood
    def observe(self, run_id: str) -> Run:
        return _run(self._build(run_id, f"observing run {run_id}"))

    @understood
    def cancel(self, run_id: str) -> None:
        try:
            self._json(
                "PATCH", f"build/builds/{_id(run_id)}", f"cancelling run {run_id}", body={"status": "cancelling"}
            )
        except NotFoundError:
            raise
        except PermanentError:
            # What has ended cannot be cancelled any more; for the caller that is as good as stopped.
            if not self.observe(run_id).status.ended:
                raise

    @understood
    def going_on(self) -> Mapping[str, Run]:
        params = {"statusFilter": _GOING_ON, "$top": str(_MOST_BUILDS)}
        builds = self._builds(f"listing the runs of pipeline {self._pipeline}", params)
        return {str(build["buildNumber"]): _run(build) for build in sorted(builds, key=_age, reverse=True)}

    @understood
    def log(self, run_id: str) -> str:
        """The logs of the steps that have ended, those that failed at the end, and then what the service says."""
        subject = f"reading the log of run {run_id}"
        self._build(run_id, subject)
        path = f"build/builds/{_id(run_id)}"
        records = self._json("GET", f"{path}/timeline", subject).get("records") or []
        logs = self._json("GET", f"{path}/logs", subject).get("value") or []
        lines = {log["id"]: int(log.get("lineCount") or 0) for log in logs}
        parts = ["".join(f"error: {message}\n" for message in errors(records))]
        for name, log in reversed(step_logs(records)[-_MOST_LOGS:]):
            if sum(map(len, parts)) >= MAX_LOG:
                break
            start = {"startLine": str(max(1, lines.get(log, 0) - _MOST_LINES))}
            text = self._send(
                "GET", f"{path}/logs/{log}", subject, params=start, headers=_TEXT, cut=4 * MAX_LOG
            ).text
            parts.append(f"== {name} ==\n{text.rstrip()}\n")
        return "".join(reversed(parts))[-MAX_LOG:]

    def _find(self, name: str) -> list[Run]:
        """The runs of that name, the oldest first."""
        builds = self._builds(f"looking for build {name}", {"buildNumber": name})
        return [_run(build) for build in sorted(builds, key=_age) if build.get("buildNumber") == name]

    def _begin(self, wanted: Mapping[str, str], subject: str) -> Run:
        # What is empty is left out: the service takes no empty value where the pipeline has no default.
        body = {"templateParameters": {name: value for name, value in wanted.items() if value}}
        begun = self._json("POST", f"pipelines/{self._pipeline}/runs", subject, body=body)
        run_id, name = str(begun.get("id")), wanted[NAME]
        if begun.get("name") != name and self._build(run_id, subject).get("buildNumber") != name:
            self.cancel(run_id)
            raise PermanentError(
                f"{subject}: pipeline {self._pipeline} does not name its runs as it is told to, so a build could "
                f"be begun twice; give it `name: ${{{{ parameters.{NAME} }}}}` (docs/pipelines.md)"
            )
        return Run(id=run_id, status=RunStatus.QUEUED)

    def _build(self, run_id: str, subject: str) -> dict[str, Any]:
        return self._json("GET", f"build/builds/{_id(run_id)}", subject)

    def _builds(self, subject: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        ours = {"definitions": str(self._pipeline), **params}
        return list(self._json("GET", "build/builds", subject, params=ours).get("value") or ())

    def _json(self, method: str, path: str, subject: str, **rest: Any) -> dict[str, Any]:
        return self._rest.json(method, self._path(path), subject=subject, **_versioned(rest))

    def _send(self, method: str, path: str, subject: str, **rest: Any) -> Answer:
        return self._rest.send(method, self._path(path), subject=subject, **_versioned(rest))

    def _path(self, path: str) -> str:
        return f"{self._project}/_apis/{path}"

    def _authorization(self) -> str:
        if self._token:
            return "Basic " + base64.b64encode(f":{self._token}".encode()).decode()
        try:
            return f"Bearer {self._credential.get_token(SCOPE).token}"
        except (AzureError, OSError) as exc:
            raise TemporaryError(f"no token for Azure DevOps ({cause(exc)})") from exc


def errors(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The errors that a timeline tells of, in its order."""
    issues = [issue for record in records for issue in record.get("issues") or ()]
    return [" ".join(str(issue.get("message", "")).split()) for issue in issues if issue.get("type") == "error"]


def step_logs(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Name and log of each step of a timeline that has one, those that failed last."""
    steps = [record for record in records if record.get("type") == "Task" and record.get("log")]
    steps.sort(key=lambda record: (record.get("result") == "failed", record["log"]["id"]))
    return [(str(record.get("name", "")), int(record["log"]["id"])) for record in steps]


def _run(build: Mapping[str, Any]) -> Run:
    """A build as a run. TemporaryError for a status that is not known."""
    status = _status(build)
    error = ""
    if status.ended and status is not RunStatus.SUCCEEDED:
        said = [str(found.get("message", "")) for found in build.get("validationResults") or ()]
        error = "; ".join([f"the run ended as {build.get('result')}", *filter(None, said)])
    return Run(id=str(build["id"]), status=status, error=error)


def _status(build: Mapping[str, Any]) -> RunStatus:
    status = str(build.get("status"))
    if status == "completed":
        return _RESULT.get(str(build.get("result")), RunStatus.FAILED)
    if status not in _STATUS:
        raise TemporaryError(f"run {build.get('id')} has a status that is not known: {status}")
    return _STATUS[status]


def _age(build: Mapping[str, Any]) -> int:
    """Ids are given in the order of time."""
    return int(build["id"])


def _id(run_id: str) -> str:
    if not (run_id.isascii() and run_id.isdigit()):
        raise NotFoundError(f"{run_id!r} is no run of Azure Pipelines, whose ids are numbers")
    return run_id


def _versioned(rest: dict[str, Any]) -> dict[str, Any]:
    return {**rest, "params": {**rest.get("params", {}), "api-version": _VERSION}}
