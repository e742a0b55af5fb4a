"""Builds that a file describes, and the images they need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graph.dockerfile import DockerfileError, Resolution
from groundswell.errors import InputError
from groundswell.lineage.sources.contexts import Context, resolve_build, unresolvable
from groundswell.lineage.sources.files import MAX_DOCKERFILE, Tree, read_text, shown
from groundswell.lineage.sources.kinds import Kind

REMOTE = ("https://", "http://", "git://", "ssh://", "github.com/", "git@")
"""What a build context that is fetched begins with (compose-go, paths/context.go)."""

_MAX_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person adds to every build. `contexts` are named build contexts, `target` is for bare Dockerfiles."""

    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    platform: str = "linux/amd64"
    build_platform: str = "linux/amd64"
    contexts: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How something is built, before its Dockerfile is read.

    `text` is a Dockerfile written out in the file itself; `dockerfile` finds the path of one otherwise, and raises
    InputError. `remote` is a context that is fetched when it is built.
    """

    dockerfile: Callable[[], Path]
    text: str | None = None
    remote: str | None = None
    context: Path | None = None
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One row of a scan: a build for one platform.

    `path` is the file that describes it, `target` its name there (of a Dockerfile: the stage that was asked for).
    Either `resolution` or `error` is there. `dockerfile` and `context` are paths as shown, None when it has none.
    """

    kind: Kind
    path: str
    target: str | None
    platform: str
    resolution: Resolution | None = None
    error: str | None = None
    dockerfile: str | None = None
    context: str | None = None
    stage: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    contexts: tuple[str, ...] = ()


def one_line(text: str) -> str:
    return " ".join(text.split())[:_MAX_ERROR]


type Behind = Callable[[str, str], Resolution | None]
"""`behind(context, platform)`: the images of another build of the same file that a context names, if it does."""


def _no_other(context: str, platform: str) -> Resolution | None:  # noqa: ARG001  # a Behind
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that describes builds, in the tree that is scanned, and what a person adds to its builds."""

    tree: Tree
    kind: Kind
    path: Path
    options: Options

    def failed(self, error: str, target: str | None = None) -> Build:
        """A row that only says what is wrong, of the file or of one of its builds."""
        return Build(
            kind=self.kind,
            path=shown(self.path),
            target=target,
            platform=self.options.platform,
            error=one_line(error),
        )

    def builds(self, target: str, recipe: Callable[[], Recipe], behind: Behind = _no_other) -> list[Build]:
        """The rows of one build: one for each of its platforms, or the one that says what is wrong."""
        try:
            known = recipe()
        except InputError as exc:
            return [self.failed(str(exc), target)]
        return [
            self._build(target, known, platform, behind) for platform in known.platforms or (self.options.platform,)
        ]

    def resolve(self, recipe: Recipe, platform: str, behind: Behind = _no_other) -> tuple[Resolution, Path | None]:
        """The images of a build for a platform, and its Dockerfile.

        Raises InputError that names the Dockerfile.
        """
        if recipe.text is not None:
            return self._resolve_text(recipe.text, "its inline Dockerfile", recipe, platform, behind), None
        if recipe.remote is not None:
            why = "the Dockerfile is fetched when it is built; it is not in this tree"
            return unresolvable(recipe.remote, why), None
        path = recipe.dockerfile()
        try:
            text = self.tree.text(path, MAX_DOCKERFILE)
        except InputError as exc:
            raise InputError(f"{shown(path)}: {exc}") from exc
        return self._resolve_text(text, shown(path), recipe, platform, behind), path

    def _resolve_text(self, text: str, name: str, recipe: Recipe, platform: str, behind: Behind) -> Resolution:
        contexts: dict[str, Context] = {}
        for context, value in {**recipe.contexts, **self.options.contexts}.items():
            other = behind(value, platform)
            contexts[context] = value if other is None else other
        try:
            return resolve_build(
                text,
                args={**recipe.args, **self.options.build_args},
                stage=recipe.stage,
                platform=platform,
                build_platform=self.options.build_platform,
                contexts=contexts,
            )
        except DockerfileError as exc:
            raise InputError(f"{name}: {exc}") from exc

    def _build(self, target: str, recipe: Recipe, platform: str, behind: Behind) -> Build:
        resolution = dockerfile = error = None
        try:
            resolution, dockerfile = self.resolve(recipe, platform, behind)
        except InputError as exc:
            error = one_line(str(exc))
        return Build(
            kind=self.kind,
            path=shown(self.path),
            target=target,
            platform=platform,
            resolution=resolution,
            error=error,
            dockerfile=None if dockerfile is None else shown(dockerfile),
            context=None if recipe.context is None else shown(recipe.context),
            stage=recipe.stage,
            args={**recipe.args, **self.options.build_args},
            contexts=tuple(sorted({*recipe.contexts, *self.options.contexts})),
        )


def read_dockerfile(source: Source) -> list[Build]:
    """The build of a bare Dockerfile, its folder being the context."""
    path, options = source.path, source.options
    at = shown(path)
    resolution = error = None
    try:
        # Only a link can lead a file that was found in the tree out of it.
        text = source.tree.text(path, MAX_DOCKERFILE) if path.is_symlink() else read_text(path, MAX_DOCKERFILE)
        resolution = resolve_build(
            text,
            args=options.build_args,
            stage=options.target,
            platform=options.platform,
            build_platform=options.build_platform,
            contexts=options.contexts,
        )
    except (DockerfileError, InputError) as exc:
        error = one_line(str(exc))
    return [
        Build(
            kind=Kind.DOCKERFILE,
            path=at,
            target=options.target,
            platform=options.platform,
            resolution=resolution,
            error=error,
            dockerfile=at,
            context=shown(path.parent),
            stage=options.target,
            args=options.build_args,
            contexts=tuple(options.contexts),
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """What an image stands on for all its platforms: the runtime of the first one, and all the rest."""

    runtime: str | None
    build: tuple[str, ...]
    frontend: str | None

    @staticmethod
    def of(resolutions: Sequence[Resolution]) -> "Edges":
        first, *others = resolutions
        build = {image for each in resolutions for image in each.build}
        build |= {each.runtime for each in others if each.runtime}
        return Edges(runtime=first.runtime, build=tuple(sorted(build)), frontend=first.frontend)
