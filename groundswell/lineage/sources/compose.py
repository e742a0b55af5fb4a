"""Compose files: the builds of their services, read as docker compose reads them (compose-spec, compose-go).

`compose.override.yaml` is laid over `compose.yaml` beside it, as docker compose does by itself; a variant that a
person would add with `-f` is read alone. Every service is reported whatever its profiles. Services are read one by
one, so that what is wrong in one leaves the others.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graph.dockerfile import Resolution
from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError
from groundswell.lineage.sources import yamls
from groundswell.lineage.sources.build import REMOTE, Build, Recipe, Source
from groundswell.lineage.sources.contexts import NOTHING, check_circle
from groundswell.lineage.sources.files import MAX_SOURCE, is_file, read_text, shown
from groundswell.lineage.sources.interpolation import interpolate, parse_env
from groundswell.lineage.sources.kinds import Kind, of_name

_SERVICE = "service:"
_MAIN = re.compile(r"((?:docker-)?compose)\.ya?ml")
_OVERRIDE = re.compile(r"((?:docker-)?compose)\.override\.ya?ml")
_MAX_INCLUDES = 100


def looks_like_compose(path: Path) -> bool:
    """Whether a YAML file of any name has `services`."""
    try:
        document = yamls.load(read_text(path, MAX_SOURCE))
    except InputError:
        return False
    return isinstance(document, dict) and isinstance(document.get("services"), dict)


def read(source: Source) -> list[Build]:
    """The builds of a compose file. What is wrong with the file as a whole is its one row."""
    over = _OVERRIDE.fullmatch(source.path.name)
    if over and _beside(source.path, over[1]):
        return []
    try:
        project = _Project(source)
    except InputError as exc:
        return [source.failed(str(exc))]
    rows = [source.failed(problem) for problem in project.problems]
    for name in project.reported:
        rows += project.builds(name)
    return rows


def _beside(path: Path, stem: str) -> Path | None:
    """The YAML file of that name in the same folder."""
    files = (path.with_name(stem + ending) for ending in (".yaml", ".yml"))
    return next((file for file in files if is_file(file)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The `build` of a service. Paths are absolute or relative to where we are, as their file's folder is.

    `context` is None where the file names none, `args` hold None where the environment gives the value.
    """

    context: str | None = None
    dockerfile: str | None = None
    inline: str | None = None
    stage: str | None = None
    args: Mapping[str, str | None] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()

    def over(self, base: "_Plan") -> "_Plan":
        """This one laid over `base`."""
        return _Plan(
            context=base.context if self.context is None else self.context,
            dockerfile=base.dockerfile if self.dockerfile is None else self.dockerfile,
            inline=base.inline if self.inline is None else self.inline,
            stage=base.stage if self.stage is None else self.stage,
            args={**base.args, **self.args},
            contexts={**base.contexts, **self.contexts},
            platforms=tuple(dict.fromkeys((*base.platforms, *self.platforms))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    image: str | None = None
    platform: str | None = None
    plan: _Plan | None = None

    def over(self, base: "_Service") -> "_Service":
        plan = self.plan if base.plan is None else base.plan if self.plan is None else self.plan.over(base.plan)
        return _Service(
            image=base.image if self.image is None else self.image,
            platform=base.platform if self.platform is None else self.platform,
            plan=plan,
        )


class _Project:
    """The services of one compose file, its override and its includes, each with the file it stands in."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = source.tree
        self._path = path = source.path
        self._documents: dict[Path, Mapping[str, Any]] = {}
        self._layers: dict[str, list[Path]] = {}
        self._known: dict[tuple[str, str], Resolution] = {}
        self.problems: list[str] = []
        self._environment = self._env(path.parent / ".env")
        files = [path]
        if (main := _MAIN.fullmatch(path.name)) and (over := _beside(path, f"{main[1]}.override")):
            files.append(over)
        for file in files:
            for name in self._services(file):
                self._layers.setdefault(name, []).append(file)
        own = list(self._layers)
        # An included file is a row of its own where its name says what it is.
        included = [name for file in self._included(files) for name in self._include(file)]
        self.reported = sorted({*own, *included})

    def builds(self, name: str) -> list[Build]:
        """The rows of a service: none when it is not built."""
        try:
            if self._service(name).plan is None:
                return []
        except InputError as exc:
            return [self._source.failed(str(exc), name)]
        return self._source.builds(
            name,
            lambda: self._recipe(name),
            lambda context, platform: self._behind(context, platform, (name,)),
        )

    def _env(self, file: Path) -> Mapping[str, str]:
        if not is_file(file):
            return self._source.options.environment
        try:
            return parse_env(self._tree.text(file, MAX_SOURCE), self._source.options.environment)
        except InputError as exc:
            raise InputError(f"{shown(file)}: {exc}") from exc

    def _document(self, file: Path) -> Mapping[str, Any]:
        """A compose file, read once. Raises InputError."""
        if file not in self._documents:
            try:
                document = yamls.load(self._tree.text(file, MAX_SOURCE)) or {}
            except InputError as exc:
                raise InputError(str(exc) if file == self._path else f"{shown(file)}: {exc}") from exc
            services = document.get("services") if isinstance(document, dict) else document
            if services is not None and not isinstance(services, dict):
                raise InputError(f"{shown(file)}: not a compose file: `services` must be a mapping")
            self._documents[file] = document
        return self._documents[file]

    def _services(self, file: Path) -> Mapping[str, Any]:
        services = self._document(file).get("services") or {}
        return {str(name): service for name, service in services.items()}

    def _included(self, files: list[Path]) -> list[Path]:
        """The files that `include` names, and those that they include."""
        found: list[Path] = []
        waiting = list(files)
        while waiting and len(found) < _MAX_INCLUDES:
            file = waiting.pop(0)
            entries = self._document(file).get("include") or []
            for entry in entries if isinstance(entries, list) else []:
                paths = entry.get("path") if isinstance(entry, dict) else entry
                for path in paths if isinstance(paths, list) else [paths]:
                    if not isinstance(path, str) or path.startswith(REMOTE):
                        self.problems.append(f"include: {path!r} is not a file of this tree")
                        continue
                    other = Path(os.path.normpath(file.parent / path))
                    if other not in (*files, *found):
                        found.append(other)
                        waiting.append(other)
                        try:
                            self._services(other)
                        except InputError as exc:
                            self.problems.append(f"include: {exc}")
                            self._documents[other] = {}
        return found

    def _include(self, file: Path) -> list[str]:
        """Make the services of an included file known; those that are to be reported here."""
        added = [name for name in self._services(file) if name not in self._layers]
        for name in added:
            self._layers[name] = [file]
        return [] if of_name(file.name) is Kind.COMPOSE else added

    def _service(self, name: str) -> _Service:
        if name not in self._layers:
            raise InputError(f"there is no service {name!r} in {shown(self._path)}")
        service = _Service()
        for file in self._layers[name]:
            service = self._from(file, name, ()).over(service)
        return service

    def _from(self, file: Path, name: str, above: tuple[str, ...]) -> _Service:
        """A service as one file has it, over what it extends. Raises InputError."""
        raw = self._services(file).get(name)
        if raw is None:
            return _Service()
        if not isinstance(raw, dict):
            raise InputError("a service must be a mapping")
        reader = _Reader(self._environment, file.parent)
        own = reader.service(raw)
        extends = raw.get("extends")
        if extends is None:
            return own
        key = f"{shown(file)}: {name}"
        check_circle(key, above)
        if isinstance(extends, dict):
            other, base = extends.get("file"), extends.get("service")
        else:
            other, base = None, extends
        if not isinstance(base, str):
            raise InputError("extends: names no service")
        source = file
        if other is not None:
            source = file.parent / reader.text(other, "extends.file")
        base = reader.text(base, "extends.service")
        if base not in self._services(source):
            raise InputError(f"extends: there is no service {base!r} in {shown(source)}")
        return own.over(self._from(source, base, (*above, key)))

    def _recipe(self, name: str) -> Recipe:
        service = self._service(name)
        plan = service.plan or _Plan()
        folder = self._layers[name][0].parent
        if plan.inline is not None and plan.dockerfile is not None:
            raise InputError("has both dockerfile and dockerfile_inline; compose allows one")
        context = plan.context if plan.context is not None else str(folder)
        remote = next((each for each in (context, plan.dockerfile or "") if each.startswith(REMOTE)), None)
        if remote is None and "://" in context:
            remote = context
        args = {key: self._environment.get(key) if value is None else value for key, value in plan.args.items()}
        return Recipe(
            dockerfile=lambda: self._tree.dockerfile([Path()], context, plan.dockerfile, of_context=True),
            text=plan.inline,
            remote=remote,
            context=None if remote else Path(context),
            stage=plan.stage,
            args={key: value for key, value in args.items() if value is not None},
            contexts=plan.contexts,
            platforms=plan.platforms or ((service.platform,) if service.platform else ()),
        )

    def _behind(self, context: str, platform: str, above: tuple[str, ...]) -> Resolution | None:
        """What stands behind `service:NAME`; None for any other context."""
        if not context.startswith(_SERVICE):
            return None
        name = context.removeprefix(_SERVICE)
        check_circle(name, above)
        if (name, platform) not in self._known:
            self._known[name, platform] = self._images(name, platform, (*above, name))
        return self._known[name, platform]

    def _images(self, name: str, platform: str, above: tuple[str, ...]) -> Resolution:
        service = self._service(name)
        if service.plan is not None:
            recipe = self._recipe(name)
            found, _ = self._source.resolve(
                recipe, platform, lambda context, wanted: self._behind(context, wanted, above)
            )
            return found
        if service.image is None:
            raise InputError(f"the service {name!r} of a build context has neither build nor image")
        try:
            return replace(NOTHING, runtime=str(Reference.parse(service.image)))
        except InvalidReferenceError as exc:
            raise InputError(f"the image {service.image!r} of service {name!r}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads what a service says of its build. Raises InputError that names the key."""

    values: Mapping[str, str]
    folder: Path

    def service(self, raw: Mapping[str, Any]) -> _Service:
        build = raw.get("build")
        return _Service(
            image=self.optional(raw, "image"),
            platform=self.optional(raw, "platform"),
            plan=None if build is None else self._plan(build),
        )

    def text(self, value: object, key: str) -> str:
        if isinstance(value, dict | list):
            raise InputError(f"{key}: must be text")
        try:
            return interpolate(yamls.scalar_text(value), self.values)
        except InputError as exc:
            raise InputError(f"{key}: {exc}") from exc

    def optional(self, raw: Mapping[str, Any], key: str, shown_as: str = "") -> str | None:
        return None if raw.get(key) is None else self.text(raw[key], shown_as or key) or None

    def _plan(self, build: object) -> _Plan:
        if not isinstance(build, dict):
            return _Plan(context=self._context(self.text(build, "build")))
        context = self.optional(build, "context", "build.context")
        platforms = build.get("platforms") or []
        if not isinstance(platforms, list):
            raise InputError("build.platforms: must be a list")
        return _Plan(
            context=None if context is None else self._context(context),
            dockerfile=self.optional(build, "dockerfile", "build.dockerfile"),
            inline=self.optional(build, "dockerfile_inline", "build.dockerfile_inline"),
            stage=self.optional(build, "target", "build.target"),
            args=self._pairs(build, "args"),
            contexts={
                key: self._context(value)
                for key, value in self._pairs(build, "additional_contexts").items()
                if value is not None
            },
            platforms=tuple(self.text(each, "build.platforms") for each in platforms),
        )

    def _pairs(self, build: Mapping[str, Any], key: str) -> dict[str, str | None]:
        """A mapping, or a list of NAME=VALUE."""
        where, raw = f"build.{key}", build.get(key) or {}
        if isinstance(raw, list):
            split = [self.text(each, where).partition("=") for each in raw]
            return {name: value if equals else None for name, equals, value in split}
        if not isinstance(raw, dict):
            raise InputError(f"{where}: must be a mapping or a list")
        return {
            str(name): None if value is None else self.text(value, f"{where}.{name}") for name, value in raw.items()
        }

    def _context(self, value: str) -> str:
        """A context as it is used: a path is put below the folder of its file."""
        if "://" in value or value.startswith((*REMOTE, _SERVICE)):
            return value
        return str(self.folder / value)
