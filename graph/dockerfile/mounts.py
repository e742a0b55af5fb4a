"""RUN --mount: what it names at once, and what is looked at only where the stage is built.

After frontend/dockerfile/instructions/commands_runmount.go and github.com/tonistiigi/go-csvvalue.
"""

import re
from collections.abc import Callable

from graph.dockerfile.gotext import quote

_QUOTED = re.compile(r'"((?:[^"]|"")*+)"')
_VARIABLE = re.compile(r"\$.", re.DOTALL)
_TYPES = frozenset(("bind", "cache", "tmpfs", "secret", "ssh"))
_SHARING = frozenset(("shared", "private", "locked"))
_BARE = frozenset(("readonly", "ro", "readwrite", "rw"))
_KEYS = frozenset(
    "type from source src target dst destination readonly ro readwrite rw required id sharing size mode uid gid "
    "env".split()
)
_TRUTH = frozenset(("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"))
_SIZE = re.compile(
    r"\+?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:e[+-]?[0-9]++)? ?(?:b|[kmgtp](?:i?b)?)?", re.IGNORECASE | re.ASCII
)
_NUMBER = {
    "mode": (re.compile(r"[0-7]+"), 8),
    "uid": (re.compile(r"[0-9]+"), 10),
    "gid": (re.compile(r"[0-9]+"), 10),
}


class MountError(ValueError):
    """BuildKit refuses the mount."""


def mount_source(text: str) -> str:
    """The stage or image that a mount's `from` names; empty for none. Raises MountError."""
    if text and '"' not in text and "from" not in text.lower():
        return ""
    source = ""
    for field in _fields(text):
        key, equals, value = field.partition("=")
        if equals and key.lower() == "from":
            if _VARIABLE.search(value):
                raise MountError("'from' doesn't support variable expansion, define alias stage instead")
            source = value
    return source


class Mount:
    """A mount as its stage's build reads it, its values expanded. Raises MountError."""

    def __init__(self, text: str, expand: Callable[[str], str]) -> None:
        self.type = "bind"
        self.source = self.target = self.id = self.sharing = self.origin = ""
        self._owned = ""
        for field in _fields(text):
            key, equals, value = field.partition("=")
            self._read(key.lower(), expand(value) if equals else None, field)
        self._check()
        if self.type == "cache" and not self.origin:
            self.origin = "scratch"

    def _read(self, key: str, value: str | None, field: str) -> None:
        if value is None:
            if key == "required":
                self._refuse_unless(("secret", "ssh"), key)
            elif key not in _BARE:
                raise MountError(f"invalid field '{field}' must be a key=value pair")
        elif key == "type":
            if value.lower() not in _TYPES:
                raise MountError(f"unsupported mount type {quote(value)}")
            self.type = value.lower()
        elif key == "from":
            self.origin = value
        elif key in ("source", "src"):
            self.source = value
        elif key in ("target", "dst", "destination"):
            self.target = value
        elif key == "id":
            self.id = value
        elif key == "sharing":
            if value.lower() not in _SHARING:
                raise MountError(f"unsupported sharing value {quote(value)}")
            self.sharing = value.lower()
        elif key == "size":
            self._refuse_unless(("tmpfs",), key)
            if not _SIZE.fullmatch(value):
                raise MountError(f"invalid value for {key}: {value}")
        elif key in _NUMBER:
            self._number(key, value)
        elif key == "required" or key in _BARE:
            if key == "required":
                self._refuse_unless(("secret", "ssh"), key)
            if value not in _TRUTH:
                raise MountError(f"invalid value for {key}: {value}")
        elif key not in _KEYS:
            raise MountError(f"unexpected key '{key}' in '{field}'")

    def _number(self, key: str, value: str) -> None:
        digits, base = _NUMBER[key]
        if not digits.fullmatch(value) or len(value) > 40 or int(value, base) >= 2**32:
            raise MountError(f"invalid value {value} for {key}")
        self._owned = min(self._owned or key, key, key=("mode", "uid", "gid").index)

    def _refuse_unless(self, types: tuple[str, ...], key: str) -> None:
        if self.type not in types:
            raise MountError(f"unexpected key '{key}' for mount type '{self.type}'")

    def _check(self) -> None:
        if self._owned and self.type in ("bind", "tmpfs"):
            raise MountError(f"{self._owned} not allowed for {quote(self.type)} type mounts")
        if self.type == "secret":
            if self.origin:
                raise MountError("secret mount should not have a from")
            if self.sharing:
                raise MountError("secret mount should not define sharing")
            if not (self.source or self.target or self.id):
                raise MountError("invalid secret mount. one of source, target required")
            if self.source and self.id:
                raise MountError("both source and id can't be set")
        if self.sharing and self.type != "cache":
            raise MountError(f"invalid cache sharing set for {self.type} mount")


def _fields(text: str) -> list[str]:
    """Comma-separated values: quotes around a whole field, or none."""
    text = text.removesuffix("\n")
    if not text:
        raise MountError("failed to parse csv mounts: EOF")
    fields: list[str] = []
    index = 0
    while True:
        if text.startswith('"', index):
            found = _QUOTED.match(text, index)
            if found is None or (found.end() < len(text) and text[found.end()] != ","):
                column = found.end() if found else text.rfind('"') + 2
                problem = 'extraneous or missing " in quoted-field'
                raise MountError(f"failed to parse csv mounts: parse error on line 1, column {column}: {problem}")
            fields.append(found[1].replace('""', '"'))
            index = found.end()
        else:
            end = text.find(",", index)
            end = len(text) if end < 0 else end
            bare = text.find('"', index, end)
            if bare >= 0:
                problem = 'bare " in non-quoted-field'
                raise MountError(f"failed to parse csv mounts: parse error on line 1, column {bare + 1}: {problem}")
            fields.append(text[index:end])
            index = end
        if index >= len(text):
            return fields
        index += 1
