"""Run requests of the ARM API, read into plans. Pure: a refusal is an ArmError with status 400.

Not offered, and refused with a message: FileTaskRunRequest, Windows agents, credentials of a key vault or an
identity.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

import yaml

from groundswell.local.tasks import taskfile
from groundswell.local.tasks.errors import bad_request
from groundswell.local.tasks.fields import Fields
from groundswell.local.tasks.model import Json, Limits
from groundswell.local.tasks.plan import Build, Plan, Platform, Push, Step, Variables

type FindTask = Callable[[str], Json | None]
type Pairs = tuple[tuple[str, str], ...]

_ARCHITECTURES = {"amd64": "amd64", "x86": "386", "386": "386", "arm": "arm", "arm64": "arm64"}
_DEFAULT_TIMEOUT = 3600


def read_request(body: object, *, limits: Limits, find_task: FindTask) -> Plan:
    """The plan of a run request; `find_task` gives a registered task by its ARM id."""
    fields = Fields(body)
    kind = fields.text("type")
    if kind == "TaskRunRequest":
        return _task_run(fields, limits, find_task)
    if kind == "DockerBuildRequest":
        return _docker_build(fields, fields, limits, source=fields.text("sourceLocation", ""))
    if kind == "EncodedTaskRunRequest":
        return _encoded_task(fields, fields, limits, source=fields.text("sourceLocation", ""))
    raise bad_request(f"request type '{kind}' is not supported")


def _task_run(fields: Fields, limits: Limits, find_task: FindTask) -> Plan:
    task_id = fields.text("taskId")
    task = find_task(task_id)
    if task is None:
        raise bad_request(f"task '{task_id}' was not found", "TaskNotFound")
    properties = Fields(task["properties"])
    if properties.text("status", "Enabled") != "Enabled":
        raise bad_request(f"task '{task['name']}' is disabled", "TaskDisabled")
    over = fields.child("overrideTaskStepProperties")
    step = Fields(_overridden(task["properties"].get("step") or {}, over), "step")
    read = {"Docker": _docker_build, "EncodedTask": _encoded_task}.get(step.text("type"))
    if read is None:
        raise bad_request(f"step type '{step.text('type')}' of task '{task['name']}' is not supported")
    return read(
        step,
        properties,
        limits,
        source=step.text("contextPath", ""),
        task=str(task["name"]),
        trigger_token=over.optional("updateTriggerToken"),
    )


def _overridden(step: Json, over: Fields) -> Json:
    """The step with the overrides in place: named arguments and values win over the task's own."""
    changed = dict(step)
    if path := over.optional("contextPath"):
        changed["contextPath"] = path
    if file := over.optional("file"):
        changed["dockerFilePath"] = file
    if target := over.optional("target"):
        changed["target"] = target
    for name in ("arguments", "values"):
        own = {one["name"]: one for one in step.get(name) or []}
        for one in over.children(name):
            key = one.text("name")
            own[key] = {"name": key, "value": one.text("value"), "isSecret": one.flag("isSecret", default=False)}
        changed[name] = list(own.values())
    return changed


def _docker_build(
    step: Fields,
    run: Fields,
    limits: Limits,
    *,
    source: str,
    task: str | None = None,
    trigger_token: str | None = None,
) -> Plan:
    platform = _platform(run)
    arguments, secrets = _pairs(step, "arguments")
    build = Build(
        images=step.texts("imageNames"),
        dockerfile=step.text("dockerFilePath"),
        target=step.text("target", ""),
        arguments=arguments,
        no_cache=step.flag("noCache", default=False),
        platform=str(platform),
    )
    pushed = step.flag("isPushEnabled", default=True)

    def steps(variables: Variables) -> tuple[Step, ...]:
        images = tuple(_qualified(variables.expand(name), variables.run["Registry"]) for name in build.images)
        ready = Build(
            images=images,
            dockerfile=build.dockerfile,
            target=build.target,
            arguments=tuple((name, variables.expand(value)) for name, value in build.arguments),
            no_cache=build.no_cache,
            platform=build.platform,
        )
        first = Step(id="build", action=ready, timeout=0)
        if not (pushed and images):
            return (first,)
        return (first, Step(id="push", action=Push(images=images), after=("build",), timeout=0))

    return _plan(
        run,
        limits,
        run_type="QuickBuild" if task is None else "AutoBuild",
        source=source,
        platform=platform,
        steps=steps,
        secrets=secrets,
        task=task,
        trigger_token=trigger_token,
    )


