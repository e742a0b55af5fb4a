"""What a pipeline is told of a build: parameters. Jenkins makes variables of them, so their names begin with GS_.

Pure. A pipeline hands them to a shell, so what could be an option, another line or a macro is refused, however
carefully the pipeline quotes.
"""

import re

from groundswell.build.checks import build_argument, inner_path, source_location, target_stage
from groundswell.build.port import BuildRequest
from groundswell.errors import PermanentError

NAME = "GS_NAME"
"""The parameter by which a build is found again: `BuildRequest.name`."""

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/:-]*")


def parameters(request: BuildRequest) -> dict[str, str]:
    """All of them, the same every time; what the build does not have is empty.

    `GS_BUILD_ARGS` has a line `NAME=value` for each, `GS_NO_CACHE` is `true` or `false`. PermanentError names the
    field that cannot be sent.
    """
    if not request.source.is_git:
        raise PermanentError("a pipeline builds from a git repository; the source is none")
    if not request.source.location.startswith(("https://", "http://")):
        raise PermanentError(
            "a pipeline's machine has repositories of others: the source must be at https:// or http://"
        )
    source_location(request.source)
    for what, text in (
        ("build name", request.name),
        ("registry", request.registry),
        ("repository", request.repository),
        ("tag", request.tag),
        ("platform", request.platform),
    ):
        if not _WORD.fullmatch(text):
            raise PermanentError(f"{what} {text!r} cannot be handed to a pipeline")
    arguments = [f"{build_argument(name, value)}={value}" for name, value in sorted(request.build_args.items())]
    return {
        NAME: request.name,
        "GS_REGISTRY": request.registry,
        "GS_REPOSITORY": request.repository,
        "GS_TAG": request.tag,
        "GS_SOURCE": request.source.location,
        "GS_REF": request.source.ref,
        "GS_PATH": request.source.path,
        "GS_DOCKERFILE": inner_path("dockerfile", request.dockerfile),
        "GS_TARGET": target_stage(request.target) or "",
        "GS_BUILD_ARGS": "\n".join(arguments),
        "GS_PLATFORM": request.platform,
        "GS_NO_CACHE": "true" if request.no_cache else "false",
    }
