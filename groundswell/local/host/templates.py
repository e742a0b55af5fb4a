"""Route templates of HTTP functions, ASP.NET's: literals, parameters, constraints, defaults, catch-alls. Pure.

`products/{category:alpha}/{id:int?}`, `files/{name}.{extension}`, `{*rest}`. A constraint that is not known is
refused rather than overlooked.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from groundswell.errors import InputError

type Check = Callable[[str], bool]

_INT32, _INT64 = 2**31, 2**63
_WHOLE = re.compile(r"[-+]?\d{1,20}", re.ASCII)
_NAME = re.compile(r"(?P<star>\*{0,2})(?P<name>[^:=?*{}/]+)")
_CONSTRAINT = re.compile(r":(?P<name>\w+)(?:\((?P<arguments>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    name: str
    checks: tuple[Check, ...] = ()
    default: str | None = None
    optional: bool = False
    catch_all: bool = False


type Segment = tuple[str | Parameter, ...]
"""The parts between two slashes: texts and parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template. `rank` orders templates, the most particular first, as ASP.NET's precedence does."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]
    rank: tuple[int, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in `path`, None when it does not match. Parameters without a value are left out."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values: dict[str, str] = {}
        for parameter, text in zip(self.parameters, found.groups(), strict=True):
            if not text:
                if parameter.default is not None:
                    values[parameter.name] = parameter.default
                continue
            if not all(check(text) for check in parameter.checks):
                return None
            values[parameter.name] = text
        return values


def parse(template: str) -> Template:
    """Raises InputError when the template is not one."""
    segments = [_segment(text, template) for text in _split(template)]
    pattern = "".join(_pattern(segment) for segment in segments)
    parameters = tuple(part for segment in segments for part in segment if isinstance(part, Parameter))
    if len({parameter.name.lower() for parameter in parameters}) != len(parameters):
        raise InputError(f"route {template!r} names a parameter twice")
    return Template(
        pattern=re.compile(pattern + "/?", re.IGNORECASE | re.DOTALL),
        parameters=parameters,
        rank=tuple(_rank(segment) for segment in segments),
    )


def _split(template: str) -> list[str]:
    """The segments: cut at slashes, but not at those within braces."""
    segments, depth, start = [], 0, 0
    for at, character in enumerate(template):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "/" and depth == 0:
            segments.append(template[start:at])
            start = at + 1
    return [segment for segment in (*segments, template[start:]) if segment]


def _segment(text: str, template: str) -> Segment:
    parts: list[str | Parameter] = []
    at = 0
    while at < len(text):
        opening = text.find("{", at)
        literal = text[at : opening if opening >= 0 else len(text)]
        if "}" in literal:
            raise InputError(f"route {template!r} has a brace without its pair")
        if literal:
            parts.append(literal)
        if opening < 0:
            break
        closing = _closing(text, opening)
        if closing < 0:
            raise InputError(f"route {template!r} has a brace without its pair")
        inner = text[opening + 1 : closing].replace("{{", "{").replace("}}", "}")
        parts.append(_parameter(inner, template))
        at = closing + 1
    if len(parts) > 1 and any(isinstance(part, Parameter) and _may_be_empty(part) for part in parts):
        raise InputError(f"route {template!r}: a parameter that may be left out must stand alone between slashes")
    return tuple(parts)


def _closing(text: str, opening: int) -> int:
    """Where the parameter that opens at `opening` ends; a doubled brace stands for one brace inside it."""
    at = opening + 1
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            at += 2
        elif text[at] == "}":
            return at
        else:
            at += 1
    return -1


def _parameter(text: str, template: str) -> Parameter:
    """`name:constraint:constraint`, then `?` or `=default`; a catch-all begins with a star or two."""
    head = _NAME.match(text)
    if head is None:
        raise InputError(f"route {template!r}: {{{text}}} is not a parameter")
    at, checks = head.end(), []
    while constraint := _CONSTRAINT.match(text, at):
        checks.append(_check(constraint["name"], constraint["arguments"], template))
        at = constraint.end()
    rest = text[at:]
    if rest not in ("", "?") and not rest.startswith("="):
        raise InputError(f"route {template!r}: {{{text}}} is not a parameter")
    return Parameter(
        name=head["name"].strip(),
        checks=tuple(checks),
        default=rest[1:] if rest.startswith("=") else None,
        optional=rest == "?",
        catch_all=bool(head["star"]),
    )


def _may_be_empty(parameter: Parameter) -> bool:
    return parameter.catch_all or parameter.optional or parameter.default is not None


def _pattern(segment: Segment) -> str:
    only = segment[0] if len(segment) == 1 else None
    if isinstance(only, Parameter):
        if only.catch_all:
            return "(?:/(.*))?"
        return "(?:/([^/]+))?" if _may_be_empty(only) else "/([^/]+)"
    return "/" + "".join(re.escape(part) if isinstance(part, str) else "([^/]+?)" for part in segment)


def _rank(segment: Segment) -> int:
    only = segment[0]
    if len(segment) > 1:
        return 2
    if isinstance(only, str):
        return 1
    return (4 if only.catch_all else 2) + (0 if only.checks else 1)


def _check(name: str, arguments: str | None, template: str) -> Check:
    try:
        if arguments is None and name in _PLAIN:
            return _PLAIN[name]
        if arguments is not None and name in _WITH_ARGUMENTS:
            return _WITH_ARGUMENTS[name](arguments)
    except (ValueError, re.error) as exc:
        raise InputError(f"route {template!r}: the constraint {name} is not valid ({exc})") from exc
    raise InputError(f"route {template!r}: the constraint {name} is not known in this form")


def _parses(parse_it: Callable[[str], object]) -> Check:
    def check(text: str) -> bool:
        try:
            parse_it(text)
        except ValueError:
            return False
        return True

    return check


def _whole(limit: int) -> Check:
    return lambda text: bool(_WHOLE.fullmatch(text)) and -limit <= int(text) < limit


def _between(low: int | None, high: int | None) -> Check:
    whole = _whole(_INT64)
    return lambda text: whole(text) and (low is None or low <= int(text)) and (high is None or int(text) <= high)


def _long(low: int, high: int | None) -> Check:
    return lambda text: low <= len(text) and (high is None or len(text) <= high)


def _two(arguments: str) -> tuple[int, int]:
    low, high = arguments.split(",")
    return int(low), int(high)


def _length(arguments: str) -> Check:
    return _long(*_two(arguments)) if "," in arguments else _long(int(arguments), int(arguments))


def _regex(arguments: str) -> Check:
    pattern = re.compile(arguments, re.IGNORECASE)
    return lambda text: pattern.search(text) is not None


_PLAIN: dict[str, Check] = {
    "alpha": lambda text: re.fullmatch("[A-Za-z]+", text) is not None,
    "bool": lambda text: text.lower() in ("true", "false"),
    "datetime": _parses(datetime.fromisoformat),
    "decimal": _parses(float),
    "double": _parses(float),
    "float": _parses(float),
    "guid": _parses(uuid.UUID),
    "int": _whole(_INT32),
    "long": _whole(_INT64),
    "required": bool,
}
_WITH_ARGUMENTS: dict[str, Callable[[str], Check]] = {
    "length": _length,
    "maxlength": lambda arguments: _long(0, int(arguments)),
    "minlength": lambda arguments: _long(int(arguments), None),
    "max": lambda arguments: _between(None, int(arguments)),
    "min": lambda arguments: _between(int(arguments), None),
    "range": lambda arguments: _between(*_two(arguments)),
    "regex": _regex,
}
