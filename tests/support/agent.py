"""What builds for the look-alikes of pipelines: the script of examples/pipelines, with buildah playing docker."""

import asyncio
import datetime as dt
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from groundswell.local.tasks.process import environment, stream

BUILDER = Path(__file__).parents[2] / "examples" / "pipelines" / "builder"

_DOCKER = """#!/bin/sh
verb=$1; shift
buildah="buildah --root=$GS_STORE/images --runroot=$GS_STORE/state --storage-driver=overlay"
case $verb in
  build) exec $buildah build --tls-verify=false --isolation=chroot --format=docker \
    --signature-policy={folder}/policy.json "$@" ;;
  push) exec $buildah push --tls-verify=false --signature-policy={folder}/policy.json "$1" "docker://$1" ;;
esac
exit 64
"""
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'
_REGISTRIES = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'


@dataclass(slots=True, kw_only=True)
class Job:
    """One build. `code` is its script's exit code, None while it goes on; `number` counts those that began."""

    id: int
    parameters: Mapping[str, str]
    queued: dt.datetime
    number: int = 0
    started: dt.datetime | None = None
    finished: dt.datetime | None = None
    code: int | None = None
    cancelled: bool = False
    log: bytearray = field(default_factory=bytearray)

    @property
    def ended(self) -> bool:
        return self.finished is not None


class Agent:
    """Runs jobs in the order they came, so many at once. All methods belong to the event loop's thread."""

    def __init__(self, folder: Path, *, concurrency: int, first: int) -> None:
        self._folder = folder
        (folder / "bin").mkdir(parents=True)
        docker = folder / "bin" / "docker"
        docker.write_text(_DOCKER.replace("{folder}", str(folder)))
        docker.chmod(0o755)
        (folder / "policy.json").write_text(_POLICY)
        (folder / "registries.conf").write_text(_REGISTRIES)
        self._slots = asyncio.Semaphore(concurrency)
        self._first = first
        self._begun = 0
        self.hold = False
        """Whether builds do nothing, and do not end."""
        self.jobs: dict[int, Job] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def queue(self, parameters: Mapping[str, str]) -> Job:
        job = Job(id=self._first + len(self.jobs), parameters=dict(parameters), queued=_now())
        self.jobs[job.id] = job
        self._tasks[job.id] = asyncio.get_running_loop().create_task(self._run(job))
        return job

    async def cancel(self, job: Job) -> None:
        """When this returns, nothing of it goes on any more."""
        if not job.ended:
            job.cancelled = True
            self._tasks[job.id].cancel()
            await asyncio.wait([self._tasks[job.id]])
            job.finished = _now()

    async def close(self) -> None:
        for job in list(self.jobs.values()):
            await self.cancel(job)

    async def _run(self, job: Job) -> None:
        async with self._slots:
            self._begun += 1
            job.number, job.started = self._begun, _now()
            work = self._folder / str(job.id)
            (work / "tmp").mkdir(parents=True)
            env = environment(
                **job.parameters,
                GS_STORE=str(work),
                TMPDIR=str(work / "tmp"),
                CONTAINERS_REGISTRIES_CONF=str(self._folder / "registries.conf"),
            )
            env["PATH"] = f"{self._folder / 'bin'}:{os.environ['PATH']}"
            try:
                if self.hold:
                    await asyncio.Event().wait()
                job.code = await stream([str(BUILDER / "build.sh")], sink=job.log.extend, env=env, folder=work)
            finally:
                await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
            job.finished = _now()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
