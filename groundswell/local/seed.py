"""The demo's images as they are before the update: built by the same build service, once, and kept for later runs.

What is kept is the registry's storage, by a key of the sources and the base: change either, and it is built anew.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import networkx as nx

from graph.lineage import Lineage
from graph.reference import Reference
from groundswell.build.port import BuildRequest, Run, RunStatus
from groundswell.cascade.model import Rebuild
from groundswell.cascade.status import Status
from groundswell.errors import PermanentError
from groundswell.lineage.model import Registration
from groundswell.local.company import EXAMPLE
from groundswell.local.paths import home
from groundswell.local.stack import Stack, wait_until
from groundswell.wiring import App

_SECONDS = 300.0


def images(stack: Stack, app: App, registrations: Sequence[Registration], *, base: str) -> str:
    """Put every image under its stable tags, standing on `base`; returns how, for people to read.

    Raises PermanentError when one does not build.
    """
    kept = home() / "seeds" / _key(base)
    storage = stack.registry.storage
    if kept.is_dir():
        shutil.copytree(kept, storage, dirs_exist_ok=True)
        return "taken from the first run"
    by_name = {registration.name: registration for registration in registrations}
    graph = Lineage(registration.node for registration in registrations).graph
    for level in nx.topological_generations(graph):
        _build(app, [by_name[name] for name in sorted(level)])
    shutil.rmtree(kept.parent, ignore_errors=True)
    partial = kept.with_suffix(".partial")
    shutil.copytree(storage, partial)
    partial.rename(kept)
    return "built"


def remember(app: App, registrations: Sequence[Registration]) -> None:
    """Note what those were built of that are to be rebased, as the product does for what it builds itself."""
    for image in registrations:
        if image.rebases and image.runtime:
            state = Rebuild(cascade="seed", image=image.name, status=Status.DONE, waits={})
            look = app.repeats.look(image, state)
            seen = replace(state, inputs=look.kept(), proof={"base_digest": look.at[image.runtime]})
            app.repeats.note(image, seen, app.registry.digest(image.references[0]) or "")


def _build(app: App, level: Sequence[Registration]) -> None:
    runs: list[tuple[Registration, Run]] = []
    for number, image in enumerate(level):
        request = BuildRequest(
            name=f"seed-{hashlib.sha256(image.name.encode()).hexdigest()[:10]}-{number}",
            registry=image.registry,
            repository=image.repository,
            tag=image.tags[0],
            source=image.source,
            dockerfile=image.dockerfile,
            target=image.target,
            build_args=image.build_args,
        )
        runs.append((image, app.builder.start(request)))
    for image, run in runs:
        if _ended(app, image, run).status is not RunStatus.SUCCEEDED:
            raise PermanentError(f"{image.name} does not build:\n{app.builder.log(image.registry, run.id)}")
        digest = app.registry.digest(image.references[0])
        promoted = Reference(registry=image.registry, repository=image.repository, tag=None, digest=digest)
        app.registry.promote(promoted, image.tags[1:])


def _ended(app: App, image: Registration, run: Run) -> Run:
    def look() -> Run | None:
        seen = app.builder.observe(image.registry, run.id)
        return seen if seen.status.ended else None

    return wait_until(f"the first build of {image.name}", look, seconds=_SECONDS)


def _key(base: str) -> str:
    found = hashlib.sha256(base.encode())
    for path in sorted(path for path in EXAMPLE.rglob("*") if path.is_file()):
        found.update(_part(path))
    return found.hexdigest()[:16]


def _part(path: Path) -> bytes:
    return b"\0".join((str(path.relative_to(EXAMPLE)).encode(), path.read_bytes()))
