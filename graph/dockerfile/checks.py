"""What BuildKit looks at only when it builds a stage: variables in its instructions, mounts, ports, modes, signals.

After dispatch in frontend/dockerfile/dockerfile2llb/convert.go. The variables and the working directory of a base
image are not known here: what depends on them is passed over, so that nothing is refused that a build might take.
"""

import posixpath
import re
from collections import ChainMap
from collections.abc import Mapping, Sequence

from graph.dockerfile import idle
from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.expansion import ExpansionError, Shell, shell_words
from graph.dockerfile.gotext import quote
from graph.dockerfile.heredoc import opened_heredoc
from graph.dockerfile.instructions import Command, read_arguments
from graph.dockerfile.lexer import Line, read_idle
from graph.dockerfile.mounts import Mount, MountError
from graph.dockerfile.ports import PortError, check_port
from graph.reference import InvalidReferenceError, check_digest

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_GIT = re.compile(r"(?:git|ssh)://|[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:|https?://[^/?#]+/[^?#]*\.git(?:[?#]|\Z)")
_URL = ("http://", "https://")
_OCTAL = re.compile(r"[0-7]{1,10}")
_SIGNAL = re.compile(
    r"(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV|STKFLT|STOP|SYS|"
    r"TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|"
    r"RTMIN(?:\+(?:[1-9]|1[0-5]))?|RTMAX(?:-(?:[1-9]|1[0-4]))?)",
    re.IGNORECASE,
)
_MAX_LAYERS = 256
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


class Environment:
    """Variables and working directory of a stage, as far as its instructions have set them; None for unknown ones.

    `closed`: the stage begins from scratch, and nothing else is set.
    """

    def __init__(self, *, closed: bool, windows: bool) -> None:
        self.closed = closed
        self.windows = windows
        self.values: ChainMap[str, str | None] = ChainMap({"PATH": _PATH} if closed and not windows else {})
        self.directory: str | None = "/" if closed else None

    def copy(self) -> "Environment":
        """For a stage that stands on this one."""
        copy = Environment(closed=self.closed, windows=self.windows)
        copy.values = self.values.new_child()
        if len(copy.values.maps) > _MAX_LAYERS:
            flat: dict[str, str | None] = {}
            for layer in reversed(self.values.maps):
                flat.update(layer)
            copy.values = ChainMap({}, flat)
        copy.directory = self.directory
        return copy


class _CheckError(ValueError):
    """BuildKit refuses the command."""


