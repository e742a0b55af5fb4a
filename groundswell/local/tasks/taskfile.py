"""Task YAML (version v1.1.0), read into steps. Pure.

Offered: build, push and cmd steps with id, when, timeout, retries, retryDelay, ignoreErrors and env. Any other key
ends the run with status Error and its name: half of a task must not run as if it were the whole.
"""

import argparse
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

import yaml

from groundswell.build.port import RunStatus
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.plan import Build, Command, Push, Step, Variables

_VERSIONS = ("v1.1.0", "v1.0.0")
_ACTIONS = ("build", "push", "cmd")
_TASK_KEYS = {"version", "steps", "stepTimeout", "env"}
_STEP_KEYS = {*_ACTIONS, "id", "when", "timeout", "retries", "retryDelay", "ignoreErrors", "env"}
_STEP_TIMEOUT = 600
_IMMEDIATELY = "-"


def parse(content: str, variables: Variables) -> tuple[Step, ...]:
    """The steps of a task with every variable replaced. RunError(Error) says what is wrong."""
    try:
        task = yaml.safe_load(variables.expand(content))
    except yaml.YAMLError as exc:
        raise _error(f"the task is not YAML: {exc}") from exc
    if not isinstance(task, dict) or not isinstance(task.get("steps"), list) or not task["steps"]:
        raise _error("the task must be a mapping with a list of steps")
    _refuse_unknown(task, _TASK_KEYS, "the task")
    version = task.get("version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise _error(f"task version {version!r} is not supported; use {_VERSIONS[0]}")
    timeout = _number(task, "stepTimeout", _STEP_TIMEOUT, "the task")
    env = _env(task, "the task")
    steps: list[Step] = []
    for index, entry in enumerate(task["steps"]):
        steps.append(_step(entry, index, steps, timeout, env))
    return tuple(steps)


def _step(entry: object, index: int, earlier: list[Step], timeout: int, env: Mapping[str, str]) -> Step:
    if not isinstance(entry, dict):
        raise _error(f"step {index} must be a mapping")
    name = str(entry.get("id") or f"acb_step_{index}")
    where = f"step {name}"
    _refuse_unknown(entry, _STEP_KEYS, where)
    known = [step.id for step in earlier]
    if name in known:
        raise _error(f"{where} is there twice")
    return Step(
        id=name,
        action=_action(entry, where),
        after=_after(entry, known, where),
        timeout=_number(entry, "timeout", timeout, where),
        retries=_number(entry, "retries", 0, where),
        retry_delay=_number(entry, "retryDelay", 0, where),
        ignore_errors=bool(entry.get("ignoreErrors", False)),
        env={**env, **_env(entry, where)},
    )


def _after(entry: Mapping[str, Any], known: list[str], where: str) -> tuple[str, ...]:
    """The steps to wait for: those of `when`, or the one before."""
    if "when" not in entry:
        return tuple(known[-1:])
    when = _texts(entry["when"], f"{where}: when")
    if when == (_IMMEDIATELY,):
        return ()
    for name in when:
        if name not in known:
            raise _error(f"{where} waits for {name!r}, which is no earlier step")
    return when


def _action(entry: Mapping[str, Any], where: str) -> Build | Push | Command:
    given = [name for name in _ACTIONS if name in entry]
    if len(given) != 1:
        raise _error(f"{where} must have exactly one of build, push and cmd")
    value = entry[given[0]]
    if given[0] == "push":
        return Push(images=_texts(value, f"{where}: push"))
    if not isinstance(value, str) or not value.strip():
        raise _error(f"{where}: {given[0]} must be a command line")
    try:
        words = shlex.split(value)
    except ValueError as exc:
        raise _error(f"{where}: {given[0]}: {exc}") from exc
    return _build(words, where) if given[0] == "build" else _command(words, where)


def _build(words: list[str], where: str) -> Build:
    parser = _Parser(where)
    parser.add_argument("-t", "--tag", "--image", dest="images", action="append", default=[])
    parser.add_argument("-f", "--file", dest="dockerfile", default="Dockerfile")
    parser.add_argument("--build-arg", dest="arguments", action="append", default=[])
    parser.add_argument("--target", default="")
    parser.add_argument("--platform", default="")
    parser.add_argument("--no-cache", action="store_true")
    parser.add_argument("context")
    given = parser.parse_args(words)
    for argument in given.arguments:
        if "=" not in argument:
            raise _error(f"{where}: build: --build-arg {argument} needs a value")
    return Build(
        images=tuple(given.images),
        dockerfile=given.dockerfile,
        context=given.context,
        target=given.target,
        arguments=tuple((name, value) for name, _, value in (one.partition("=") for one in given.arguments)),
        no_cache=given.no_cache,
        platform=given.platform,
    )


def _command(words: list[str], where: str) -> Command:
    if words[0].startswith("-"):
        raise _error(f"{where}: cmd: options of docker run ({words[0]}) are not supported")
    return Command(image=words[0], words=tuple(words[1:]))


class _Parser(argparse.ArgumentParser):
    """Raises where argparse would end the process."""

    def __init__(self, where: str) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        self._where = where

    def error(self, message: str) -> NoReturn:
        raise _error(f"{self._where}: build: {message}")


def _texts(value: object, where: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(one, str) and one for one in values):
        raise _error(f"{where} must be a list of names")
    return tuple(values)


def _number(entry: Mapping[str, Any], name: str, default: int, where: str) -> int:
    value = entry.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _error(f"{where}: {name} must be a number, 0 or more")
    return value


def _env(entry: Mapping[str, Any], where: str) -> dict[str, str]:
    """A list of NAME=VALUE, or a mapping."""
    env = entry.get("env") or []
    if isinstance(env, dict):
        return {str(name): str(value) for name, value in env.items()}
    pairs = [text.partition("=") for text in _texts(env, f"{where}: env")] if env else []
    if any(not equals for _, equals, _ in pairs):
        raise _error(f"{where}: env must be a list of NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _refuse_unknown(entry: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(str(key) for key in set(entry) - known):
        raise _error(f"{where} has keys that are not supported: {', '.join(unknown)}")


def _error(message: str) -> RunError:
    return RunError(message, RunStatus.ERROR)
