"""The ACR Tasks look-alike as one application: run requests, runs, tasks and task runs of its registries."""

from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from groundswell.local.identity import Identity
from groundswell.local.tasks.arm import Arm, Call, page
from groundswell.local.tasks.blobs import Blobs
from groundswell.local.tasks.errors import ArmError
from groundswell.local.tasks.events import Events, Sent
from groundswell.local.tasks.faults import Faults
from groundswell.local.tasks.fields import Fields
from groundswell.local.tasks.filters import run_filter
from groundswell.local.tasks.model import Json, Limits, RegistryAccess, Run
from groundswell.local.tasks.requests import read_request
from groundswell.local.tasks.resources import (
    Resources,
    check_name,
    merged,
    same_request,
    task_document,
    task_run_answer,
    task_run_document,
    without_secrets,
)
from groundswell.local.tasks.runner import Runner
from groundswell.local.tasks.shelf import Shelf
from groundswell.local.tasks.storage import Tools
from groundswell.settings import AcrRegistry


class AcrTasks:
    """ACR Tasks of the given registries; serve `app` over TLS. State and logs are kept in `folder`.

    Builds need root and buildah. `webhooks` gives what each webhook sent, by name; `faults` is for tests. `tools`
    are programs that stand in for images.
    """

    def __init__(
        self,
        *,
        folder: Path,
        identity: Identity,
        registries: Mapping[AcrRegistry, RegistryAccess],
        limits: Limits | None = None,
        faults: Faults | None = None,
        webhooks: Mapping[str, Sent] | None = None,
        tools: Tools | None = None,
    ) -> None:
        self._tools = tools
        self._folder = folder
        self._limits = limits or Limits()
        self._events = Events(webhooks or {})
        self._arm = Arm(identity, registries, faults or Faults())

    def app(self) -> web.Application:
        """The application; to be made on the thread of the loop that serves it."""
        app = web.Application(client_max_size=4 << 20)
        runner = Runner(self._folder, self._limits, tools=self._tools)
        blobs = Blobs(runner, self._limits)
        blobs.add_routes(app)
        surface = _Surface(
            runner,
            blobs,
            self._limits,
            tasks=Resources("tasks", Shelf(self._folder / "tasks")),
            task_runs=Resources("taskRuns", Shelf(self._folder / "task-runs")),
        )
        for method, path, answer in (
            ("POST", "/scheduleRun", surface.schedule_run),
            ("POST", "/listBuildSourceUploadUrl", surface.upload_url),
            ("GET", "/runs", surface.list_runs),
            ("GET", "/runs/{name}", surface.get_run),
            ("PATCH", "/runs/{name}", surface.update_run),
            ("POST", "/runs/{name}/cancel", surface.cancel_run),
            ("POST", "/runs/{name}/listLogSasUrl", surface.log_url),
            ("GET", "/tasks", surface.list_tasks),
            ("GET", "/tasks/{name}", surface.get_task),
            ("POST", "/tasks/{name}/listDetails", surface.get_task),
            ("PUT", "/tasks/{name}", surface.put_task),
            ("PATCH", "/tasks/{name}", surface.patch_task),
            ("DELETE", "/tasks/{name}", surface.delete_task),
            ("GET", "/taskRuns", surface.list_task_runs),
            ("GET", "/taskRuns/{name}", surface.get_task_run),
            ("POST", "/taskRuns/{name}/listDetails", surface.get_task_run),
            ("PUT", "/taskRuns/{name}", surface.put_task_run),
            ("DELETE", "/taskRuns/{name}", surface.delete_task_run),
            ("POST", "/webhooks/{name}/listEvents", self._events.list),
            ("GET", "/webhooks/{name}/listEvents", self._events.list),  # the SDKs follow a nextLink so
        ):
            self._arm.add(app, method, path, answer)

        async def stop(_: web.Application) -> None:
            await runner.close()

        app.on_cleanup.append(stop)
        return app