class Checker:
    """Goes through the commands of stages in order. ARG takes values from `build_args`, then `global_args`."""

    def __init__(
        self, shell: Shell, escape: str, build_args: Mapping[str, str], global_args: Mapping[str, str]
    ) -> None:
        self._shell = shell
        self._raw_shell = Shell(quotes=False)
        self._escape = escape
        self._build_args = build_args
        self._global_args = global_args
        self._environment = Environment(closed=True, windows=False)
        self._unknown: set[str] = set()

    def check(self, command: Command, environment: Environment, *, stage: str, late: Sequence[bool]) -> None:
        """`late` says of each source of the command whether it is not built yet. Raises DockerfileError."""
        self._environment = environment
        self._unknown = set()
        try:
            self._check(command, stage, late)
        except (ExpansionError, MountError, PortError, InvalidReferenceError, _CheckError) as exc:
            raise DockerfileError(str(exc), line=command.line.line, column=command.line.column) from exc

    def _check(self, command: Command, stage: str, late: Sequence[bool]) -> None:
        line = command.line
        match line.kind:
            case idle.IDLE:
                for passed in read_idle(line, self._escape):
                    self._check(Command(passed, {}), stage, ())
            case "add" | "copy":
                self._copy(command, stage, late)
            case "run":
                self._run(command, late)
            case "env":
                self._variables(line)
            case "arg":
                self._arguments(line)
            case "expose":
                for word in line.args:
                    self._ports(word)
            case "workdir":
                self._directory(line)
            case "stopsignal":
                self._signal(line.args[0])
            case "volume":
                if any(self._word(word) == "" for word in line.args):
                    raise _CheckError("VOLUME specified can not be an empty string")
            case "label" | "user":
                for word in line.args:
                    self._word(word)

    def _expand(self, word: str) -> str:
        unknown = None if self._environment.closed else self._unknown
        return self._shell.expand(word, self._environment.values, unknown)

    def _word(self, word: str) -> str | None:
        """The expanded word; None when what it is depends on the base image."""
        self._unknown.clear()
        expanded = self._expand(word)
        return None if self._unknown else expanded

    def _set(self, name: str | None, value: str | None) -> None:
        if name is not None:
            self._environment.values[name] = value

    def _variables(self, line: Line) -> None:
        words = [self._word(word) for word in line.args]
        for name, value in zip(words[::2], words[1::2], strict=True):
            self._set(name, value)

    def _directory(self, line: Line) -> None:
        path = self._word(line.args[0])
        self._drive(path, "normalizing workdir: normalizing working directory: removing drive letter")
        directory = self._environment.directory
        known = path is not None and (path.startswith("/") or directory is not None)
        self._environment.directory = posixpath.join(directory or "/", path or "") if known else None

    def _arguments(self, line: Line) -> None:
        for argument in read_arguments(line):
            name = argument.name
            if name in self._build_args:
                self._set(name, self._build_args[name])
            elif argument.value is not None:
                self._set(name, self._word(argument.value))
            elif name in self._global_args:
                self._set(name, self._global_args[name])

    def _copy(self, command: Command, stage: str, late: Sequence[bool]) -> None:
        line, flags = command.line, command.flags
        self._word(flags.get("chown", [""])[-1])
        mode = self._word(flags.get("chmod", [""])[-1])
        checksum = self._word(flags.get("checksum", [""])[-1])
        heredocs = [heredoc for word in line.args[:-1] if (heredoc := opened_heredoc(word)) is not None]
        sources = [self._word(word) for word in line.args[:-1] if opened_heredoc(word) is None]
        destination = self._word(line.args[-1])
        contents = {heredoc.name: heredoc.content for heredoc in line.heredocs}
        for heredoc in heredocs:
            if heredoc.expand:
                unknown = None if self._environment.closed else self._unknown
                self._raw_shell.expand(contents.get(heredoc.name, ""), self._environment.values, unknown)
        if any(late):
            before = f"it needs to be defined before current stage {quote(stage)}"
            raise _CheckError(f"cannot copy from stage {quote(command.copies)}, {before}")
        self._drive(destination, "removing drive letter")
        if mode and mode[0].isdigit() and not (_OCTAL.fullmatch(mode) and int(mode, 8) <= 0o7777):
            expected = "it should be octal string and between 0 and 07777"
            raise _CheckError(f"invalid chmod parameter: '{mode}'. {expected}")
        if checksum and len(sources) != 1:
            raise _CheckError("checksum can't be specified for multiple sources")
        if checksum and sources[0] is not None and not (sources[0].startswith(_URL) or _GIT.match(sources[0])):
            raise _CheckError("checksum requires HTTP(S) or Git sources")
        if checksum and sources[0] is not None and not _GIT.match(sources[0]):
            check_digest(checksum)
        for source in sources if line.kind == "copy" else ():
            if source is not None and _GIT.match(source):
                raise _CheckError("source can't be a git ref for COPY")
            if source is not None and source.startswith(_URL):
                raise _CheckError("source can't be a URL for COPY")
        for source in sources:
            if source is not None and not source.startswith(_URL) and not _GIT.match(source):
                self._drive(source, "removing drive letter: removing drive letter")
        for heredoc in heredocs:
            self._drive(heredoc.name, "removing drive letter")

    def _drive(self, path: str | None, problem: str) -> None:
        """On Windows, a path may name the system drive and no other."""
        if path is None or not self._environment.windows:
            return
        if len(path) == 2 and path[1] == ":":
            raise _CheckError(f"{problem}: No relative path specified in {quote(path)}")
        if path[:2].replace("\\", "/") == "//":
            raise _CheckError(f"{problem}: UNC paths are not supported")
        if ":" in path and path.partition(":")[0] not in ("c", "C"):
            raise _CheckError(f"{problem}: The specified path is not on the system drive (C:)")

    def _run(self, command: Command, late: Sequence[bool]) -> None:
        self._unknown.clear()
        mounts = [Mount(text, self._expand) for text in command.flags.get("mount", ())]
        unknown = bool(self._unknown)
        for mount, is_late in zip(mounts, late, strict=True):
            if mount.origin and is_late:
                names = f"from stage {quote(mount.origin)} to {quote(mount.target)}"
                raise _CheckError(f"cannot mount {names}, stage needs to be defined before current command")
            if mount.type == "secret":
                continue
            if mount.type == "ssh":
                if mount.source:
                    raise _CheckError("ssh does not support source")
                continue
            target: str | None = mount.target
            if not mount.target.startswith("/"):
                directory = self._environment.directory
                target = None if directory is None else posixpath.normpath(posixpath.join(directory, mount.target))
            if target == "/" and not unknown:
                raise _CheckError('invalid mount target "/"')
        if command.line.is_json and not command.line.args:
            raise _CheckError("arguments are required")

    def _ports(self, word: str) -> None:
        self._unknown.clear()
        unknown = None if self._environment.closed else self._unknown
        ports = shell_words(word, self._environment.values, self._escape, unknown)
        for port in ports if not self._unknown else ():
            check_port(port)

    def _signal(self, word: str) -> None:
        signal = self._word(word)
        if signal is None or _SIGNAL.fullmatch(signal):
            return
        if not _NUMBER.fullmatch(signal) or int(signal) == 0:
            raise _CheckError(f"invalid signal: {signal}")
