"""Bake files: the builds of their targets, as `docker buildx bake` reads them.

`docker-bake.json`, `docker-bake.hcl` and their overrides in one folder are one definition, as they are for bake;
any other file is read alone. Paths are relative to where bake is run, which the file does not say: its own folder
is tried, then the root of the tree. A target that others inherit from, that no group and no context names, and that
says nothing of what to build (or whose Dockerfile is not there) is no build.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from graph.dockerfile import Resolution
from groundswell.errors import InputError
from groundswell.lineage.sources.bake_file import BakeFile, Block
from groundswell.lineage.sources.build import REMOTE, Build, Recipe, Source
from groundswell.lineage.sources.contexts import check_circle
from groundswell.lineage.sources.files import is_folder, shown
from groundswell.lineage.sources.hcl import Scope
from groundswell.lineage.sources.hcl_values import HclError, Value, texts, to_list, to_object, to_text

MAX_BAKE = 512 * 1024
_DEFAULTS = ("docker-bake.json", "docker-bake.hcl", "docker-bake.override.json", "docker-bake.override.hcl")
_TARGET = "target:"
_CWD = "cwd://"
_SAYS_WHAT = frozenset({"context", "dockerfile", "dockerfile-inline", "target"})


def read(source: Source) -> list[Build]:
    """The builds of a bake file. What is wrong with the file as a whole is its one row."""
    files = [source.path]
    if source.path.name in _DEFAULTS:
        files = [path for name in _DEFAULTS if (path := source.path.with_name(name)).is_file()]
        if files[0].name != source.path.name:
            return []
    try:
        bake = _Bake(source, files)
    except (InputError, HclError) as exc:
        return [source.failed(str(exc))]
    rows: list[Build] = []
    for name in bake.reported():
        rows += source.builds(name, bake.recipe_of(name), bake.behind_of(name))
    return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a target says of its build, None or left out where it says nothing."""

    context: str | None = None
    dockerfile: str | None = None
    inline: str | None = None
    stage: str | None = None
    args: dict[str, str] = field(default_factory=dict)
    contexts: dict[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] | None = None

    def over(self, base: "_Plan") -> "_Plan":
        """This one laid over `base`."""
        return _Plan(
            context=base.context if self.context is None else self.context,
            dockerfile=base.dockerfile if self.dockerfile is None else self.dockerfile,
            inline=base.inline if self.inline is None else self.inline,
            stage=base.stage if self.stage is None else self.stage,
            args={**base.args, **self.args},
            contexts={**base.contexts, **self.contexts},
            platforms=base.platforms if self.platforms is None else self.platforms,
        )


