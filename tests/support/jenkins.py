"""A look-alike of Jenkins, as far as one job goes; it runs examples/pipelines/builder/Jenkinsfile.

Its shapes are those of Jenkins core (2.4xx) and of recorded answers: the queue item that a build comes of, `tree`
queries, the crumb with its session, texts of errors in X-Error, a browser's redirects after a button was pressed.
"""

import base64
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from groundswell.local.tasks.faults import Faults
from tests.support.agent import BUILDER, Agent, Job

JOB, USER, TOKEN, PASSWORD = "platform/build", "groundswell", "an-api-token", "a-password"
_PATH = "/job/platform/job/build"
_DECLARED = re.compile(r"(?:string|text)\(name: '(\w+)'")
_CRUMB, _SESSION = "c0ffee", "JSESSIONID.1a2b=node0; Path=/; HttpOnly"


class Jenkins:
    """`jenkinsfile` is the job's, to be changed by tests. Serve `app`; it is mounted at /jenkins."""

    def __init__(self, folder: Path, *, concurrency: int) -> None:
        self._folder = folder
        self._concurrency = concurrency
        self.faults = Faults()
        self.hold = False
        """Whether builds do nothing, and do not end."""
        self.jenkinsfile = (BUILDER / "Jenkinsfile").read_text()
        self.forgets_items = False
        """Whether items that left the queue are gone, as they are after five minutes."""
        self.queues = True
        self.page = ""
        """What it shows instead of anything else."""

    @property
    def count(self) -> int:
        """How many builds it was asked for."""
        return len(self._agent.jobs)

    def app(self) -> web.Application:
        """The application; to be made on the thread of the loop that serves it."""
        app = web.Application(middlewares=[self._guard])
        self._agent = Agent(self._folder, concurrency=self._concurrency, first=9687)
        job = "/jenkins" + _PATH
        app.router.add_get("/jenkins/crumbIssuer/api/json", self._crumb)
        app.router.add_get("/jenkins/queue/api/json", self._queue)
        app.router.add_get("/jenkins/queue/item/{id}/api/json", self._item)
        app.router.add_post("/jenkins/queue/cancelItem", self._cancel)
        app.router.add_post(job + "/buildWithParameters", self._build)
        app.router.add_get(job + "/api/json", self._builds)
        app.router.add_get(job + "/{number}/api/json", self._one)
        app.router.add_post(job + "/{number}/stop", self._stop)
        app.router.add_get(job + "/{number}/logText/progressiveText", self._text)

        async def stop(_: web.Application) -> None:
            await self._agent.close()

        app.on_cleanup.append(stop)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.page:
            return web.Response(text=self.page, content_type="text/html")
        login = request.headers.get("Authorization", "")
        if login not in (_basic(TOKEN), _basic(PASSWORD)):
            return web.Response(
                status=401, text="<html>HTTP ERROR 401 Unauthorized</html>", content_type="text/html"
            )
        crumb = (request.headers.get("Jenkins-Crumb"), request.headers.get("Cookie"))
        if request.method == "POST" and login != _basic(TOKEN) and crumb != (_CRUMB, _SESSION.partition(";")[0]):
            said = "<html>HTTP ERROR 403 No valid crumb was included in the request</html>"
            return web.Response(status=403, text=said, content_type="text/html")
        return await self.faults.apply(request, handler)

    async def _crumb(self, _: web.Request) -> web.Response:
        found = {"_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumb": _CRUMB}
        headers = {"Set-Cookie": _SESSION}
        return web.json_response({**found, "crumbRequestField": "Jenkins-Crumb"}, headers=headers)

    async def _build(self, request: web.Request) -> web.Response:
        if not self.queues:
            return web.Response(status=302, headers={"Location": f"http://jenkins.test/jenkins{_PATH}/"})
        form = await request.post()
        declared = _DECLARED.findall(self.jenkinsfile)
        parameters = {name: str(form[name]) for name in declared if name in form}
        for job in self._agent.jobs.values():
            if job.parameters == parameters and not job.started and not job.ended:
                return web.Response(status=303, headers={"Location": _at(f"/queue/item/{job.id}/")})
        self._agent.hold = self.hold
        job = self._agent.queue(parameters)
        return web.Response(status=201, headers={"Location": _at(f"/queue/item/{job.id}/")})

    async def _queue(self, request: web.Request) -> web.Response:
        assert request.query["tree"].startswith("items[id,")
        others = {"id": 1, "task": {"url": _at("/job/build/")}, "actions": [{}]}
        waiting = [_item(job) for job in self._agent.jobs.values() if not job.started and not job.ended]
        return web.json_response({"_class": "hudson.model.Queue", "items": [others, *waiting]})

    async def _item(self, request: web.Request) -> web.Response:
        job = self._agent.jobs.get(int(request.match_info["id"]))
        if job is None or (self.forgets_items and (job.started or job.ended)):
            return web.Response(status=404, text="<html>Not Found</html>", content_type="text/html")
        return web.json_response(_item(job))

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._agent.jobs.get(int(request.query["id"]))
        if job is None or job.started or job.ended:
            return web.Response(status=404, headers={"X-Error": "Provided id not found"})
        await self._agent.cancel(job)
        return web.Response(status=204)

    async def _builds(self, request: web.Request) -> web.Response:
        assert request.query["tree"].startswith("allBuilds[number,queueId")
        found = sorted((job for job in self._agent.jobs.values() if job.started), key=lambda job: -job.number)
        return web.json_response({"allBuilds": [_shown(job) for job in found]})

    async def _one(self, request: web.Request) -> web.Response:
        return web.json_response(_shown(self._numbered(request)))

    async def _stop(self, request: web.Request) -> web.Response:
        await self._agent.cancel(self._numbered(request))
        return web.Response(status=302, headers={"Location": _at(f"{_PATH}/")})

    async def _text(self, request: web.Request) -> web.Response:
        job = self._numbered(request)
        end = b"" if not job.ended else f"Finished: {_result(job)}\n".encode()
        text, start = bytes(job.log) + end, int(request.query["start"])
        headers = {"X-Text-Size": str(len(text)), **({} if job.ended else {"X-More-Data": "true"})}
        return web.Response(body=text[start:], content_type="text/plain", charset="utf-8", headers=headers)

    def _numbered(self, request: web.Request) -> Job:
        number = int(request.match_info["number"])
        return next(job for job in self._agent.jobs.values() if job.started and job.number == number)


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"{USER}:{secret}".encode()).decode()


