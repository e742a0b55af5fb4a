"""The flags of an instruction: which it has, and what they may hold.

After frontend/dockerfile/instructions/bflag.go and the AddString and AddBool calls of parse.go.
"""

from collections.abc import Mapping

from graph.dockerfile.errors import DockerfileError
from graph.dockerfile.lexer import Line

_ONE, _LIST, _BOOL = "one", "list", "bool"
_NONE: Mapping[str, str] = {}
_KNOWN: Mapping[str, Mapping[str, str]] = {
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
# These read no flags at all, whatever stands there.
_NO_FLAGS: Mapping[str, list[str]] = {}
_BLIND = frozenset(("arg", "stopsignal"))


def read_flags(line: Line) -> Mapping[str, list[str]]:
    """Name to values, for the flags that are there. Raises DockerfileError."""
    if not line.flags:
        return _NO_FLAGS
    found: dict[str, list[str]] = {}
    known = _KNOWN.get(line.kind, _NONE)
    for flag in line.flags if line.kind not in _BLIND else ():
        name, equals, value = flag.partition("=")
        name = name[2:]
        kind = known.get(name)
        if kind is None:
            raise _error(line, f"unknown flag: --{name}")
        if name in found and kind != _LIST:
            raise _error(line, f"duplicate flag specified: --{name}")
        if kind == _BOOL:
            if equals and not value:
                raise _error(line, f"missing a value on flag: --{name}")
            if value.lower() not in ("", "true", "false"):
                raise _error(line, f"expecting boolean value for flag --{name}, not: {value}")
        elif not equals:
            raise _error(line, f"missing a value on flag: --{name}")
        found.setdefault(name, []).append(value)
    return found


def _error(line: Line, reason: str) -> DockerfileError:
    return DockerfileError(reason, line=line.line, column=line.column)
