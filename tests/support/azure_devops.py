"""A look-alike of Azure DevOps as far as one pipeline goes, that of examples/pipelines/builder/azure-pipelines.yml.

Its shapes are those of recorded answers of dev.azure.com (api-version 7.1): a run and a build of one id, the steps'
logs by a timeline, the sign-in page with status 203 for whoever is not let in.
"""

import base64
import re
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from groundswell.build.azure_pipelines import SCOPE
from groundswell.local.identity import Identity
from groundswell.local.tasks.faults import Faults
from tests.support.agent import BUILDER, Agent, Job

PROJECT, PIPELINE, TOKEN = "our images", 21, "a-personal-access-token"
_PARAMETER = re.compile(r"\$\{\{ parameters\.(\w+) \}\}")


class AzureDevOps:
    """`pipeline` is the text of its YAML, to be changed by tests. Serve `app`."""

    def __init__(self, folder: Path, identity: Identity, *, concurrency: int) -> None:
        self._folder = folder
        self._identity = identity
        self._concurrency = concurrency
        self.faults = Faults()
        self.hold = False
        """Whether builds do nothing, and do not end."""
        self.late_names = False
        """Whether the answer to a request for a run does not tell its name yet."""
        self._numbers: dict[int, str] = {}
        self.pipeline = (BUILDER / "azure-pipelines.yml").read_text()

    @property
    def count(self) -> int:
        """How many builds it was asked for."""
        return len(self._agent.jobs)

    def app(self) -> web.Application:
        """The application; to be made on the thread of the loop that serves it."""
        app = web.Application(middlewares=[self._guard])
        self._agent = Agent(self._folder, concurrency=self._concurrency, first=531)
        root = "/contoso/{project}/_apis"
        app.router.add_post(root + "/pipelines/{pipeline}/runs", self._queue)
        app.router.add_get(root + "/build/builds", self._list)
        app.router.add_get(root + "/build/builds/{id}", self._get)
        app.router.add_patch(root + "/build/builds/{id}", self._update)
        app.router.add_get(root + "/build/builds/{id}/timeline", self._timeline)
        app.router.add_get(root + "/build/builds/{id}/logs", self._logs)
        app.router.add_get(root + "/build/builds/{id}/logs/{log}", self._log)

        async def stop(_: web.Application) -> None:
            await self._agent.close()

        app.on_cleanup.append(stop)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        audience = SCOPE.removesuffix("/.default")
        known = kind == "Bearer" and self._identity.verify(secret, audience)
        if not known and (kind, secret) != ("Basic", base64.b64encode(f":{TOKEN}".encode()).decode()):
            return web.Response(status=203, text="<html>Sign in to your account</html>", content_type="text/html")
        if request.match_info.get("project") != PROJECT:
            return _refusal(404, "ProjectDoesNotExistWithNameException", "TF200016: The project does not exist.")
        if request.query.get("api-version") != "7.1":
            return _refusal(400, "VssVersionNotSpecifiedException", "No api-version was supplied.")
        return await self.faults.apply(request, handler)

    async def _queue(self, request: web.Request) -> web.Response:
        if request.match_info["pipeline"] != str(PIPELINE):
            return _refusal(404, "PipelineNotFoundException", "Pipeline was not found.")
        document = yaml.safe_load(self.pipeline)
        declared = {each["name"]: each.get("default") for each in document["parameters"]}
        given: dict[str, str] = (await request.json()).get("templateParameters", {})
        for name, value in given.items():
            if name not in declared:
                return _refusal(400, "PipelineValidationException", f"Unexpected parameter '{name}'")
            if not value:
                return _refusal(400, "PipelineValidationException", f"'{name}' must have a value")
        for name, default in declared.items():
            if given.setdefault(name, default) is None:
                return _refusal(400, "PipelineValidationException", f"'{name}' must have a value")
        self._agent.hold = self.hold
        job = self._agent.queue({name: _expanded(text, given) for name, text in document["variables"].items()})
        self._numbers[job.id] = _expanded(document.get("name", "20261125.1"), given)
        run = {
            "id": job.id,
            "name": "" if self.late_names else self._numbers[job.id],
            "state": "inProgress",
            "templateParameters": given,
        }
        return web.json_response({**run, "pipeline": {"id": PIPELINE, "name": "build", "revision": 1}})

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        assert query["definitions"] == str(PIPELINE)
        wanted = [self._build(job) for job in self._agent.jobs.values()]
        if "buildNumber" in query:
            wanted = [build for build in wanted if build["buildNumber"] == query["buildNumber"]]
        if "statusFilter" in query:
            wanted = [build for build in wanted if build["status"] in query["statusFilter"].split(",")]
        wanted = wanted[::-1][: int(query.get("$top", 50))]
        return web.json_response({"count": len(wanted), "value": wanted})

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._build(self._job(request)))

    async def _update(self, request: web.Request) -> web.Response:
        job = self._job(request)
        assert await request.json() == {"status": "cancelling"}
        if job.ended:
            return _refusal(400, "BuildStatusInvalidChangeException", f"The build {job.id} has ended.")
        await self._agent.cancel(job)
        return web.json_response(self._build(job))

    async def _timeline(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if job.started is None:
            return web.Response(status=204)
        failed = bool(job.code)
        said = [{"type": "error", "category": "General", "message": f"Bash exited with code '{job.code}'."}]
        records = [
            {"type": "Job", "name": "build", "order": 1, "result": _result(job), "log": {"id": 9}, "issues": None},
            {"type": "Task", "name": "Initialize job", "order": 1, "result": "succeeded", "log": {"id": 4}},
            {
                "type": "Task",
                "name": "Build and push",
                "order": 4,
                "result": _result(job),
                "log": {"id": 7} if job.ended else None,
                "issues": said if failed else [],
            },
            {"type": "Task", "name": "Finalize Job", "order": 5, "result": "succeeded", "log": {"id": 8}},
        ]
        return web.json_response({"id": "timeline", "records": records})

    async def _logs(self, request: web.Request) -> web.Response:
        job = self._job(request)
        counts = {4: 1, 7: job.log.count(b"\n"), 8: 1, 9: 0}
        value = [{"id": log, "type": "Container", "lineCount": count} for log, count in counts.items()]
        return web.json_response({"count": len(value), "value": value})

    async def _log(self, request: web.Request) -> web.Response:
        job, log = self._job(request), int(request.match_info["log"])
        assert request.headers["Accept"] == "text/plain"
        text = job.log.decode(errors="replace") if log == 7 else f"2026-11-25T10:00:00Z step of log {log}\n"
        lines = text.splitlines(keepends=True)[int(request.query.get("startLine", 1)) - 1 :]
        return web.Response(text="".join(lines))

    def _build(self, job: Job) -> dict[str, Any]:
        status = "completed" if job.ended else "inProgress" if job.started else "notStarted"
        return {
            "id": job.id,
            "buildNumber": self._numbers[job.id],
            "status": status,
            "result": _result(job),
            "queueTime": job.queued.isoformat(),
            "definition": {"id": PIPELINE, "name": "build", "type": "build"},
            "validationResults": [],
        }

    def _job(self, request: web.Request) -> Job:
        job = self._agent.jobs.get(int(request.match_info["id"]))
        if job is None:
            said = f"The requested build {request.match_info['id']} could not be found."
            body = _refusal(404, "BuildNotFoundException", said)
            raise web.HTTPNotFound(text=body.text, content_type="application/json")
        return job


def _expanded(name: str, given: dict[str, str]) -> str:
    return _PARAMETER.sub(lambda found: given[found[1]], name)


def _result(job: Job) -> str | None:
    if not job.ended:
        return None
    return "canceled" if job.cancelled else "failed" if job.code else "succeeded"


def _refusal(status: int, kind: str, said: str) -> web.Response:
    body = {"$id": "1", "innerException": None, "message": said, "typeKey": kind, "errorCode": 0, "eventId": 3000}
    return web.json_response(body, status=status)