class _Surface:
    """One method an operation."""

    def __init__(
        self, runner: Runner, blobs: Blobs, limits: Limits, *, tasks: Resources, task_runs: Resources
    ) -> None:
        self._runner = runner
        self._blobs = blobs
        self._limits = limits
        self._tasks = tasks
        self._task_runs = task_runs

    async def schedule_run(self, call: Call) -> web.Response:
        return web.json_response(self._schedule(call, await call.body()).document())

    async def upload_url(self, call: Call) -> web.Response:
        link, path = self._blobs.upload_link(call.origin)
        return web.json_response({"uploadUrl": link, "relativePath": path})

    async def list_runs(self, call: Call) -> web.Response:
        wanted = run_filter(call.request.query.get("$filter", ""))
        return page(call, [run.document() for run in self._runner.list(call.resource) if wanted(run)])

    async def get_run(self, call: Call) -> web.Response:
        return web.json_response(self._run(call).document())

    async def update_run(self, call: Call) -> web.Response:
        run = self._run(call)
        self._runner.archive(run, archived=Fields(await call.body()).flag("isArchiveEnabled", default=run.archived))
        return web.json_response(run.document())

    async def cancel_run(self, call: Call) -> web.Response:
        run = self._run(call)
        if run.status.ended:
            raise ArmError(409, "RunAlreadyEnded", f"run {run.id} has ended: {run.status}")
        await self._runner.cancel(run)
        return web.Response()

    async def log_url(self, call: Call) -> web.Response:
        return web.json_response({"logLink": self._blobs.log_link(call.origin, self._run(call).id)})

    async def list_tasks(self, call: Call) -> web.Response:
        return page(call, [without_secrets(task) for task in self._tasks.list(call.resource)])

    async def get_task(self, call: Call) -> web.Response:
        return web.json_response(without_secrets(self._tasks.get(call.resource, call.name())))

    async def put_task(self, call: Call) -> web.Response:
        old = self._tasks.find(call.resource, call.name())
        task = self._tasks.put(call.resource, call.name(), task_document(await call.body(), old))
        return web.json_response(without_secrets(task), status=200 if old else 201)

    async def patch_task(self, call: Call) -> web.Response:
        old = self._tasks.get(call.resource, call.name())
        body = await call.body()
        Fields(body)
        task = self._tasks.put(call.resource, call.name(), task_document(merged(old, body), old))
        return web.json_response(without_secrets(task))

    async def delete_task(self, call: Call) -> web.Response:
        return web.Response(status=200 if self._tasks.delete(call.resource, call.name()) else 204)

    async def list_task_runs(self, call: Call) -> web.Response:
        return page(call, [self._answer(call, one) for one in self._task_runs.list(call.resource)])

    async def get_task_run(self, call: Call) -> web.Response:
        return web.json_response(self._answer(call, self._task_runs.get(call.resource, call.name())))

    async def put_task_run(self, call: Call) -> web.Response:
        """Run what is asked for, unless just this was asked for before under this name."""
        name, body = call.name(), await call.body()
        check_name("taskRuns", name)
        request = Fields(body).child("properties").child("runRequest")
        request.text("type")
        old = self._task_runs.find(call.resource, name)
        if old and same_request(old, body):
            return web.json_response(self._answer(call, old))
        if (
            old
            and (before := self._runner.get(call.resource, old["properties"]["_run"]))
            and not before.status.ended
        ):
            raise ArmError(409, "TaskRunInProgress", f"task run '{name}' is still running another request")
        run = self._schedule(call, body["properties"]["runRequest"])
        document = self._task_runs.put(call.resource, name, task_run_document(body, run))
        return web.json_response(self._answer(call, document), status=200 if old else 201)

    async def delete_task_run(self, call: Call) -> web.Response:
        return web.Response(status=200 if self._task_runs.delete(call.resource, call.name()) else 204)

    def _schedule(self, call: Call, body: object) -> Run:
        def find_task(task_id: str) -> Json | None:
            resource, _, name = task_id.rpartition("/tasks/")
            return self._tasks.find(call.resource, name) if resource.lower() == call.resource.lower() else None

        plan = read_request(body, limits=self._limits, find_task=find_task)
        return self._runner.schedule(plan, resource=call.resource, access=call.access)

    def _run(self, call: Call) -> Run:
        run = self._runner.get(call.resource, call.name())
        if run is None:
            raise ArmError(404, "RunNotFound", f"run '{call.name()}' was not found")
        return run

    def _answer(self, call: Call, document: Json) -> Json:
        return task_run_answer(document, self._runner.get(call.resource, document["properties"]["_run"]))
