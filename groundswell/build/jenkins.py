"""Builds as runs of one parameterised job of Jenkins.

A run's id is that of its queue item: Jenkins gives it at once, never again, and keeps it with the build that comes
of it (`queueId`). The item itself is forgotten five minutes after it left the queue; then the build is found among
the job's newest. Jenkins has no idempotency key, so a build is found again by a parameter of ours, in the queue and
among the newest builds; a job that does not have the parameter is refused.

An API token needs no crumb. A user with a password does, and so does a Jenkins behind a proxy that signs in by
itself: it is fetched when it is asked for, with the cookie of its session, and the refused request is sent again.

Source of the shapes: Jenkins core, `Queue`, `ParametersDefinitionProperty.buildWithParameters`, `CrumbFilter`.
"""

import base64
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from groundswell.build.once import once
from groundswell.build.parameters import NAME, parameters
from groundswell.build.port import MAX_LOG, BuildRequest, Run, RunStatus
from groundswell.build.rest import Answer, Rest, understood
from groundswell.errors import NotFoundError, PermanentError
from groundswell.settings import BuildServer

NEWEST = 500
"""Builds of the job among which one is looked for."""

_ITEM = re.compile(r"/queue/item/(\d+)/?")
_TOLD = (201, 303)
"""Queued; or the same stood in the queue already."""
_SENT_ON = (302, 303)
"""The page that a browser would be shown after a button was pressed."""
_NO_CRUMB = "No valid crumb"
_MAX_KEPT = 1000
_PARAMETERS = "actions[parameters[name,value]]"
_BUILD = f"number,queueId,building,result,url,{_PARAMETERS}"
_ENDED = {"SUCCESS": RunStatus.SUCCEEDED, "ABORTED": RunStatus.CANCELED}
"""FAILURE, UNSTABLE and NOT_BUILT are failures alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A build, or a queue item that is none yet; `number` is 0 then."""

    run: Run
    name: str
    number: int = 0


