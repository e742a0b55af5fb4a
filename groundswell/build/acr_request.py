"""What a build asks of ACR Tasks, as its SDK says it. Pure; refuses what could be read as something else there."""

import base64
import re
from collections.abc import Mapping

from azure.mgmt.containerregistrytasks.models import (
    Argument,
    DockerBuildRequest,
    EncodedTaskRunRequest,
    PlatformProperties,
    SetValue,
)

from groundswell.build.checks import build_argument, inner_path, source_location, target_stage
from groundswell.build.port import MAX_NAME, BuildRequest
from groundswell.errors import PermanentError

MIN_NAME = 5
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{{MIN_NAME - 1},{MAX_NAME - 1}}}")
_PLATFORM_PARTS = (2, 3)


def docker_build(request: BuildRequest) -> DockerBuildRequest:
    """The run request. PermanentError names the field that cannot be sent."""
    return DockerBuildRequest(
        image_names=[f"{request.repository}:{request.tag}"],
        is_push_enabled=True,
        no_cache=request.no_cache,
        source_location=source_location(request.source),
        docker_file_path=inner_path("dockerfile", request.dockerfile),
        target=target_stage(request.target),
        arguments=[
            Argument(name=build_argument(name, value), value=value, is_secret=False)
            for name, value in sorted(request.build_args.items())
        ],
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


def _platform(text: str) -> PlatformProperties:
    parts = text.split("/")
    if len(parts) not in _PLATFORM_PARTS or parts[0].lower() not in ("linux", "windows"):
        raise PermanentError(f"platform {text!r} must be os/architecture or os/architecture/variant")
    variant = parts[2] if len(parts) == max(_PLATFORM_PARTS) else None
    return PlatformProperties(os=parts[0].capitalize(), architecture=parts[1], variant=variant)
