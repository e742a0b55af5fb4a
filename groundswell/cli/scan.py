"""groundswell scan: what the builds of a tree stand on, and what the workloads of its manifests run."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from groundswell.cli.common import Json, columns, console, print_json
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.lineage.sources.build import Build
    from groundswell.lineage.sources.manifests import WorkloadImage

_UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_PATIENCE = 1.0
"""Seconds without a progress bar."""


class Form(StrEnum):
    DOT = "dot"
    MERMAID = "mermaid"
    GRAPHML = "graphml"


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Folders to walk, or single files.", show_default=False)],
    *,
    build_arg: Annotated[
        list[str] | None,
        typer.Option("--build-arg", metavar="NAME=VALUE", help="NAME alone has the environment's value."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="The stage to build of every Dockerfile.")] = None,
    platform: Annotated[str, typer.Option(help="What is built for, where a file names none.")] = "linux/amd64",
    build_platform: Annotated[str, typer.Option(help="Where the build runs.")] = "linux/amd64",
    build_context: Annotated[
        list[str] | None,
        typer.Option(
            "--build-context", metavar="NAME=VALUE", help="A named context: docker-image://REF or a path."
        ),
    ] = None,
    skip_vendored: Annotated[
        bool, typer.Option("--skip-vendored", help="Leave out node_modules, vendor, .venv and the like.")
    ] = False,
    workloads: Annotated[
        bool, typer.Option("--workloads", help="Show which workloads of manifests run which images instead.")
    ] = False,
    form: Annotated[Form | None, typer.Option("--format", help="Print a graph instead of a table.")] = None,
    as_json: Json = False,
) -> None:
    """Show which images the Dockerfiles, compose, bake and ACR task files below PATHS build on.

    What .gitignore names is left out. Services are shown whatever their profiles.

    Example: groundswell scan . --skip-vendored --json
    """
    from groundswell.lineage.sources.build import Options
    from groundswell.lineage.sources.scan import builds, find, graph_of, to_json
    from groundswell.lineage.sources.scan import workloads as running

    if form is not None and (as_json or workloads):
        raise InputError("--format draws the builds; leave out --json and --workloads")
    options = Options(
        build_args=_pairs(build_arg or [], "--build-arg", from_environment=True),
        target=target,
        platform=platform,
        build_platform=build_platform,
        contexts=_pairs(build_context or [], "--build-context", from_environment=False),
        environment=dict(os.environ),
    )
    with _progress() as watched:
        met = list(watched(find(paths, skip_vendored=skip_vendored), None, "looking for files"))
        unreadable = [each for each in met if each.given and each.problem]
        found = [each for each in met if each not in unreadable] if unreadable else met
        files = watched(found, len(found), "reading files")
        runs = running(files) if workloads else None
        rows = [] if workloads else builds(files, options)
    if runs is not None:
        _show_workloads(*runs, as_json=as_json)
    elif form is not None:
        from graph.formats import render

        typer.echo(render(graph_of(rows), form.value), nl=False)
    elif as_json:
        print_json([to_json(row) for row in rows])
    elif rows or not unreadable:
        _show_builds(rows, beside=f"{paths[0]}/" if len(paths) == 1 else "")
    if unreadable:
        sys.stderr.writelines(f"error: {each.path}: {each.problem}\n" for each in unreadable)
        raise typer.Exit(2)


def _pairs(given: Iterable[str], option: str, *, from_environment: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or (not equals and not from_environment):
            raise InputError(f"{option} {text!r}: write it as NAME=VALUE")
        if equals:
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


class _Watched:
    """Counts what goes by, on a bar that shows only when it takes long."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begin = time.monotonic()

    def __call__[T](self, items: Iterable[T], total: int | None, title: str) -> Iterator[T]:
        task = self._progress.add_task(title, total=total, visible=False)
        for number, item in enumerate(items, 1):
            if time.monotonic() - self._begin > _PATIENCE:
                self._progress.start()
                self._progress.update(task, completed=number, visible=True)
            yield item
        self._progress.remove_task(task)