class JenkinsBuilder:
    """One job, as `router.Pipeline`. Safe to share between threads."""

    def __init__(self, server: BuildServer, *, read_seconds: float = 60.0) -> None:
        folders = [quote(part, safe="") for part in server.job.strip("/").split("/")]
        self._job = "/".join(f"job/{part}" for part in folders)
        login = base64.b64encode(f"{server.user}:{server.token}".encode()).decode()
        self._rest = Rest(
            server.url,
            lambda: f"Basic {login}",
            service="Jenkins",
            remedy="check user, token and url of the builder in GROUNDSWELL_BUILDERS; the user needs Job/Read, "
            "Job/Build and Job/Cancel",
            read_seconds=read_seconds,
        )
        self._crumb: Mapping[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._rest.close()

    @understood
    def start(self, request: BuildRequest) -> Run:
        wanted = parameters(request)
        return once(
            request.name,
            find=lambda: self._find(request.name),
            begin=lambda: self._begin(wanted, f"starting build {request.name}"),
            stop=self.cancel,
        )

    @understood
    def observe(self, run_id: str) -> Run:
        return self._look(run_id, f"observing run {run_id}").run

    @understood
    def cancel(self, run_id: str) -> None:
        subject = f"cancelling run {run_id}"
        found = self._look(run_id, subject)
        if found.run.status.ended:
            return
        if found.number:
            self._post(f"{self._job}/{found.number}/stop", subject, accept=_SENT_ON)
            return
        # 404: it left the queue a moment ago.
        self._post("queue/cancelItem", subject, params={"id": run_id}, accept=(*_SENT_ON, 404))
        after = self._look(run_id, subject)
        if after.number and not after.run.status.ended:
            self._post(f"{self._job}/{after.number}/stop", subject, accept=_SENT_ON)

    @understood
    def going_on(self) -> Mapping[str, Run]:
        subject = f"listing the builds of {self._job}"
        going_on = [each for each in self._all(subject) if each.name and not each.run.status.ended]
        return {each.name: each.run for each in sorted(going_on, key=_age, reverse=True)}

    @understood
    def log(self, run_id: str) -> str:
        subject = f"reading the log of run {run_id}"
        number = self._look(run_id, subject).number
        if not number:
            return ""
        answer = self._text(number, 0, subject)
        size = answer.headers.get("X-Text-Size", "")
        if size.isdecimal() and int(size) > MAX_LOG:
            answer = self._text(number, int(size) - MAX_LOG, subject)
        return answer.text

    def _text(self, number: int, start: int, subject: str) -> Answer:
        path, params = f"{self._job}/{number}/logText/progressiveText", {"start": str(start)}
        return self._rest.send("GET", path, subject=subject, params=params, cut=MAX_LOG)

    def _begin(self, wanted: Mapping[str, str], subject: str) -> Run:
        answer = self._post(f"{self._job}/buildWithParameters", subject, form=wanted, accept=_TOLD)
        item = _ITEM.search(urlsplit(answer.headers.get("Location", "")).path)
        if item is None:
            raise PermanentError(
                f"{subject}: Jenkins queued nothing; something in it keeps the job from being built"
            )
        run_id = item[1]
        if _parameter(self._json(f"queue/item/{run_id}", subject)) != wanted[NAME]:
            self.cancel(run_id)
            raise PermanentError(
                f"{subject}: the job does not have the parameter {NAME}, so a build could be begun twice; give it "
                "the parameters of docs/pipelines.md"
            )
        return Run(id=run_id, status=RunStatus.QUEUED)

    def _find(self, name: str) -> list[Run]:
        """The runs of that name, the oldest first."""
        found = [each for each in self._all(f"looking for build {name}") if each.name == name]
        return [each.run for each in sorted(found, key=_age)]

    def _all(self, subject: str) -> Iterator[_Found]:
        """What is in the queue and the newest builds. The queue first: what leaves it meanwhile is then a build."""
        items = self._json("queue", subject, tree=f"items[id,task[url],{_PARAMETERS}]").get("items") or []
        queued = [_item(item) for item in items if self._is_ours(item)]
        tree = f"allBuilds[{_BUILD}]{{0,{NEWEST}}}"
        found = self._json(self._job, subject, tree=tree).get("allBuilds") or []
        builds = [_build(build) for build in found]
        known = {each.run.id for each in builds}
        yield from builds
        yield from (each for each in queued if each.run.id not in known)

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        """Whether an item is of this job, at whatever address Jenkins believes to be."""
        path = urlsplit(str((item.get("task") or {}).get("url", ""))).path
        return unquote(path).rstrip("/").endswith(f"/{unquote(self._job)}")

    def _look(self, run_id: str, subject: str) -> _Found:
        """The run. Raises NotFoundError when Jenkins no longer knows it."""
        if not (run_id.isascii() and run_id.isdigit()):
            raise NotFoundError(f"{run_id!r} is no run of Jenkins, whose queue ids are numbers")
        number = self._numbers.get(run_id, 0)
        if not number:
            try:
                item = self._json(f"queue/item/{run_id}", subject)
            except NotFoundError:
                return self._among_builds(run_id, subject)
            number = int((item.get("executable") or {}).get("number") or 0)
            if not number:
                return _item(item)
            self._keep(run_id, number)
        return _build(self._json(f"{self._job}/{number}", subject, tree=_BUILD))

    def _among_builds(self, run_id: str, subject: str) -> _Found:
        tree = f"allBuilds[number,queueId]{{0,{NEWEST}}}"
        for build in self._json(self._job, subject, tree=tree).get("allBuilds") or []:
            if str(build.get("queueId")) == run_id:
                self._keep(run_id, int(build["number"]))
                return self._look(run_id, subject)
        raise NotFoundError(
            f"{subject}: Jenkins has no such item in its queue, and no build of it among the newest {NEWEST}"
        )

    def _keep(self, run_id: str, number: int) -> None:
        with self._lock:
            if len(self._numbers) >= _MAX_KEPT:
                self._numbers.clear()
            self._numbers[run_id] = number

    def _json(self, path: str, subject: str, *, tree: str = "") -> dict[str, Any]:
        params = {"tree": tree} if tree else None
        return self._rest.json("GET", f"{path}/api/json", subject=subject, params=params)

    def _post(self, path: str, subject: str, *, accept: tuple[int, ...], **rest: Any) -> Answer:
        """The answer; sent once more with a new crumb when it was refused for want of one."""
        answer = self._rest.send("POST", path, subject=subject, headers=self._crumb, accept=(*accept, 403), **rest)
        if answer.status == 403 and _NO_CRUMB in answer.text:
            self._crumb = self._new_crumb(subject)
            return self._rest.send("POST", path, subject=subject, headers=self._crumb, accept=accept, **rest)
        if answer.status == 403:
            raise self._rest.error(answer, subject)
        return answer

    def _new_crumb(self, subject: str) -> Mapping[str, str]:
        """The headers that stand for a session of ours."""
        answer = self._rest.send("GET", "crumbIssuer/api/json", subject=f"{subject}, for which a crumb is fetched")
        found = self._rest.parse(answer, subject)
        crumb = {str(found.get("crumbRequestField")): str(found.get("crumb"))}
        return {**crumb, "Cookie": "; ".join(answer.cookies)} if answer.cookies else crumb


def _item(item: Mapping[str, Any]) -> _Found:
    """A queue item that no build came of."""
    run = Run(id=str(item["id"]), status=RunStatus.QUEUED)
    if item.get("cancelled"):
        run = replace(run, status=RunStatus.CANCELED, error="it was cancelled in the queue")
    return _Found(run=run, name=_parameter(item))


def _build(build: Mapping[str, Any]) -> _Found:
    result, number = build.get("result"), int(build["number"])
    status = RunStatus.RUNNING
    if not build.get("building") and result:
        status = _ENDED.get(str(result), RunStatus.FAILED)
    error = ""
    if status.ended and status is not RunStatus.SUCCEEDED:
        error = f"the build ended as {result}: {build.get('url') or f'build {number}'}"
    run = Run(id=str(build.get("queueId")), status=status, error=error)
    return _Found(run=run, name=_parameter(build), number=number)


def _parameter(of: Mapping[str, Any]) -> str:
    """The value of our parameter, of an item or of a build; empty when it has none."""
    for action in of.get("actions") or ():
        for parameter in (action or {}).get("parameters") or ():
            if parameter.get("name") == NAME:
                return str(parameter.get("value", ""))
    return ""


def _age(found: _Found) -> int:
    """Queue ids are given in the order of time."""
    return int(found.run.id)
