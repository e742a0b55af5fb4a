"""Carries out the steps of a run: each as soon as the steps it waits for are done.

The first step that fails ends the run, and what still goes on is killed; a step with ignoreErrors fails alone.
"""

import asyncio
import time
from dataclasses import dataclass, field

from graph.reference import InvalidReferenceError, Reference
from groundswell.build.port import RunStatus
from groundswell.local.tasks.dependencies import Dependencies, Image, dependencies
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.logs import RunLog
from groundswell.local.tasks.model import OutputImage
from groundswell.local.tasks.plan import Build, Command, Push, Step
from groundswell.local.tasks.sources import Context, within
from groundswell.local.tasks.storage import Storage


@dataclass(slots=True, kw_only=True)
class Steps:
    """The steps of one run at work; `outputs` are the images pushed so far."""

    storage: Storage
    context: Context
    log: RunLog
    outputs: list[OutputImage] = field(default_factory=list)
    _built: set[str] = field(default_factory=set)

    async def run(self, steps: tuple[Step, ...]) -> None:
        """Do all steps. RunError when one fails."""
        done = {step.id: asyncio.Event() for step in steps}
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    group.create_task(self._when_ready(step, done))
        except ExceptionGroup as exc:
            raise exc.exceptions[0] from None

    async def found(self) -> list[tuple[OutputImage, Dependencies]]:
        """The pushed images with what each stands on."""
        if not self.outputs:
            return []
        images = await self.storage.images()
        pulled = [image for image in images if image.names and not self._built.intersection(image.names)]
        return [(output, dependencies(_built_image(images, output), pulled)) for output in self.outputs]

    async def _when_ready(self, step: Step, done: dict[str, asyncio.Event]) -> None:
        for name in step.after:
            await done[name].wait()
        try:
            await self._with_retries(step)
        except RunError as exc:
            if not step.ignore_errors:
                raise
            self.log.line(f"Step ID: {step.id} failed and its errors are ignored: {exc}")
        done[step.id].set()

    async def _with_retries(self, step: Step) -> None:
        for left in range(step.retries, -1, -1):
            try:
                await self._once(step)
            except RunError as exc:
                if not left or exc.status is not RunStatus.FAILED:
                    raise
                self.log.line(f"Step ID: {step.id} failed: {exc}. Retries left: {left}")
                await asyncio.sleep(step.retry_delay)
            else:
                return

    async def _once(self, step: Step) -> None:
        self.log.line(f"Executing step ID: {step.id}. Timeout(sec): {step.timeout or 'as the run'}")
        begun = time.monotonic()
        try:
            async with asyncio.timeout(step.timeout or None):
                code = await self._act(step)
        except TimeoutError as exc:
            raise RunError(f"failed to run step ID: {step.id}: it took more than {step.timeout} s") from exc
        self.log.flush()
        if code:
            raise RunError(f"failed to run step ID: {step.id}: exit status {code}")
        seconds = time.monotonic() - begun
        self.log.line(f"Step ID: {step.id} marked as successful (elapsed time in seconds: {seconds:.6f})")

    async def _act(self, step: Step) -> int:
        match step.action:
            case Build() as build:
                return await self._build(build, step)
            case Push() as push:
                return await self._push(push)
            case Command() as command:
                return await self.storage.run(
                    command.image, command.words, work=self.context.folder, env=step.env, sink=self.log.feed
                )

    async def _build(self, build: Build, step: Step) -> int:
        for name in build.images:
            _parsed(name)
        context = within(self.context.folder, build.context, "build context")
        dockerfile = within(self.context.folder, build.dockerfile, "Dockerfile")
        code = await self.storage.build(
            build, context=context, dockerfile=dockerfile, env=step.env, sink=self.log.feed
        )
        if code == 0:
            self._built.update(build.images)
        return code

    async def _push(self, push: Push) -> int:
        for name in push.images:
            reference = _parsed(name)
            self.log.line(f"Pushing image: {name}, attempt 1")
            self.log.text(f"The push refers to repository [{reference.name}]")
            code, digest = await self.storage.push(name, sink=self.log.feed)
            self.log.flush()
            if code:
                return code
            tag = reference.tag or ""
            self.log.text(f"{tag}: digest: {digest}")
            self.log.line(f"Successfully pushed image: {name}")
            self.outputs.append(
                OutputImage(registry=reference.registry, repository=reference.repository, tag=tag, digest=digest)
            )
        return 0


def _parsed(name: str) -> Reference:
    try:
        return Reference.parse(name)
    except InvalidReferenceError as exc:
        raise RunError(f"image name {name!r} is not valid") from exc


def _built_image(images: list[Image], output: OutputImage) -> Image:
    name = f"{output.registry}/{output.repository}:{output.tag}"
    return next(image for image in images if name in image.names)
