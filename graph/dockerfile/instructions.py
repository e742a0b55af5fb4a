"""From lines to stages: what each instruction may look like, and what of it matters for lineage.

After BuildKit's frontend/dockerfile/instructions (parse.go).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.flags import read_flags
from graph.dockerfile.gotext import SPACES, quote
from graph.dockerfile.health import HealthError, check_health_flags
from graph.dockerfile.heredoc import opened_heredoc
from graph.dockerfile.idle import IDLE
from graph.dockerfile.lexer import Line, lex
from graph.dockerfile.look import Look, look
from graph.dockerfile.mounts import MountError, mount_source

_NO_FLAGS: Mapping[str, list[str]] = {}
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_ONBUILD = re.compile(rf"[{SPACES}]*ONBUILD[\t\n\f\r ]*", re.IGNORECASE)


class Argument(NamedTuple):
    """One ARG; `value` None when it has no default."""

    name: str
    value: str | None


class Command(NamedTuple):
    """An instruction in a stage that names images or stages, or that is looked at again when the stage is built."""

    line: Line
    flags: Mapping[str, list[str]]
    copies: str = ""
    """The stage or image that a COPY takes from."""
    mounts: tuple[str, ...] = ()
    """The stages or images of a RUN's mounts; scratch for those that name none."""
    look: Look = Look.NOT


@dataclass(slots=True, kw_only=True)
class Stage:
    """A FROM and what follows it. `triggers` are what its ONBUILDs say, for the stages that stand on it."""

    base: str
    name: str
    platform: str
    line: int
    column: int
    commands: list[Command] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """The ARGs before the first FROM, each with its line, and the stages."""

    arguments: tuple[tuple[Argument, Line], ...]
    stages: tuple[Stage, ...]
    escape: str


def parse(text: str) -> Dockerfile:
    """The stages of a Dockerfile. Raises DockerfileError for what BuildKit's parser refuses."""
    lines, escape = lex(text)
    arguments: list[tuple[Argument, Line]] = []
    stages: list[Stage] = []
    for line in lines:
        kind = line.kind
        if kind is IDLE:
            stages[-1].commands.append(Command(line, _NO_FLAGS))
        elif kind == "from":
            stages.append(_stage(line))
        elif stages:
            _command(line, stages[-1])
        elif kind == "arg":
            arguments += ((argument, line) for argument in read_arguments(line))
        else:
            _command(line, Stage(base="", name="", platform="", line=line.line, column=line.column))
            raise _error(line, "no build stage in current context")
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build", line=lines[-1].line)
    return Dockerfile(arguments=tuple(arguments), stages=tuple(stages), escape=escape)


def parse_trigger(text: str, *, line: int, column: int) -> Stage:
    """What an ONBUILD trigger of a base adds to a stage that begins at `line`. Raises DockerfileError."""
    stage = Stage(base="", name="", platform="", line=line, column=column)
    try:
        lines = lex(text).lines
        _trigger(lines, stage)
    except DockerfileError as exc:
        raise DockerfileError(exc.reason, line=line, column=column) from exc
    return stage


def _trigger(lines: Sequence[Line], stage: Stage) -> None:
    if len(lines) != 1:
        raise DockerfileError("onbuild trigger should be a single expression")
    line = lines[0]._replace(line=stage.line, column=stage.column)
    if line.kind == "from":
        _stage(line)
        raise _error(line, "*instructions.Stage is not a command type")
    _command(line, stage)


def read_arguments(line: Line) -> list[Argument]:
    """What an ARG declares. Raises DockerfileError."""
    if not line.args:
        raise _error(line, "ARG requires at least one argument")
    found = []
    for pair in line.args:
        name, equals, value = pair.partition("=")
        if equals and not name:
            raise _error(line, "ARG names can not be blank")
        found.append(Argument(name, value if equals else None))
    return found


def _stage(line: Line) -> Stage:
    args = line.args
    name = ""
    if len(args) == 3 and args[1].lower() == "as":
        name = args[2].lower()
        if not _STAGE_NAME.fullmatch(name):
            reason = "stage name can't start with a number or contain symbols"
            raise _error(line, f"invalid name for build stage: {quote(args[2])}, {reason}")
    elif len(args) != 1:
        raise _error(line, "FROM requires either one or three arguments")
    platform = read_flags(line).get("platform", [""])[-1]
    return Stage(base=args[0], name=name, platform=platform, line=line.line, column=line.column)


def _command(line: Line, stage: Stage) -> None:
    read = _READERS.get(line.kind)
    if read is None:
        raise _error(line, f"unknown instruction: {line.name}")
    read(line, stage)


