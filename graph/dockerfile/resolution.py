"""A Dockerfile and what it is built with, in; the images that the build stands on and needs, out."""

from collections.abc import Mapping, Sequence

from graph.dockerfile.checks import Checker
from graph.dockerfile.directives import DirectiveError, check_options, read_head
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import Shell
from graph.dockerfile.gotext import quote
from graph.dockerfile.instructions import parse
from graph.dockerfile.scope import global_values, platform_values
from graph.dockerfile.stages import Resolution, Resolver, context_name, parse_reference
from graph.reference import InvalidReferenceError

_BOM = "\ufeff"
_NOTHING: Mapping[str, str] = {}


def resolve(
    text: str,
    *,
    build_args: Mapping[str, str] | None = None,
    target: str | None = None,
    platform: str = "linux/amd64",
    build_platform: str = "linux/amd64",
    contexts: Mapping[str, str] | None = None,
    onbuild: Mapping[str, Sequence[str]] | None = None,
) -> Resolution:
    """The images that building `target` (the last stage when None) needs, as BuildKit resolves them.

    `contexts` maps names to `docker-image://REFERENCE` or a local path, `onbuild` canonical references to the
    triggers they carry. Raises DockerfileError for what BuildKit would refuse.
    """
    if not text:
        raise DockerfileError("the Dockerfile cannot be empty")
    text = text.removeprefix(_BOM)
    frontend = _read_head(text)
    dockerfile = parse(text)
    build_args = build_args or _NOTHING
    shell = Shell(dockerfile.escape)
    stage = target or dockerfile.stages[-1].name or "default"
    defaults = platform_values(platform, build_platform, stage)
    values = global_values(dockerfile, shell, build_args, defaults)
    resolver = Resolver(
        shell,
        Checker(shell, dockerfile.escape, build_args, values),
        {context_name(name): value for name, value in (contexts or _NOTHING).items()},
        onbuild or {},
        os=defaults["TARGETOS"],
    )
    return resolver.resolve(dockerfile.stages, values, target, frontend)


def _read_head(text: str) -> str | None:
    """The image of `# syntax=`."""
    head = read_head(text) if text.startswith("#") else {}
    check, line = head.get("check", ("", 1))
    try:
        check_options(check)
    except DirectiveError as exc:
        raise DockerfileError(str(exc), line=line) from exc
    if "syntax" not in head:
        return None
    syntax, line = head["syntax"]
    try:
        return str(parse_reference(syntax))
    except InvalidReferenceError as exc:
        raise DockerfileError(f"failed to parse syntax image {quote(syntax)}: {exc}", line=line) from exc
