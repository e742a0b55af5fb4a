"""Queues runs and carries them out, so many at once and in the order they came, each to an end that says why.

Every change of a run is on disk before anybody can see it. A run that a restart of the stack found unfinished ends
as Error, because nobody works on it any more.
"""

import asyncio
import datetime as dt
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from groundswell.build.port import RunStatus
from groundswell.local.tasks import sources
from groundswell.local.tasks.dependencies import summary
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.logs import RunLog
from groundswell.local.tasks.model import Limits, RegistryAccess, Run
from groundswell.local.tasks.plan import Plan, Variables
from groundswell.local.tasks.shelf import Shelf
from groundswell.local.tasks.steps import Steps
from groundswell.local.tasks.storage import Storage, Tools

logger = logging.getLogger(__name__)

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    run: Run
    plan: Plan
    access: RegistryAccess


class Runner:
    """Carries out the runs of one service. All methods belong to the event loop's thread."""

    def __init__(self, folder: Path, limits: Limits, *, tools: Tools | None = None) -> None:
        self._tools = tools
        self._kept = folder / "kept"
        self._work, self._logs, self.uploads = folder / "work", folder / "logs", folder / "uploads"
        shutil.rmtree(self._work, ignore_errors=True)  # left by a stack that was killed
        for path in (self._work, self._logs, self.uploads):
            path.mkdir(parents=True, exist_ok=True)
        self._limits = limits
        self._shelf = Shelf(folder / "runs")
        self._runs = {key: Run.load(document) for key, document in self._shelf}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = {name: asyncio.Semaphore(count) for name, count in limits.pools.items()}
        self._slots[""] = asyncio.Semaphore(limits.concurrency)
        for run in self._runs.values():
            if not run.status.ended:
                self._end(run, RunStatus.ERROR, "the service was restarted while the run went on")

    def get(self, resource: str, run_id: str) -> Run | None:
        run = self._runs.get(run_id)
        return run if run and run.resource.lower() == resource.lower() else None

    def list(self, resource: str) -> list[Run]:
        """The runs of a registry, the newest first."""
        runs = [run for run in self._runs.values() if run.resource.lower() == resource.lower()]
        return sorted(runs, key=lambda run: (run.created, len(run.id), run.id), reverse=True)

    def log_path(self, run_id: str) -> Path:
        return self._logs / f"{run_id}.txt"

    def schedule(self, plan: Plan, *, resource: str, access: RegistryAccess) -> Run:
        """Queue a run of the plan."""
        run = Run(
            id=_run_id(len(self._runs) + 1),
            resource=resource,
            run_type=plan.run_type,
            created=dt.datetime.now(dt.UTC),
            platform={"os": plan.platform.os, "architecture": plan.platform.architecture},
            pool=plan.pool,
            task=plan.task,
            trigger_token=plan.trigger_token,
            archived=plan.archived,
        )
        self._runs[run.id] = run
        self._save(run)
        self.log_path(run.id).touch()
        job = _Job(run=run, plan=plan, access=access)
        task = asyncio.get_running_loop().create_task(self._carry_out(job), name=f"run {run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(run.id, None))
        return run

    def archive(self, run: Run, *, archived: bool) -> None:
        run.archived = archived
        self._save(run)

    async def cancel(self, run: Run) -> None:
        """Stop the run; when this returns, nothing of it goes on any more."""
        await self._stop(run, RunStatus.CANCELED, "the run was cancelled")

    async def close(self) -> None:
        """Stop everything."""
        for run in [self._runs[run_id] for run_id in self._tasks]:
            await self._stop(run, RunStatus.ERROR, "the service was stopped while the run went on")

    async def _stop(self, run: Run, status: RunStatus, why: str) -> None:
        task = self._tasks.get(run.id)
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if not run.status.ended:
            self._end(run, status, why)

    async def _carry_out(self, job: _Job) -> None:
        run, plan = job.run, job.plan
        async with self._slots[plan.pool or ""]:
            run.started = dt.datetime.now(dt.UTC)
            self._set(run, RunStatus.STARTED)
            secrets = [secret for secret in (*plan.secrets, job.access.password) if secret]
            log = RunLog(self.log_path(run.id), secrets=secrets, limit=self._limits.log_bytes)
            work = self._work / run.id
            try:
                status, error = await self._outcome(job, log, work)
            finally:
                log.close()
            self._end(run, status, error)

    async def _outcome(self, job: _Job, log: RunLog, work: Path) -> tuple[RunStatus, str]:
        """Carry the job out; how it ended, and why when not well."""
        try:
            async with asyncio.timeout(job.plan.timeout):
                await self._execute(job, log, work)
        except TimeoutError:
            return RunStatus.TIMEOUT, f"the run took more than {job.plan.timeout} s"
        except RunError as exc:
            return exc.status, str(exc)
        except Exception as exc:
            logger.exception("a run failed in a way of its own", extra={"run_id": job.run.id})
            return RunStatus.ERROR, f"the service failed: {type(exc).__name__}"
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        return RunStatus.SUCCEEDED, ""

    async def _execute(self, job: _Job, log: RunLog, work: Path) -> None:
        run, plan = job.run, job.plan
        log.line("Downloading source code...")
        context = await sources.fetch(plan.source, work / "source", uploads=self.uploads, limits=self._limits)
        log.line("Finished downloading source code")
        variables = Variables.of(
            run_id=run.id,
            registry=job.access.login_server,
            registry_name=job.access.name,
            platform=plan.platform,
            task=plan.task or "quickrun",
            now=run.created,
        ).with_source(commit=context.commit, branch=context.branch)
        ready = plan.steps(variables)
        self._set(run, RunStatus.RUNNING)
        storage = Storage(work / "store", job.access, _logins(job), tools=self._tools, kept=self._kept)
        steps = Steps(storage=storage, context=context, log=log)
        try:
            await steps.run(ready)
        finally:
            run.outputs = steps.outputs
        if found := await steps.found():
            log.line("The following dependencies were found:")
            log.text(summary(found, commit=context.commit))

    def _set(self, run: Run, status: RunStatus) -> None:
        run.status = status
        self._save(run)

    def _end(self, run: Run, status: RunStatus, error: str) -> None:
        """The log is complete before the run is seen to have ended."""
        run.finished = dt.datetime.now(dt.UTC)
        run.error = error
        seconds = round((run.finished - (run.started or run.created)).total_seconds())
        if status is RunStatus.SUCCEEDED:
            text = f"Run ID: {run.id} was successful after {seconds}s"
        else:
            text = f"Run ID: {run.id} {status.lower()} after {seconds}s. Error: {error}"
        with self.log_path(run.id).open("a", encoding="utf-8") as file:
            file.write(text + "\n")
        self._set(run, status)

    def _save(self, run: Run) -> None:
        self._shelf.put(run.id, run.document())


def _logins(job: _Job) -> dict[str, tuple[str, str]]:
    own = {job.access.login_server: (job.access.user, job.access.password)}
    return {**(own if job.plan.own_login and job.access.user else {}), **job.plan.logins}


def _run_id(number: int) -> str:
    """Short and lower-case, as Azure makes them: cf1, cf2, … cfz, cf10."""
    text = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return f"cf{text}"
