"""How closely an instruction has to be looked at when its stage is built: most are sound at a glance."""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum

from graph.dockerfile.lexer import Line

_PLAIN_MOUNT = re.compile(
    r"""(?:type=(?:bind|cache),|(?:from|id|source|src)=[^,"$]+,)*(?:target|dst)=/[^,"$/][^,"$]*"""
)

_MUTE = frozenset(("chown", "exclude", "from", "link", "parents"))
_MAGIC = re.compile(r"[$'\"\\`\ufeff]")
# What expands whatever its variables hold: no quote left open, no operator in `${}`.
_SOUND = re.compile(
    r"""(?:[^$'"\\`\ufeff]+|"[^"$\\`]*+"|'[^']*+'|\$[A-Za-z_]\w*+|\$\{[A-Za-z_]\w*+\})*+""", re.ASCII
)
# A URL, a drive of Windows, a path on its network.
_ELSEWHERE = re.compile(r":|\A//")
_PLAIN_PORT = re.compile(r"[0-9]{1,4}(?:/tcp|/udp)?")


class Look(IntEnum):
    """How far a command has to be looked at when its stage is built: not, by itself, or with all variables.

    Whether what it takes from is built by then is another matter.
    """

    NOT = 0
    ALONE = 1
    WITH_VARIABLES = 2


def look(line: Line, flags: Mapping[str, Sequence[str]]) -> Look:
    """The least look that finds everything BuildKit would refuse."""
    match line.kind:
        case "env" | "arg" | "label" | "user" | "workdir":
            if not all(map(_SOUND.fullmatch, line.args)):
                return Look.WITH_VARIABLES
            return Look.ALONE if line.kind == "workdir" and _ELSEWHERE.search(line.args[0]) else Look.NOT
        case "expose":
            return Look.NOT if all(map(_PLAIN_PORT.fullmatch, line.args)) else Look.WITH_VARIABLES
        case "run":
            mounts = flags.get("mount", ())
            if all(map(_PLAIN_MOUNT.fullmatch, mounts)) and not line.is_json:
                return Look.NOT
            absolute = all("target=/" in mount or "dst=/" in mount for mount in mounts)
            return Look.ALONE if absolute and not _MAGIC.search(line.original) else Look.WITH_VARIABLES
        case "volume" | "stopsignal":
            return Look.WITH_VARIABLES if _MAGIC.search(line.original) else Look.ALONE
        case "add" | "copy":
            if line.is_json or line.heredocs or _MAGIC.search(line.original):
                return Look.WITH_VARIABLES
            elsewhere = any(map(_ELSEWHERE.search, line.args))
            return Look.ALONE if elsewhere or not flags.keys() <= _MUTE else Look.NOT
    return Look.NOT
