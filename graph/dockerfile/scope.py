"""The arguments that a FROM can use: those predefined for platforms, and those before the first FROM.

After defaultArgs in frontend/dockerfile/dockerfile2llb/platform.go and buildMetaArgs in convert.go.
"""

from collections.abc import Mapping
from functools import lru_cache

from graph.dockerfile import platform as platforms
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import ExpansionError, Shell
from graph.dockerfile.instructions import Dockerfile


def platform_values(platform: str, build_platform: str, stage: str) -> dict[str, str]:
    """What is predefined for the platform to build for, the one to build on, and the stage.

    Raises DockerfileError.
    """
    try:
        return {**_platform_arguments(platform, build_platform), "TARGETSTAGE": stage}
    except platforms.PlatformError as exc:
        raise DockerfileError(f"failed to parse platform: {exc}") from exc


@lru_cache(maxsize=64)
def _platform_arguments(platform: str, build_platform: str) -> Mapping[str, str]:
    values: dict[str, str] = {}
    for prefix, text in (("BUILD", build_platform), ("TARGET", platform)):
        parsed = platforms.parse(text).normalised()
        values |= {
            f"{prefix}PLATFORM": parsed.full if prefix == "TARGET" else str(parsed),
            f"{prefix}OS": parsed.os,
            f"{prefix}OSVERSION": parsed.os_version,
            f"{prefix}ARCH": parsed.architecture,
            f"{prefix}VARIANT": parsed.variant,
        }
    return values


def global_values(
    dockerfile: Dockerfile, shell: Shell, build_args: Mapping[str, str], defaults: Mapping[str, str]
) -> dict[str, str]:
    """The predefined arguments and those before the first FROM, with the build's values. Raises DockerfileError."""
    values = {name: build_args.get(name, value) for name, value in defaults.items()}
    for argument, line in dockerfile.arguments:
        if argument.name in build_args:
            values[argument.name] = build_args[argument.name]
        elif argument.value is not None:
            try:
                values[argument.name] = shell.expand(argument.value, values)
            except ExpansionError as exc:
                raise DockerfileError(str(exc), line=line.line, column=line.column) from exc
    return values