def _encoded_task(
    step: Fields,
    run: Fields,
    limits: Limits,
    *,
    source: str,
    task: str | None = None,
    trigger_token: str | None = None,
) -> Plan:
    content = _decoded(step.text("encodedTaskContent"), "encodedTaskContent")
    pairs, secrets = _pairs(step, "values")
    values = {**_values_file(step.text("encodedValuesContent", "")), **dict(pairs)}

    def steps(variables: Variables) -> tuple[Step, ...]:
        return taskfile.parse(content, variables.with_values(values))

    return _plan(
        run,
        limits,
        run_type="QuickRun" if task is None else "AutoRun",
        source=source,
        platform=_platform(run),
        steps=steps,
        secrets=secrets,
        task=task,
        trigger_token=trigger_token,
    )


def _plan(
    run: Fields,
    limits: Limits,
    *,
    run_type: str,
    source: str,
    platform: Platform,
    steps: Callable[[Variables], tuple[Step, ...]],
    secrets: tuple[str, ...],
    task: str | None,
    trigger_token: str | None,
) -> Plan:
    pool = run.optional("agentPoolName")
    if pool and pool not in limits.pools:
        raise bad_request(f"agent pool '{pool}' was not found", "AgentPoolNotFound")
    logins, own_login = _credentials(run.child("credentials"))
    return Plan(
        run_type=run_type,
        source=source,
        timeout=_timeout(run, limits),
        platform=platform,
        steps=steps,
        pool=pool,
        task=task,
        trigger_token=trigger_token,
        archived=run.flag("isArchiveEnabled", default=False),
        secrets=secrets + tuple(password for _, password in logins.values()),
        logins=logins,
        own_login=own_login,
    )


def _platform(run: Fields) -> Platform:
    platform = run.child("platform")
    if platform.text("os").lower() != "linux":
        raise bad_request("'platform.os' must be Linux: this service has no Windows agents", "UnsupportedPlatform")
    architecture = platform.text("architecture", "amd64").lower()
    if architecture not in _ARCHITECTURES:
        raise bad_request(f"'platform.architecture' {architecture!r} is not one of {', '.join(_ARCHITECTURES)}")
    return Platform(architecture=_ARCHITECTURES[architecture], variant=platform.text("variant", "").lower())


def _timeout(run: Fields, limits: Limits) -> int:
    timeout = run.number("timeout", _DEFAULT_TIMEOUT)
    if not limits.min_timeout <= timeout <= limits.max_timeout:
        raise bad_request(
            f"'timeout' must be from {limits.min_timeout} to {limits.max_timeout} seconds, not {timeout}"
        )
    return timeout


def _pairs(fields: Fields, name: str) -> tuple[Pairs, tuple[str, ...]]:
    """Names with values, and the values that are secret."""
    entries = fields.children(name)
    pairs = tuple((one.text("name"), one.text("value")) for one in entries)
    secrets = tuple(one.text("value") for one in entries if one.flag("isSecret", default=False))
    return pairs, secrets


def _credentials(fields: Fields) -> tuple[Mapping[str, tuple[str, str]], bool]:
    source = fields.child("sourceRegistry")
    own_login = source.text("loginMode", "Default") == "Default"
    logins = {}
    for host, entry in fields.entries("customRegistries").items():
        logins[host] = (_secret(entry, "userName"), _secret(entry, "password"))
    return logins, own_login


def _secret(entry: Fields, name: str) -> str:
    secret = entry.child(name)
    if secret.text("type", "Opaque") != "Opaque":
        raise bad_request(f"'{name}' of a custom registry must be Opaque: this service has no key vault")
    return secret.text("value")


def _decoded(text: str, name: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise bad_request(f"'{name}' is not base64 of UTF-8 text") from exc


def _values_file(text: str) -> dict[str, str]:
    try:
        values = yaml.safe_load(_decoded(text, "encodedValuesContent")) if text else {}
    except yaml.YAMLError as exc:
        raise bad_request("'encodedValuesContent' is not YAML") from exc
    if not isinstance(values or {}, dict):
        raise bad_request("'encodedValuesContent' must be a mapping")
    return {str(name): str(value) for name, value in (values or {}).items()}


def _qualified(name: str, registry: str) -> str:
    """Image names are relative to the registry unless they begin with it."""
    return name if name.startswith(f"{registry}/") else f"{registry}/{name}"