def _copy(line: Line, stage: Stage) -> None:
    shown = line.kind.upper()
    if len(line.args) < 2:
        only_one = "requires at least two arguments, but only one was provided. Destination could not be determined"
        raise _error(line, f"{shown} {only_one}")
    flags = read_flags(line)
    if opened_heredoc(line.args[-1]) is not None:
        raise _error(line, f"{shown} cannot accept a heredoc as a destination")
    source, needs = flags.get("from", [""])[-1], look(line, flags)
    if source or needs:
        stage.commands.append(Command(line, flags, copies=source, look=needs))


def _run(line: Line, stage: Stage) -> None:
    flags = read_flags(line)
    try:
        mounts = tuple(mount_source(mount) or "scratch" for mount in flags.get("mount", ()))
    except MountError as exc:
        raise _error(line, str(exc)) from exc
    network = flags.get("network", ["default"])[-1]
    if network not in ("default", "none", "host"):
        raise _error(line, f"invalid network mode {quote(network)}")
    security = flags.get("security", ["sandbox"])[-1]
    if security not in ("insecure", "sandbox"):
        raise _error(line, f"security {quote(security)} is not valid")
    if mounts or (line.is_json and not line.args):
        stage.commands.append(Command(line, flags, mounts=mounts, look=look(line, flags)))


def _shell_form(line: Line, _stage: Stage) -> None:
    read_flags(line)


def _argument(line: Line, stage: Stage) -> None:
    read_arguments(line)
    stage.commands.append(Command(line, _NO_FLAGS, look=look(line, _NO_FLAGS)))


def _pairs(line: Line, stage: Stage) -> None:
    read_flags(line)
    if not line.args:
        raise _error(line, f"{line.kind.upper()} requires at least one argument")
    if not all(line.args[::2]):
        raise _error(line, f"{line.kind.upper()} names can not be blank")
    stage.commands.append(Command(line, _NO_FLAGS, look=look(line, _NO_FLAGS)))


def _exactly_one(line: Line, stage: Stage) -> None:
    if len(line.args) != 1:
        raise _error(line, f"{line.kind.upper()} requires exactly one argument")
    read_flags(line)
    stage.commands.append(Command(line, _NO_FLAGS, look=look(line, _NO_FLAGS)))


def _at_least_one(line: Line, stage: Stage) -> None:
    if not line.args:
        raise _error(line, f"{line.kind.upper()} requires at least one argument")
    read_flags(line)
    if line.kind == "volume" and not all(arg.strip(SPACES) for arg in line.args):
        raise _error(line, "VOLUME specified can not be an empty string")
    stage.commands.append(Command(line, _NO_FLAGS, look=look(line, _NO_FLAGS)))


def _shell(line: Line, _stage: Stage) -> None:
    read_flags(line)
    if not line.args:
        raise _error(line, "SHELL requires at least one argument")
    if not line.is_json:
        raise _error(line, "SHELL requires the arguments to be in JSON form")


def _onbuild(line: Line, stage: Stage) -> None:
    if not line.args:
        raise _error(line, "ONBUILD requires at least one argument")
    read_flags(line)
    word = line.args[0].strip(SPACES).upper()
    if word == "ONBUILD":
        raise _error(line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in ("MAINTAINER", "FROM"):
        raise _error(line, f"{word} isn't allowed as an ONBUILD trigger")
    heredocs = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in line.heredocs)
    stage.triggers.append(_ONBUILD.sub("", line.original, count=1) + heredocs)


def _health(line: Line, _stage: Stage) -> None:
    if not line.args:
        raise _error(line, "HEALTHCHECK requires at least one argument")
    kind = line.args[0].upper()
    if kind == "NONE":
        if len(line.args) > 1:
            raise _error(line, "HEALTHCHECK NONE takes no arguments")
        return
    flags = read_flags(line)
    if kind != "CMD":
        raise _error(line, f"Unknown type {quote(kind)} in HEALTHCHECK (try CMD)")
    if len(line.args) == 1:
        raise _error(line, "Missing command after HEALTHCHECK CMD")
    try:
        check_health_flags(flags)
    except HealthError as exc:
        raise _error(line, str(exc)) from exc


_READERS: Mapping[str, Callable[[Line, Stage], None]] = {
    "add": _copy,
    "arg": _argument,
    "cmd": _shell_form,
    "copy": _copy,
    "entrypoint": _shell_form,
    "env": _pairs,
    "expose": _at_least_one,
    "healthcheck": _health,
    "label": _pairs,
    "maintainer": _exactly_one,
    "onbuild": _onbuild,
    "run": _run,
    "shell": _shell,
    "stopsignal": _exactly_one,
    "user": _exactly_one,
    "volume": _at_least_one,
    "workdir": _exactly_one,
}


def _error(line: Line, reason: str) -> DockerfileError:
    return DockerfileError(reason, line=line.line, column=line.column)
