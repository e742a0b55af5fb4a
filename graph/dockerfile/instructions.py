"""From lines to stages: what each instruction may look like, and what of it matters for lineage.

After BuildKit's frontend/dockerfile/instructions (parse.go, bflag.go, commands_runmount.go).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.lexer import Line, Source, is_heredoc, lex, quoted_words, words

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?=,|\Z)')
_VARIABLE = re.compile(r"\$.")

_ONE, _LIST, _BOOL = "one", "list", "bool"
_FLAGS: Mapping[str, Mapping[str, str]] = {
    "add": {
        "chmod": _ONE,
        "checksum": _ONE,
        "chown": _ONE,
        "exclude": _LIST,
        "keep-git-dir": _BOOL,
        "link": _BOOL,
        "unpack": _BOOL,
    },
    "copy": {
        "chmod": _ONE,
        "chown": _ONE,
        "exclude": _LIST,
        "from": _ONE,
        "link": _BOOL,
        "parents": _BOOL,
    },
    "from": {"platform": _ONE},
    "healthcheck": {
        "interval": _ONE,
        "retries": _ONE,
        "start-interval": _ONE,
        "start-period": _ONE,
        "timeout": _ONE,
    },
    "run": {"device": _LIST, "mount": _LIST, "network": _ONE, "security": _ONE},
}
_PLAIN = frozenset(
    "arg cmd entrypoint env expose label maintainer onbuild shell stopsignal user volume workdir".split()
)
_EXACTLY_ONE = frozenset("maintainer stopsignal user workdir".split())
_AT_LEAST_ONE = frozenset("expose volume onbuild".split())
_MOUNT_TYPES = frozenset("bind cache tmpfs secret ssh".split())
_MOUNT_KEYS = frozenset(
    "type from source src target dst destination readonly ro readwrite rw required id sharing size mode uid gid "
    "env".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One ARG; `value` None when it has no default."""

    name: str
    value: str | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A stage or image that an instruction takes something from. `index`: a number means a stage there."""

    source: str
    line: int
    index: bool = False
    checked: bool = True
    """False where BuildKit does not mind a source that comes later: a mount without `from`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A RUN --mount whose keys are checked only where the stage is built."""

    text: str
    line: int


@dataclass(slots=True, kw_only=True)
class Stage:
    base: str
    name: str
    platform: str
    line: int
    column: int
    uses: list[Use] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """Arguments before the first FROM, and the stages."""

    arguments: tuple[Argument, ...]
    stages: tuple[Stage, ...]
    escape: str
    syntax: str | None


def parse(text: str) -> Dockerfile:
    """The stages of a Dockerfile. Raises DockerfileError for what BuildKit's parser refuses."""
    source = lex(text)
    arguments: list[Argument] = []
    stages: list[Stage] = []
    for line in source.lines:
        _parse(line, source, arguments, stages)
    if not stages:
        raise DockerfileError("dockerfile contains no stages to build", line=source.lines[-1].line)
    return Dockerfile(arguments=tuple(arguments), stages=tuple(stages), escape=source.escape, syntax=source.syntax)


def parse_trigger(text: str, stage: Stage) -> None:
    """Add what an ONBUILD trigger of the base asks for to `stage`."""
    try:
        _trigger_line(lex(text), stage)
    except DockerfileError as exc:
        raise DockerfileError(exc.reason, line=stage.line) from exc


def _trigger_line(source: Source, stage: Stage) -> None:
    if len(source.lines) != 1:
        raise DockerfileError("onbuild trigger should be a single expression")
    (line,) = source.lines
    name = line.name.lower()
    if name == "from":
        raise _error(line, "*instructions.Stage is not a command type")
    if name == "arg":
        _arguments(line, source.escape)
    else:
        _command(line, name, stage, source.escape)


def _parse(line: Line, source: Source, arguments: list[Argument], stages: list[Stage]) -> None:
    name = line.name.lower()
    if name not in _FLAGS and name not in _PLAIN:
        raise _error(line, f"unknown instruction: {line.name}")
    if name == "from":
        stages.append(_stage(line))
        return
    if name == "arg":
        found = _arguments(line, source.escape)
        if not stages:
            arguments.extend(found)
        return
    if not stages:
        empty = Stage(base="", name="", platform="", line=line.line, column=line.column)
        _command(line, name, empty, source.escape)
        raise _error(line, "no build stage in current context")
    _command(line, name, stages[-1], source.escape)


def _stage(line: Line) -> Stage:
    arguments = words(line.text)
    name = ""
    if len(arguments) == 3 and arguments[1].lower() == "as":
        name = arguments[2].lower()
        if not _STAGE_NAME.fullmatch(name):
            raise _error(
                line,
                f'invalid name for build stage: "{arguments[2]}", stage name can\'t start with a number or contain '
                "symbols",
            )
    elif len(arguments) != 1:
        raise _error(line, "FROM requires either one or three arguments")
    flags = _read_flags(line, "from")
    return Stage(
        base=arguments[0],
        name=name,
        platform=flags.get("platform", [""])[-1],
        line=line.line,
        column=line.column,
    )


def _arguments(line: Line, escape: str) -> list[Argument]:
    _read_flags(line, "arg")
    pairs = quoted_words(line.text, escape)
    if not pairs:
        raise _error(line, "ARG requires at least one argument")
    found = []
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if equals and not key:
            raise _error(line, "ARG names can not be blank")
        found.append(Argument(name=key, value=value if equals else None, line=line.line))
    return found