@contextmanager
def _progress() -> Iterator[_Watched]:
    """A bar on stderr, when that is a terminal."""
    shown = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)
    try:
        yield _Watched(progress)
    finally:
        progress.stop()


def _cell(text: str, style: str = "") -> Text:
    """What a stranger's file says, without what would move the cursor or cannot be written."""
    return Text(_UNSAFE.sub("\ufffd", text), style=style)


def _show_builds(rows: "Sequence[Build]", *, beside: str) -> None:
    """A line per build; paths are shown as from the folder `beside`."""
    if not rows:
        console.print("no builds here: no Dockerfile, compose, bake or ACR task file was found")
        return
    # A column that says the same everywhere only makes the others narrow.
    targets = any(row.target for row in rows)
    platforms = len({row.platform for row in rows}) > 1
    table = Table(box=None, pad_edge=False)
    built = any(row.resolution and row.resolution.build for row in rows)
    notes = any(_notes(row) for row in rows)
    headings = ["file", *["target"] * targets, *["platform"] * platforms, "runs on"]
    for heading in (*headings, *["built with"] * built, *["note"] * notes):
        table.add_column(heading, overflow="fold")
    for row in rows:
        found = row.resolution
        cells = [_cell(row.path.removeprefix(beside))]
        cells += [_cell(row.target or "")] * targets + [_cell(row.platform)] * platforms
        cells += [_cell(_short(_runtime(row)))]
        cells += [_cell("\n".join(map(_short, found.build if found else ())))] * built
        cells += [Text("\n").join(_notes(row))] * notes
        table.add_row(*cells)
    console.print(table)
    failed = sum(row.error is not None for row in rows)
    console.print(f"{len(rows)} builds" + (f", {failed} of them cannot be read" if failed else ""))


def _short(reference: str) -> str:
    """A reference with as much of its digest as people read."""
    name, pin, digest = reference.partition("@")
    return name + pin + digest[:19]


def _runtime(row: "Build") -> str:
    if row.resolution is None:
        return ""
    return row.resolution.runtime or ("" if row.resolution.unresolved else "scratch")


def _notes(row: "Build") -> list[Text]:
    notes = [_cell(row.error, style="red")] if row.error else []
    if (found := row.resolution) is not None:
        notes += [_cell(f"{each.raw}: {each.why}", style="yellow") for each in found.unresolved]
        notes += [_cell(f"not needed: {image}", style="dim") for image in found.unneeded]
        notes += [_cell(f"frontend: {found.frontend}", style="dim")] if found.frontend else []
    return notes


def _show_workloads(
    images: "Sequence[tuple[str, WorkloadImage]]", problems: Sequence[tuple[str, str]], *, as_json: bool
) -> None:
    if as_json:
        rows = [
            {
                "path": path,
                "kind": image.kind,
                "namespace": image.namespace,
                "name": image.name,
                "container": image.container,
                "raw": image.raw,
                "reference": image.reference,
                "error": image.unresolved,
            }
            for path, image in images
        ]
        empty = dict.fromkeys(("kind", "namespace", "name", "container", "raw", "reference"))
        print_json([*rows, *({"path": path, **empty, "error": problem} for path, problem in problems)])
        return
    table = columns("file", "workload", "container", "image", "note")
    for path, image in images:
        place = f"{image.namespace}/{image.name}" if image.namespace else image.name
        note = _cell(image.unresolved or "", style="yellow")
        table.add_row(
            _cell(path),
            _cell(f"{image.kind} {place}".strip()),
            _cell(image.container),
            _cell(image.reference or image.raw),
            note,
        )
    for path, problem in problems:
        table.add_row(_cell(path), "", "", "", _cell(problem, style="red"))
    console.print(table if images or problems else "no workloads here: no manifest that names an image was found")
