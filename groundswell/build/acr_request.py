"""What a build asks of ACR Tasks, as its SDK says it. Pure; refuses what could be read as something else there.

ACR puts a source together as one string, `https://host/repo.git#ref:folder`, and a build as one `docker build`
line, so a `#`, a `:` or a blank in the wrong place would mean another source or another option.
"""

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from azure.mgmt.containerregistrytasks.models import (
    Argument,
    DockerBuildRequest,
    EncodedTaskRunRequest,
    PlatformProperties,
    SetValue,
)

from groundswell.build.port import MAX_NAME, BuildRequest, Source
from groundswell.errors import PermanentError

MIN_NAME = 5
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{{MIN_NAME - 1},{MAX_NAME - 1}}}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]*")
_PATH = re.compile(r"[A-Za-z0-9._+@~-]+(?:/[A-Za-z0-9._+@~-]+)*")
_UPLOAD = re.compile(r"source/[A-Za-z0-9._/-]+")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE_URL = re.compile(r"[\s#\x00-\x1f\x7f]")
_SCHEMES = ("https", "http", "file")
_PLATFORM_PARTS = (2, 3)


def docker_build(request: BuildRequest) -> DockerBuildRequest:
    """The run request. PermanentError names the field that cannot be sent."""
    return DockerBuildRequest(
        image_names=[f"{request.repository}:{request.tag}"],
        is_push_enabled=True,
        no_cache=request.no_cache,
        source_location=source_location(request.source),
        docker_file_path=_inner_path("dockerfile", request.dockerfile),
        target=_target(request.target),
        arguments=[_argument(name, value) for name, value in sorted(request.build_args.items())],
        platform=_platform(request.platform),
        timeout=request.timeout,
        agent_pool_name=request.pool,
    )


def encoded_task(text: str, *, secrets: Mapping[str, str], timeout: int, pool: str | None) -> EncodedTaskRunRequest:
    """The run request of a task's YAML, without a source; `secrets` are the values that it names."""
    return EncodedTaskRunRequest(
        encoded_task_content=base64.b64encode(text.encode()).decode(),
        values_property=[
            SetValue(name=name, value=value, is_secret=True) for name, value in sorted(secrets.items())
        ],
        platform=_platform("linux/amd64"),
        timeout=timeout,
        agent_pool_name=pool,
    )


def task_run_name(name: str) -> str:
    """`name`, when ARM takes it as the name of a taskRuns resource."""
    if not _NAME.fullmatch(name):
        raise PermanentError(
            f"build name {name!r} must have {MIN_NAME} to {MAX_NAME} of the characters a-z, 0-9 and -"
        )
    return name


def source_location(source: Source) -> str:
    """The source as one string. PermanentError names the part that is not safe in it."""
    location = source.location
    parts = urlsplit(location)
    uploaded = not parts.scheme and _UPLOAD.fullmatch(location) and ".." not in location
    if "@" in parts.netloc:
        raise PermanentError(
            "the source location must not hold a user or a password: it would stand in every log; "
            "take them out of the URL"
        )
    if _UNSAFE_URL.search(location) or not (uploaded or parts.scheme in _SCHEMES):
        raise PermanentError(
            "the source location must be the URL of a git repository (https://host/repo.git) or of a tarball, "
            "without blanks or '#'; give ref and path as fields of their own"
        )
    if not source.ref and not source.path:
        return location
    if not source.is_git:
        raise PermanentError(
            "a source with ref or path must be a git repository, whose URL ends in .git, "
            "or has /_git/ in it on dev.azure.com or visualstudio.com"
        )
    if source.ref and (not _REF.fullmatch(source.ref) or ".." in source.ref):
        raise PermanentError(
            f"source ref {source.ref!r} is not a branch, a tag or a commit that ACR Tasks can take"
        )
    path = _inner_path("source path", source.path) if source.path else ""
    return f"{location}#{source.ref}" + (f":{path}" if path else "")


def _inner_path(what: str, path: str) -> str:
    """`path`, when it stays inside the source and holds nothing that ACR splits at (blanks: Azure/acr#871)."""
    if not _PATH.fullmatch(path) or path.startswith("-") or ".." in path.split("/"):
        raise PermanentError(f"{what} {path!r} must be a path inside the source, without blanks, '#' or ':'")
    return path


def _target(target: str | None) -> str | None:
    if target and not _PATH.fullmatch(target):
        raise PermanentError(f"target {target!r} is not the name of a build stage")
    return target


def _argument(name: str, value: str) -> Argument:
    if not _ARGUMENT.fullmatch(name) or _CONTROL.search(value):
        raise PermanentError(f"build argument {name!r} must have a plain name and a value of one line")
    return Argument(name=name, value=value, is_secret=False)


def _platform(text: str) -> PlatformProperties:
    parts = text.split("/")
    if len(parts) not in _PLATFORM_PARTS or parts[0].lower() not in ("linux", "windows"):
        raise PermanentError(f"platform {text!r} must be os/architecture or os/architecture/variant")
    variant = parts[2] if len(parts) == max(_PLATFORM_PARTS) else None
    return PlatformProperties(os=parts[0].capitalize(), architecture=parts[1], variant=variant)