def _command(line: Line, name: str, stage: Stage, escape: str) -> None:
    if name not in _FLAGS and name not in _PLAIN:
        raise _error(line, f"unknown instruction: {line.name}")
    given = list(line.array) if line.array is not None else words(line.text)
    shown = name.upper()
    if name in ("copy", "add") and len(given) < 2:
        only_one = "requires at least two arguments, but only one was provided. Destination could not be determined"
        raise _error(line, f"{shown} {only_one}")
    if name in _EXACTLY_ONE and not line.text:
        raise _error(line, f"{shown} requires exactly one argument")
    if name in _AT_LEAST_ONE and not given:
        raise _error(line, f"{shown} requires at least one argument")
    if name in ("copy", "add") and is_heredoc(given[-1]):
        raise _error(line, f"{shown} cannot accept a heredoc as a destination")
    if name in ("env", "label"):
        _check_pairs(line, shown, escape)
    if name == "healthcheck":
        _check_health(line)
    if name == "shell" and not given:
        raise _error(line, "SHELL requires at least one argument")
    if name == "shell" and line.array is None:
        raise _error(line, f"SHELL requires the arguments to be in JSON form: {line.text}")
    flags = _read_flags(line, name)
    if name == "copy" and flags.get("from", [""])[-1]:
        stage.uses.append(Use(source=flags["from"][-1], line=line.line, index=True))
    elif name == "run":
        for mount in flags.get("mount", []):
            source = _mount_source(mount, line)
            stage.uses.append(Use(source=source or "scratch", line=line.line, checked=bool(source)))
            stage.mounts.append(Mount(text=mount, line=line.line))
    elif name == "onbuild":
        stage.triggers.append(_trigger(line))


def _check_pairs(line: Line, shown: str, escape: str) -> None:
    pairs = quoted_words(line.text, escape)
    if not pairs:
        raise _error(line, f"{shown} requires at least one argument")
    if "=" not in pairs[0]:
        if len(words(line.text)) < 2:
            raise _error(line, f"{shown} must have two arguments")
        return
    for pair in pairs:
        if "=" not in pair:
            reason = f'Syntax error - can\'t find = in "{pair}". Must be of the form: name=value'
            raise _error(line, reason)
    if any(pair.startswith("=") for pair in pairs):
        raise _error(line, f"{shown} names can not be blank")


def _check_health(line: Line) -> None:
    given = words(line.text)
    if not given:
        raise _error(line, "HEALTHCHECK requires at least one argument")
    kind = given[0].upper()
    if kind == "NONE" and len(given) > 1:
        raise _error(line, "HEALTHCHECK NONE takes no arguments")
    if kind == "CMD" and len(given) == 1:
        raise _error(line, "Missing command after HEALTHCHECK CMD")
    if kind not in ("NONE", "CMD"):
        raise _error(line, f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')


def _trigger(line: Line) -> str:
    word = words(line.text)[0].upper()
    if word == "ONBUILD":
        raise _error(line, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in ("MAINTAINER", "FROM"):
        raise _error(line, f"{word} isn't allowed as an ONBUILD trigger")
    # The lexer took flags off the front of what follows ONBUILD only if it began with them, which no trigger does.
    return line.text


def _read_flags(line: Line, name: str) -> dict[str, list[str]]:
    known = _FLAGS.get(name, {})
    found: dict[str, list[str]] = {}
    for flag in line.flags:
        key, equals, value = flag.removeprefix("--").partition("=")
        if key not in known:
            raise _error(line, f"unknown flag: --{key}")
        if key in found and known[key] != _LIST:
            raise _error(line, f"duplicate flag specified: --{key}")
        if known[key] == _BOOL:
            if value.lower() not in ("", "true", "false"):
                raise _error(line, f"expecting boolean value for flag --{key}, not: {value}")
        elif not equals:
            raise _error(line, f"missing a value on flag: --{key}")
        found.setdefault(key, []).append(value)
    return found


def _fields(text: str, line: int) -> list[str]:
    """Comma-separated values as Go's encoding/csv reads them: quotes around a whole field, or none."""
    fields: list[str] = []
    index = 0
    while True:
        if text.startswith('"', index):
            found = _QUOTED.match(text, index)
            if found is None:
                raise DockerfileError(
                    'failed to parse csv mounts: extraneous or missing " in quoted-field', line=line
                )
            fields.append(found[1].replace('""', '"'))
            index = found.end()
        else:
            end = text.find(",", index)
            end = len(text) if end < 0 else end
            if '"' in text[index:end]:
                raise DockerfileError('failed to parse csv mounts: bare " in non-quoted-field', line=line)
            fields.append(text[index:end])
            index = end
        if index >= len(text):
            return fields
        index += 1


def _mount_source(text: str, line: Line) -> str:
    """What a mount's `from` names, empty when it names nothing."""
    source = ""
    for one in _fields(text, line.line):
        key, equals, value = one.partition("=")
        if equals and key.lower() == "from":
            if _VARIABLE.search(value):
                raise _error(line, "'from' doesn't support variable expansion, define alias stage instead")
            source = value
    return source


def check_mount(mount: Mount) -> None:
    """What BuildKit looks at only when it builds the stage: the other keys of a mount."""
    for one in _fields(mount.text, mount.line):
        key, equals, value = one.partition("=")
        key = key.lower()
        if not equals and key not in ("readonly", "ro", "readwrite", "rw", "required"):
            raise DockerfileError(f"invalid field '{one}' must be a key=value pair", line=mount.line)
        if key not in _MOUNT_KEYS:
            raise DockerfileError(f"unexpected key '{key}' in '{one}'", line=mount.line)
        if key == "type" and "$" not in value and value.lower() not in _MOUNT_TYPES:
            raise DockerfileError(f'unsupported mount type "{value}"', line=mount.line)


def _error(line: Line, reason: str) -> DockerfileError:
    return DockerfileError(reason, line=line.line, column=line.column)
