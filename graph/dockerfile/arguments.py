"""One line apart: its name, its flags, and its arguments as each instruction has them.

After BuildKit's frontend/dockerfile/parser (split_command.go, line_parsers.go).
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from graph.dockerfile.gotext import SPACES, quote

_BLANKS = "\t\v\f\r "
_SPACE = re.compile(f"[{_BLANKS}]+")
_ANY_SPACE = re.compile(f"[{SPACES}]+")
_PLAIN_FLAG = re.compile(r"(--[!#-&(-\[\]-_a-~]+)[ \t]+")


class ArgumentError(ValueError):
    """A line that BuildKit's parser refuses; the message is its own."""


def split_name(text: str) -> tuple[str, str, str]:
    """An instruction's name, as written and in lower case, and what follows."""
    text = text.strip(SPACES)
    name, _, rest = text.partition(" ")
    if not name.isalpha():
        name, *more = _SPACE.split(text, maxsplit=1)
        rest = more[0] if more else ""
    return name, name.lower(), rest.lstrip(_BLANKS)


def split_arguments(kind: str, text: str, escape: str) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Flags, arguments, and whether those were JSON. Raises ArgumentError."""
    flags: tuple[str, ...] = ()
    if text.startswith("--"):
        flags, text = _flags(text, escape)
    args, is_json = _PARSERS.get(kind, _ignored)(text.strip(SPACES), escape)
    return flags, args, is_json


def _flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The words that begin with `--` at the front, quotes and escapes taken out, and the rest."""
    if text.isascii():
        return _byte_flags(text, escape)
    # BuildKit goes through the bytes here, each as a character.
    flags, rest = _byte_flags(text.encode(errors="surrogatepass").decode("latin-1"), escape)
    return flags, rest.encode("latin-1").decode(errors="surrogateescape")


def _byte_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    flags: list[str] = []
    index = 0
    while True:
        while found := _PLAIN_FLAG.match(text, index):
            flags.append(found[1])
            index = found.end()
        while index < len(text) and text[index] in SPACES:
            index += 1
        if not text.startswith("--", index):
            return tuple(flags), text[index:]
        flag, index = _byte_flag(text, index, escape)
        if flag == "--":
            return tuple(flags), text[index:]
        flags.append(flag)


def _byte_flag(text: str, index: int, escape: str) -> tuple[str, int]:
    """A flag with quotes or escapes in it, and where it ends."""
    word: list[str] = []
    quoted = ""
    while index < len(text):
        char = text[index]
        if quoted and char == quoted:
            quoted = ""
        elif not quoted and char in SPACES:
            break
        elif not quoted and char in "'\"":
            quoted = char
        elif char == escape:
            index += 1
            word.append(text[index : index + 1])
        else:
            word.append(char)
        index += 1
    return "".join(word), index


type _Arguments = tuple[tuple[str, ...], bool]


def _ignored(_text: str, _escape: str) -> _Arguments:
    return ("",), False


def _one(text: str, _escape: str) -> _Arguments:
    return ((text,) if text else ()), False


def _split(text: str, _escape: str) -> _Arguments:
    return (tuple(_SPACE.split(text)) if text else ()), False


def _one_or_json(text: str, escape: str) -> _Arguments:
    return _json(text) or _one(text, escape)


def _split_or_json(text: str, escape: str) -> _Arguments:
    return _json(text) or _split(text, escape)


def _quoted(text: str, escape: str) -> _Arguments:
    return tuple(quoted_words(text, escape)), False


def _pairs(kind: str) -> Callable[[str, str], _Arguments]:
    """Names and values in turn, for `NAME value` as for `NAME=value ...`."""

    def pairs(text: str, escape: str) -> _Arguments:
        words = quoted_words(text, escape)
        if not words:
            return (), False
        if "=" not in words[0]:
            name, *value = _SPACE.split(text, maxsplit=1)
            if not value:
                raise ArgumentError(f"{kind} must have two arguments")
            return (name, value[0]), False
        found: list[str] = []
        for word in words:
            name, equals, rest = word.partition("=")
            if not equals:
                reason = f"Syntax error - can't find = in {quote(word)}. Must be of the form: name=value"
                raise ArgumentError(reason)
            found += (name, rest)
        return tuple(found), False

    return pairs


def _health(text: str, escape: str) -> _Arguments:
    kind, *command = _ANY_SPACE.split(text, maxsplit=1)
    if not kind:
        return (), False
    args, is_json = _one_or_json(command[0] if command else "", escape)
    return (kind, *args), is_json


def _trigger(text: str, escape: str) -> _Arguments:
    """The instruction behind an ONBUILD: its name and arguments."""
    if not text:
        return (), False
    name, kind, rest = split_name(text)
    _, args, is_json = split_arguments(kind, rest, escape)
    return (name, *args), is_json


_PARSERS: Mapping[str, Callable[[str, str], _Arguments]] = {
    "add": _split_or_json,
    "arg": _quoted,
    "cmd": _one_or_json,
    "copy": _split_or_json,
    "entrypoint": _one_or_json,
    "env": _pairs("ENV"),
    "expose": _split,
    "from": _split,
    "healthcheck": _health,
    "label": _pairs("LABEL"),
    "maintainer": _one,
    "onbuild": _trigger,
    "run": _one_or_json,
    "shell": _one_or_json,
    "stopsignal": _one,
    "user": _one,
    "volume": _split_or_json,
    "workdir": _one,
}


def quoted_words(text: str, escape: str) -> list[str]:
    """Words as ARG, ENV and LABEL see them: quotes hold them together and stay in them."""
    found = list(_word(escape).finditer(text))
    words = [word[0] for word in found]
    if found and text.endswith(escape) and (found[-1][1] or found[-1][2]):
        # An escape character at the very end escapes nothing, and goes.
        words[-1] = words[-1][:-1]
        return words if words[-1] else words[:-1]
    return words


@lru_cache(maxsize=2)
def _word(escape: str) -> re.Pattern[str]:
    end = re.escape(escape)
    quoted = rf"""'[^']*+(?:'|\Z)|"(?:[^"{end}]|{end}.)*+(?:"|({end})?\Z)"""
    return re.compile(rf"""(?:[^{SPACES}'"{end}]+|{quoted}|{end}.|({end})\Z)+""", re.DOTALL)


def _json(text: str) -> _Arguments | None:
    """The strings of a JSON form, or None when it is none."""
    if not text.startswith("["):
        return None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_finite)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(item, str) for item in value):
        raise ArgumentError("when using JSON array syntax, arrays must be comprised of strings only")
    return tuple(value), True


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _finite(text: str) -> float:
    """A number that Go can hold: with a larger one, the text is no JSON to it."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number
