"""Registrations from a scan of a repository: every Dockerfile in it as an image, under a prefix.

An image is called after the folder of its Dockerfile; `Dockerfile.web` adds `-web`. Where compose, bake or task
files name a Dockerfile, they say how it is built: one build takes the plain name, several add their own names. What
the environment of whoever runs it would change is left out.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from groundswell.build.port import Source as Checkout
from groundswell.errors import InputError
from groundswell.lineage.model import Registration
from groundswell.lineage.sources.build import Build, Edges, Options
from groundswell.lineage.sources.files import shown
from groundswell.lineage.sources.kinds import Kind
from groundswell.lineage.sources.scan import builds, find

_NAME = re.compile(r"[a-z0-9]+(?:[._/-][a-z0-9]+)*")
_MAX_NAME = 200
_DOCKERFILE = re.compile(r"(?i:docker|container)file")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Image:
    """One image: the rows of one build, a row for each platform."""

    dockerfile: str
    rows: tuple[Build, ...]

    @property
    def first(self) -> Build:
        return self.rows[0]


def registrations(
    root: Path,
    *,
    registry: str,
    repository_prefix: str,
    git: str,
    ref: str,
    tags: Sequence[str],
    owner: str = "",
) -> tuple[list[Registration], list[str]]:
    """The images of a repository, by name, and a line for everything that cannot be registered.

    Names and repositories are `repository_prefix` and the path of the Dockerfile's folder; `git` and `ref` say
    where the repository is fetched from when an image is rebuilt. Vendored folders are left out. Raises InputError
    when `root` is no folder.
    """
    if not root.is_dir():
        raise InputError(f"{root}: there is no such folder")
    rows = builds(find([root], skip_vendored=True), Options())
    problems: list[str] = []
    found: dict[str, Registration] = {}
    for image, name in _named(list(_images(rows, problems)), root, repository_prefix):
        try:
            registration = _registration(
                image, name, root, registry=registry, git=git, ref=ref, tags=tags, owner=owner
            )
        except InputError as exc:
            problems.append(f"{_where(image.first)}: {exc}")
            continue
        if name in found:
            problems.append(f"{_where(image.first)}: another Dockerfile has the name {name} too; rename a folder")
            continue
        found[name] = registration
    return [found[name] for name in sorted(found)], sorted(problems)


def _where(row: Build) -> str:
    return row.path if row.target is None else f"{row.path}: {row.target}"


def _images(rows: Iterable[Build], problems: list[str]) -> Iterator[_Image]:
    """The images that can be rebuilt from a Dockerfile of their own; what is wrong with the others is noted."""
    rows = list(rows)
    described = {row.dockerfile for row in rows if row.kind is not Kind.DOCKERFILE and row.dockerfile}
    groups: dict[tuple[object, ...], list[Build]] = {}
    for row in rows:
        if row.kind is Kind.DOCKERFILE and row.path in described:
            continue
        if row.error is not None:
            problems.append(f"{_where(row)}: {row.error}")
        elif row.dockerfile is None:
            if row.context is not None:
                problems.append(f"{_where(row)}: its Dockerfile is written out in {row.path}; give it a file")
            elif row.target is not None and row.resolution is not None:
                problems += [f"{_where(row)}: {each.raw}: {each.why}" for each in row.resolution.unresolved]
        else:
            key = (row.dockerfile, row.context, row.stage, tuple(sorted(row.args.items())), row.contexts)
            groups.setdefault(key, []).append(row)
    for group in groups.values():
        by_platform = {row.platform: row for row in group}
        yield _Image(dockerfile=group[0].dockerfile or "", rows=tuple(by_platform.values()))


def _named(images: Sequence[_Image], root: Path, prefix: str) -> Iterator[tuple[_Image, str]]:
    several: dict[str, int] = {}
    for image in images:
        several[image.dockerfile] = several.get(image.dockerfile, 0) + 1
    for image in images:
        folder, file = posixpath.split(_relative(image.dockerfile, root))
        name = posixpath.join(prefix.strip("/"), folder) or root.resolve().name
        suffixes = [_DOCKERFILE.sub("", file).strip(".-_")]
        if several[image.dockerfile] > 1:
            suffixes.append(image.first.target or "")
        yield image, _slug("-".join([name, *filter(None, suffixes)]))


def _slug(name: str) -> str:
    """A name as repositories may have it."""
    parts = (re.sub(r"[^a-z0-9._-]+", "-", part).strip("._-") for part in name.lower().split("/"))
    return re.sub(r"([._-])[._-]+", r"\1", "/".join(filter(None, parts)))


def _relative(path: str, folder: Path) -> str:
    """A path as shown, relative to a folder."""
    return posixpath.relpath(path, shown(folder))


def _registration(
    image: _Image,
    name: str,
    root: Path,
    *,
    registry: str,
    git: str,
    ref: str,
    tags: Sequence[str],
    owner: str,
) -> Registration:
    first = image.first
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise InputError(f"{name!r} is no name for a repository; rename the folder")
    if len(image.rows) > 1:  # the schema of lineage.yaml says the same
        platforms = " and ".join(row.platform for row in image.rows)
        raise InputError(f"it is built for {platforms}, and an image has one platform so far; name one of them")
    if first.contexts:
        raise InputError(
            f"its named build contexts ({', '.join(first.contexts)}) are not known to a rebuild; "
            "name the images in its Dockerfile"
        )
    context = _relative(first.context or "", root)
    dockerfile = posixpath.relpath(image.dockerfile, first.context or "")
    if context.startswith("..") or dockerfile.startswith(".."):
        raise InputError(f"{image.dockerfile} lies outside of its build context {first.context}; move it inside")
    resolution = first.resolution
    for missing in resolution.unresolved if resolution else ():
        raise InputError(f"{missing.raw!r} cannot be resolved: {missing.why}")
    edges = Edges.of([resolution] if resolution else [])
    return Registration(
        name=name,
        registry=registry,
        repository=name,
        tags=tuple(tags),
        source=Checkout(location=git, ref=ref, path="" if context == "." else context),
        dockerfile=dockerfile,
        target=first.stage,
        build_args=dict(first.args),
        platforms=(first.platform,),
        owner=owner,
        runtime=edges.runtime,
        build=edges.build,
        frontend=edges.frontend,
    )
