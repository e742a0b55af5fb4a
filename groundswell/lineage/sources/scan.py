"""What builds are described in a tree: walk, one reader for each kind of file, rows."""

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx

from graph.reference import Reference
from groundswell.errors import InputError
from groundswell.lineage.sources import acr_task, bake, compose, kinds
from groundswell.lineage.sources.build import Build, Options, Source, read_dockerfile
from groundswell.lineage.sources.files import MAX_SOURCE, Tree, shown
from groundswell.lineage.sources.kinds import Kind
from groundswell.lineage.sources.manifests import WorkloadImage, is_values, may_have_images, workload_images
from groundswell.lineage.sources.walk import Trouble, walk

_READERS: Mapping[Kind, Callable[[Source], list[Build]]] = {
    Kind.DOCKERFILE: read_dockerfile,
    Kind.COMPOSE: compose.read,
    Kind.BAKE: bake.read,
    Kind.TASK: acr_task.read,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file to look at, or the trouble there was on the way to one.

    `kind` is None for a YAML file of any name; `given` says that a person named it.
    """

    tree: Tree
    path: Path
    kind: Kind | None
    problem: str | None = None
    given: bool = False


def find(paths: Iterable[Path], *, skip_vendored: bool = False) -> Iterator[Found]:
    """The files worth a look in folders, and the files given, each once; what cannot be read has its `problem`."""
    seen: set[tuple[Path, str]] = set()
    real: dict[Path, Path] = {}
    for given in paths:
        for each in _met(given, skip_vendored=skip_vendored):
            # The folder may be given twice, or one inside another; the file itself is not followed.
            folder = each.path.parent
            if folder not in real:
                real[folder] = folder.resolve()
            key = (real[folder], each.path.name)
            if key not in seen:
                seen.add(key)
                yield each


def _met(given: Path, *, skip_vendored: bool) -> Iterator[Found]:
    tree = Tree.of(given)
    try:
        folder = stat.S_ISDIR(given.stat().st_mode)
    except OSError as exc:
        yield Found(tree=tree, path=given, kind=Kind.TREE, problem=f"cannot be read: {exc.strerror}", given=True)
        return
    if not folder:
        yield Found(tree=tree, path=given, kind=kinds.of_given(given.name), given=True)
        return
    for each in walk(tree, kinds.wanted, skip_vendored=skip_vendored):
        if isinstance(each, Trouble):
            own = each.path == given
            yield Found(tree=tree, path=each.path, kind=Kind.TREE, problem=each.problem, given=own)
        else:
            yield Found(tree=tree, path=each, kind=kinds.of_name(each.name))


def builds(found: Iterable[Found], options: Options) -> list[Build]:
    """The rows of the files found, by path, then target, then platform."""
    rows: list[Build] = []
    for each in found:
        kind = each.kind
        if kind is None and acr_task.looks_like_task(each.path):
            kind = Kind.TASK
        if kind is None and each.given and compose.looks_like_compose(each.path):
            kind = Kind.COMPOSE
        if kind is None:
            continue
        source = Source(tree=each.tree, kind=kind, path=each.path, options=options)
        rows += [source.failed(each.problem)] if each.problem is not None else _READERS[kind](source)
    return sorted(rows, key=lambda row: (row.path, row.target or "", row.platform, row.error or ""))


def workloads(found: Iterable[Found]) -> tuple[list[tuple[str, WorkloadImage]], list[tuple[str, str]]]:
    """The images that the manifests among the files run, each with its file; and (path, problem) of the others."""
    images: list[tuple[str, WorkloadImage]] = []
    problems: list[tuple[str, str]] = []
    for each in found:
        if each.problem is not None:
            problems.append((shown(each.path), each.problem))
        if each.problem is not None or not kinds.is_yaml(each.path.name) or each.kind is Kind.COMPOSE:
            continue
        try:
            text = each.tree.text(each.path, MAX_SOURCE)
            if may_have_images(text):
                found_here = workload_images(text, values=is_values(each.path.name))
                images += [(shown(each.path), image) for image in found_here]
        except InputError as exc:
            problems.append((shown(each.path), str(exc)))
    images.sort(key=lambda pair: pair[0])
    return images, sorted(problems)


def to_json(build: Build) -> dict[str, Any]:
    """A row as `groundswell scan --json` prints it. The first eight keys are fixed, the others may grow."""
    found = build.resolution
    missing = sorted({(each.raw, each.why) for each in found.unresolved}) if found else []
    return {
        "path": build.path,
        "target": build.target,
        "platform": build.platform,
        "runtime": found.runtime if found else None,
        "build": list(found.build) if found else [],
        "unneeded": list(found.unneeded) if found else [],
        "unresolved": [{"raw": raw, "why": why} for raw, why in missing],
        "error": build.error,
        "frontend": found.frontend if found else None,
        "kind": build.kind.value,
        "dockerfile": build.dockerfile,
    }


def graph_of(rows: Sequence[Build]) -> "nx.DiGraph[str]":
    """The builds and the images they stand on, as `graph.formats.render` takes it."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for row in rows:
        if row.resolution is None:
            continue
        name = row.path if row.target is None else f"{row.path}#{row.target}"
        graph.add_node(name)
        found = row.resolution
        named = [
            (found.frontend, "frontend"),
            *((base, "build") for base in found.build),
            (found.runtime, "runtime"),
        ]
        for base, kind in named:
            if base is not None:
                graph.add_edge(base, name, kind=kind, pinned=Reference.parse(base).digest is not None)
    return graph