class _Bake:
    def __init__(self, source: Source, files: list[Path]) -> None:
        self._source = source
        builtin = {"BAKE_CMD_CONTEXT": _CWD, "BAKE_LOCAL_PLATFORM": source.options.build_platform}
        self._file = BakeFile(source.options.environment, builtin)
        self._known: dict[tuple[str, str], Resolution] = {}
        for path in files:
            try:
                text = source.tree.text(path, MAX_BAKE)
                (self._file.add_json if path.suffix == ".json" else self._file.add_hcl)(text)
            except InputError as exc:
                raise InputError(str(exc) if path == source.path else f"{shown(path)}: {exc}") from exc
        self._targets: dict[str, list[tuple[Block, Scope]]] = {}
        self._broken: dict[str, HclError] = {}
        for block in self._file.blocks("target"):
            try:
                self._add(block)
            except HclError as exc:
                self._broken[block.label] = exc

    def _add(self, block: Block) -> None:
        self._file.check(block)
        for scope in self._file.matrix(block):
            name = block.label
            if "matrix" in block.attributes:
                if "name" not in block.attributes:
                    raise HclError("a matrix needs a `name` that tells its targets apart")
                name = to_text(self._file.value(block, "name", scope))
            self._targets.setdefault(name, []).append((block, scope))

    def reported(self) -> list[str]:
        """The targets that are builds, and those that cannot be read, by name."""
        inherited: set[str] = set()
        named: set[str] = set()
        for name, blocks in self._targets.items():
            for block, scope in blocks:
                inherited.update(parent for parent in _computed(self._inherits, block, scope) if parent != name)
                named.update(_computed(self._linked, block, scope))
        for group in self._file.blocks("group"):
            named.update(_computed(self._members, group, self._file.scope))
        templates = {name for name in inherited - named if name in self._targets and not self._is_build(name)}
        return sorted({*self._targets, *self._broken} - templates)

    def _is_build(self, name: str) -> bool:
        """Whether a target that others inherit from says what to build, and that is there."""
        if not any(_SAYS_WHAT & block.attributes.keys() for block, _ in self._targets[name]):
            return False
        try:
            recipe = self._recipe(name)
            if recipe.text is None and recipe.remote is None:
                recipe.dockerfile()
        except InputError:
            return False
        return True

    def _inherits(self, block: Block, scope: Scope) -> list[str]:
        return texts(self._file.value(block, "inherits", scope) or [])

    def _members(self, block: Block, scope: Scope) -> list[str]:
        return texts(self._file.value(block, "targets", scope) or [])

    def _linked(self, block: Block, scope: Scope) -> list[str]:
        contexts = to_object(self._file.value(block, "contexts", scope) or {})
        return [to_text(value).removeprefix(_TARGET) for value in contexts.values() if value is not None]

    def recipe_of(self, name: str) -> Callable[[], Recipe]:
        return lambda: self._recipe(name)

    def behind_of(self, *above: str) -> Callable[[str, str], Resolution | None]:
        """What stands behind `target:NAME` for a target below `above`; None for any other context."""

        def behind(context: str, platform: str) -> Resolution | None:
            if not context.startswith(_TARGET):
                return None
            name = context.removeprefix(_TARGET)
            check_circle(name, above)
            if (name, platform) not in self._known:
                try:
                    found, _ = self._source.resolve(self._recipe(name), platform, self.behind_of(*above, name))
                except InputError as exc:
                    raise InputError(f"target {name}: {exc}") from exc
                self._known[name, platform] = found
            return self._known[name, platform]

        return behind

    def _recipe(self, name: str) -> Recipe:
        """Raises InputError."""
        try:
            plan = self._plan(name, {})
        except HclError as exc:
            raise InputError(str(exc)) from exc
        context = (plan.context or ".").removeprefix(_CWD) or "."
        dockerfile = (plan.dockerfile or "").removeprefix(_CWD) or None
        from_here = (plan.dockerfile or "").startswith(_CWD)
        fetched = (*REMOTE, _TARGET, "docker-image://", "oci-layout://")
        remote = next((each for each in (context, dockerfile or "") if each.startswith(fetched)), None)
        folders = (self._source.path.parent, self._source.tree.root)
        tree, local = self._source.tree, self._source.options.build_platform
        return Recipe(
            dockerfile=lambda: tree.dockerfile(folders, context, dockerfile, of_context=not from_here),
            text=plan.inline,
            remote=remote,
            context=None if remote else _existing(folders, context),
            stage=plan.stage,
            args=plan.args,
            contexts={key: value for key, value in plan.contexts.items() if value},
            platforms=tuple(local if each == "local" else each for each in plan.platforms or ()),
        )

    def _plan(self, name: str, visited: dict[str, _Plan]) -> _Plan:
        """A target over those it inherits from, later ones over earlier ones. A circle ends where it closes."""
        if name in visited:
            return visited[name]
        visited[name] = _Plan()
        if name in self._broken:
            raise self._broken[name]
        if name not in self._targets:
            raise HclError(f"there is no target {name!r}")
        own, parents = _Plan(), list[str]()
        for block, scope in self._targets[name]:
            parents += self._inherits(block, scope)
            own = self._own(block, scope).over(own)
        base = _Plan()
        for parent in parents:
            base = self._plan(parent, visited).over(base)
        visited[name] = own.over(base)
        return visited[name]

    def _own(self, block: Block, scope: Scope) -> _Plan:
        def value(name: str) -> Value:
            return self._file.value(block, name, scope)

        def text(name: str) -> str | None:
            found = value(name)
            return None if found is None else to_text(found)

        platforms = value("platforms")
        return _Plan(
            context=text("context"),
            dockerfile=text("dockerfile"),
            inline=text("dockerfile-inline"),
            stage=text("target"),
            args=_texts_of(value("args")),
            contexts=_texts_of(value("contexts")),
            platforms=None if platforms is None else tuple(dict.fromkeys(filter(None, texts(to_list(platforms))))),
        )


def _computed(find: Callable[[Block, Scope], list[str]], block: Block, scope: Scope) -> list[str]:
    """What cannot be computed names nothing here; the target's own row tells what is wrong."""
    try:
        return find(block, scope)
    except HclError:
        return []


def _texts_of(value: Value) -> dict[str, str]:
    """A map of texts; what is null is as if it were not there."""
    given: Iterator[tuple[str, Value]] = iter(to_object(value or {}).items())
    return {key: to_text(item) for key, item in given if item is not None}


def _existing(folders: tuple[Path, ...], context: str) -> Path:
    return next((folder / context for folder in folders if is_folder(folder / context)), folders[0] / context)
