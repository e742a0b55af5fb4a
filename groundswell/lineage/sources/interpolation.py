"""Variables in compose files, and the `.env` file that gives them values. Pure.

Source of the rules: compose-spec, 12-interpolation.md, and compose-go's template and dotenv packages.
"""

import re
from collections.abc import Mapping

from groundswell.errors import InputError

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_OPERATOR = re.compile(r":?[-?+]")
_MAX_DEPTH = 20
_MAX_TEXT = 1024 * 1024

_LINE = re.compile(r"\s*(?:export\s+)?(?P<key>[A-Za-z0-9_.]+)[ \t]*(?:[=:][ \t]*(?P<rest>.*))?", re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def interpolate(text: str, values: Mapping[str, str], *, depth: int = 0) -> str:
    """`text` with its variables replaced; one that is not set is empty, `$$` is a dollar.

    Raises InputError for a form that compose refuses, and for a required variable (`${X:?why}`) that is missing.
    """
    if depth > _MAX_DEPTH:
        raise InputError(f"variables nested more than {_MAX_DEPTH} deep")
    parts: list[str] = []
    length = at = 0
    while (dollar := text.find("$", at)) >= 0:
        value, end = _variable(text, dollar, values, depth)
        parts += [text[at:dollar], value]
        length += dollar - at + len(value)
        if length > _MAX_TEXT:
            raise InputError(f"longer than {_MAX_TEXT // 1024} KiB once its variables are replaced")
        at = end
    return "".join(parts) + text[at:]


def _variable(text: str, dollar: int, values: Mapping[str, str], depth: int) -> tuple[str, int]:
    """What stands for the variable at `dollar`, and where the text goes on."""
    after = text[dollar + 1 : dollar + 2]
    if after == "$":
        return "$", dollar + 2
    if after == "{":
        end = _closing(text, dollar)
        return _braced(text[dollar + 2 : end], values, depth), end + 1
    name = _NAME.match(text, dollar + 1)
    if name is None:
        raise InputError(f"{text[dollar : dollar + 20]!r} is no variable; write $$ for a dollar sign")
    return values.get(name[0], ""), name.end()


def _closing(text: str, dollar: int) -> int:
    depth, at = 0, dollar
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise InputError(f"{text[dollar : dollar + 40]!r} has no closing brace")


def _braced(body: str, values: Mapping[str, str], depth: int) -> str:
    name = _NAME.match(body)
    if name is None:
        raise InputError(f"'${{{body[:40]}}}' names no variable")
    value, rest = values.get(name[0]), body[name.end() :]
    if not rest:
        return value or ""
    operator = _OPERATOR.match(rest)
    if operator is None:
        raise InputError(f"'${{{body[:40]}}}' is no form of a variable that compose knows")
    # A colon makes an empty value count as missing.
    present = bool(value) if operator[0].startswith(":") else value is not None
    word = rest[operator.end() :]
    if operator[0].endswith("+"):
        return interpolate(word, values, depth=depth + 1) if present else ""
    if present:
        return value or ""
    word = interpolate(word, values, depth=depth + 1)
    if operator[0].endswith("?"):
        raise InputError(f"the variable {name[0]} is required and not set{': ' if word else ''}{word}")
    return word


def parse_env(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env` file together with those of the environment, which win.

    Raises InputError with the line of what cannot be read.
    """
    values = dict(environment)
    at, line = 0, 1
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        statement = text[at:end].strip()
        if statement and not statement.startswith("#"):
            found = _LINE.fullmatch(text, at, end)
            if found is None:
                raise InputError(f"line {line}: {statement[:40]!r} is not NAME=VALUE")
            rest_at = found.start("rest")
            if rest_at >= 0:
                value, end = _env_value(text, rest_at, end, values, line)
                values[found["key"]] = environment.get(found["key"], value)
        line += text.count("\n", at, end + 1)
        at = end + 1
    return values


def _env_value(text: str, at: int, end: int, values: Mapping[str, str], line: int) -> tuple[str, int]:
    """The value that begins at `at`, and the end of its last line: quoted values may span several."""
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        plain = re.split(r"(?:^|\s)#", text[at:end], maxsplit=1)[0].strip()
        return _expanded(plain, values), end
    found = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if found is None:
        raise InputError(f"line {line}: a quoted value has no end")
    last = text.find("\n", found.end())
    last = len(text) if last < 0 else last
    if quote == "'":
        return found[1].replace("\\'", "'"), last
    return _expanded(re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), found[1], flags=re.DOTALL), values), last


def _expanded(value: str, values: Mapping[str, str]) -> str:
    """In a `.env` file a dollar that begins no variable is a dollar."""
    try:
        return interpolate(value, values)
    except InputError:
        return value