def _at(path: str) -> str:
    """At the address that Jenkins believes to be: that of the proxy before it."""
    return f"https://jenkins.contoso.example/jenkins{path}"


def _actions(job: Job) -> list[dict[str, Any]]:
    parameters = [
        {"_class": "hudson.model.StringParameterValue", "name": name, "value": value}
        for name, value in job.parameters.items()
    ]
    causes = {"_class": "hudson.model.CauseAction", "causes": [{"userId": USER}]}
    return [causes, {"_class": "hudson.model.ParametersAction", "parameters": parameters}, {}]


def _item(job: Job) -> dict[str, Any]:
    item: dict[str, Any] = {"id": job.id, "actions": _actions(job), "task": {"url": _at(f"{_PATH}/")}}
    if job.started:
        item |= {"_class": "hudson.model.Queue$LeftItem", "cancelled": False, "why": None}
        item["executable"] = {"number": job.number, "url": _at(f"{_PATH}/{job.number}/")}
    elif job.ended:
        item |= {"_class": "hudson.model.Queue$LeftItem", "cancelled": True, "why": None}
    else:
        item |= {"_class": "hudson.model.Queue$WaitingItem", "why": "Waiting for next available executor"}
    return item


def _result(job: Job) -> str | None:
    if not job.ended:
        return None
    return "ABORTED" if job.cancelled else "FAILURE" if job.code else "SUCCESS"


def _shown(job: Job) -> dict[str, Any]:
    return {
        "_class": "org.jenkinsci.plugins.workflow.job.WorkflowRun",
        "actions": _actions(job),
        "number": job.number,
        "queueId": job.id,
        "building": not job.ended,
        "result": _result(job),
        "url": _at(f"{_PATH}/{job.number}/"),
    }
