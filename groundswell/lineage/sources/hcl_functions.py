"""The functions of bake files. Pure.

Source of the list: docker/buildx, bake/hclparser/stdlib.go; of what they do: zclconf/go-cty, cty/function/stdlib.
Functions whose answer differs each time, or that need a key, are known but not offered: they matter to tags and
labels, hardly ever to what an image stands on.
"""

import base64
import hashlib
import json
import math
import posixpath
import re
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any
from urllib.parse import quote_plus

import regex  # type: ignore[import-untyped]  # python-hcl2 needs it too; unlike re it can be stopped

from groundswell.lineage.sources.hcl_values import (
    MAX_SIZE,
    HclError,
    Value,
    compare,
    equal,
    index,
    texts,
    to_bool,
    to_list,
    to_number,
    to_object,
    to_text,
)

_REGEX_SECONDS = 0.5
_REGEX_PATTERN, _REGEX_TEXT = 500, 20_000
_VERB = re.compile(r"%(?P<flags>[-+ 0#]*)(?P<width>[0-9]{1,3})?(?:\.(?P<digits>[0-9]{1,3}))?(?P<verb>[a-zA-Z%])")

KNOWN_ONLY = frozenset(
    "bcrypt bytesslice cidrhost cidrnetmask cidrsubnet cidrsubnets convert csvdecode formatdate homedir rsadecrypt "
    "semvercmp sethaselement setsymmetricdifference timeadd timestamp unixtimestampparse uuidv4 uuidv5".split()
)


def call(name: str, function: Callable[..., Value]) -> Callable[..., Value]:
    """The function, with wrong arguments told as an HclError."""

    def run(*arguments: Value) -> Value:
        try:
            return function(*arguments)
        except HclError as exc:
            raise HclError(f"{name}(): {exc.reason}") from exc
        except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, TimeoutError) as exc:
            raise HclError(f"{name}(): wrong arguments: {str(exc)[:200]}") from exc

    return run


def _int(value: Value) -> int:
    number = to_number(value)
    if not isinstance(number, int):
        raise HclError(f"{number} is not whole")
    return number


def _unique(items: list[Value]) -> list[Value]:
    """Sets are not ordered; ours keep the first place of each."""
    found: dict[str, Value] = {}
    for item in items:
        found.setdefault(json.dumps(item, sort_keys=True), item)
    return list(found.values())


def _flatten(value: Value) -> list[Value]:
    return [inner for item in to_list(value) for inner in (_flatten(item) if isinstance(item, list) else [item])]


def _substr(text: Value, offset: Value, length: Value) -> str:
    whole, begin, count = to_text(text), _int(offset), _int(length)
    begin = max(len(whole) + begin, 0) if begin < 0 else begin
    return whole[begin:] if count < 0 else whole[begin : begin + count]


def _split(separator: Value, text: Value) -> list[str]:
    return to_text(text).split(to_text(separator)) if to_text(separator) else list(to_text(text))


def _replace(text: Value, old: Value, new: Value) -> str:
    grown = len(to_text(text)) + to_text(text).count(to_text(old)) * len(to_text(new))
    if grown > MAX_SIZE:
        raise HclError("the result is too long")
    return to_text(text).replace(to_text(old), to_text(new))


def _slice(items: Value, begin: Value, end: Value) -> list[Value]:
    whole = to_list(items)
    if not 0 <= _int(begin) <= _int(end) <= len(whole):
        raise HclError("the ends lie outside of the list")
    return whole[_int(begin) : _int(end)]


def _range(*bounds: Value) -> list[Value]:
    numbers = [_int(bound) for bound in bounds]
    begin = numbers[0] if len(numbers) > 1 else 0
    end = numbers[1] if len(numbers) > 1 else numbers[0]
    made = range(begin, end, numbers[2] if len(numbers) > 2 else 1 if end >= begin else -1)
    if len(made) > 1024:  # cty's own limit
        raise HclError("more than 1,024 numbers")
    return list(made)


def _merge(*objects: Value) -> dict[str, Value]:
    return {key: value for each in objects if each is not None for key, value in to_object(each).items()}


def _lookup(where: Value, key: Value, *default: Value) -> Value:
    if default and to_text(key) not in to_object(where):
        return default[0]
    return index(where, key)


def _coalesce(*values: Value) -> Value:
    for value in values:
        if value is not None:
            return value
    raise HclError("every argument is null")


def _coalesce_list(*values: Value) -> Value:
    for value in values:
        if to_list(value):
            return value
    raise HclError("every list is empty")


def _product(*lists: Value) -> list[Value]:
    if math.prod(len(to_list(each)) for each in lists) > MAX_SIZE // 8:
        raise HclError("the result is too long")
    return [list(each) for each in product(*lists)]


def _chunks(items: Value, size: Value) -> list[Value]:
    whole, count = to_list(items), _int(size)
    return [whole[at : at + count] for at in range(0, len(whole), count)] if count else [whole]


def _indent(spaces: Value, text: Value) -> str:
    if _int(spaces) * to_text(text).count("\n") > MAX_SIZE:
        raise HclError("the result is too long")
    return to_text(text).replace("\n", "\n" + " " * _int(spaces))


def _index_of(items: Value, wanted: Value) -> int:
    for number, item in enumerate(to_list(items)):
        if equal(item, wanted):
            return number
    raise HclError("item not found")


def _has_index(collection: Value, key: Value) -> bool:
    try:
        index(collection, key)
    except HclError:
        return False
    return True


def _title(text: Value) -> str:
    return re.sub(r"\b[a-z]", lambda found: found[0].upper(), to_text(text))


def _groups(found: Any) -> Value:
    """What cty's regex gives: the names, the groups, or the whole match."""
    if named := found.groupdict():
        return named
    return list(found.groups()) if found.groups() else found[0]


def _pattern(pattern: Value, text: Value) -> Any:
    if len(to_text(pattern)) > _REGEX_PATTERN or len(to_text(text)) > _REGEX_TEXT:
        raise HclError(f"a pattern has at most {_REGEX_PATTERN} characters, the text {_REGEX_TEXT:,}")
    try:
        return regex.compile(to_text(pattern))
    except regex.error as exc:
        raise HclError(f"the pattern is not valid: {exc}") from exc


def _regex(pattern: Value, text: Value) -> Value:
    found = _pattern(pattern, text).search(to_text(text), timeout=_REGEX_SECONDS)
    if found is None:
        raise HclError("the pattern does not match")
    return _groups(found)


def _regex_all(pattern: Value, text: Value) -> Value:
    return [_groups(each) for each in _pattern(pattern, text).finditer(to_text(text), timeout=_REGEX_SECONDS)]


def _regex_replace(text: Value, pattern: Value, new: Value) -> str:
    if len(to_text(new)) * (len(to_text(text)) + 1) > MAX_SIZE:
        raise HclError("the result may be too long")

    def replaced(found: Any) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[0] == "$$":
                return "$"
            name = reference[1] or reference[2]
            try:
                return found[int(name) if name.isdecimal() else name] or ""
            except IndexError:
                return ""

        return re.sub(r"\$(?:\$|\{(\w+)\}|(\w+))", group, to_text(new))

    made: str = _pattern(pattern, text).sub(replaced, to_text(text), timeout=_REGEX_SECONDS)
    return made


def _format(template: Value, *values: Value) -> str:
    """Go's verbs as cty has them: %s %d %v %q %t %x %o %b %e %f %g, with flags, width and digits."""
    rest = list(values)

    def formatted(found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb == "%":
            return "%"
        if not rest:
            raise HclError(f"there is no value for {found[0]}")
        value = rest.pop(0)
        flags = found["flags"].replace("-", "<") if verb in "sqvt" else found["flags"]
        width, digits = found["width"] or "", found["digits"]
        if verb in "sqvt":
            text = _encoded(value) if verb == "v" and isinstance(value, list | dict) else to_text(value)
            text = json.dumps(text) if verb == "q" else text
            text = text if digits is None else text[: int(digits)]
            return f"{text:{'<' if '<' in flags else '>'}{width or 0}}"
        if verb in "dxXob":
            return _number(_int(value), flags, width, verb)
        if verb in "eEfFgG":
            return _number(float(to_number(value)), flags, width, f".{6 if digits is None else digits}{verb}")
        raise HclError(f"{found[0]} is not known here")

    made = _VERB.sub(formatted, to_text(template))
    if rest:
        raise HclError("more values than the format names")
    return made


def _number(value: float, flags: str, width: str, verb: str) -> str:
    sign = "+" if "+" in flags else " " if " " in flags else ""
    align = "<" if "-" in flags else ""
    zero = "0" if "0" in flags and not align else ""
    return format(value, f"{align}{sign}{zero}{width}{verb}")


def _format_list(template: Value, *values: Value) -> list[str]:
    length = max((len(each) for each in values if isinstance(each, list)), default=1)
    if any(isinstance(each, list) and len(each) != length for each in values):
        raise HclError("the lists differ in length")
    made: list[str] = []
    for number in range(length):
        made.append(_format(template, *(each[number] if isinstance(each, list) else each for each in values)))
        if len(made[-1]) * length > MAX_SIZE:
            raise HclError("the result is too long")
    return made


def _join(separator: Value, *lists: Value) -> str:
    items = [item for each in lists for item in texts(each)]
    if len(to_text(separator)) * len(items) > MAX_SIZE:
        raise HclError("the result is too long")
    return to_text(separator).join(items)


def _encoded(value: Value) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _decode64(text: Value) -> str:
    return base64.b64decode(to_text(text), validate=True).decode("utf-8")


def _trim(text: Value, letters: Value) -> str:
    return to_text(text).strip(to_text(letters)) if to_text(letters) else to_text(text)


def _hash(name: str) -> Callable[[Value], str]:
    return lambda text: hashlib.new(name, to_text(text).encode(), usedforsecurity=False).hexdigest()


def _comparison(operator: str) -> Callable[[Value, Value], Value]:
    return lambda left, right: compare(operator, left, right)


def _log(number: Value, base: Value) -> Value:
    return to_number(math.log(to_number(number), to_number(base)))


def _pow(base: Value, exponent: Value) -> Value:
    return to_number(math.pow(to_number(base), to_number(exponent)))


def _parse_int(text: Value, base: Value) -> int:
    if len(to_text(text)) > 200:
        raise HclError("the number is too long")
    return int(to_text(text), _int(base))


def _signum(number: Value) -> int:
    return (to_number(number) > 0) - (to_number(number) < 0)


def _zipmap(keys: Value, values: Value) -> dict[str, Value]:
    if len(to_list(keys)) != len(to_list(values)):
        raise HclError("as many keys as values are needed")
    return dict(zip(texts(keys), values, strict=True))


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "absolute": lambda number: abs(to_number(number)),
    "add": _comparison("PLUS"),
    "and": lambda left, right: to_bool(left) and to_bool(right),
    "base64decode": _decode64,
    "base64encode": lambda text: base64.b64encode(to_text(text).encode()).decode(),
    "basename": lambda path: posixpath.basename(to_text(path).rstrip("/")) or ("/" if to_text(path) else "."),
    "byteslen": lambda text: len(to_text(text).encode()),
    "ceil": lambda number: math.ceil(to_number(number)),
    "chomp": lambda text: to_text(text).rstrip("\r\n"),
    "chunklist": _chunks,
    "coalesce": _coalesce,
    "coalescelist": _coalesce_list,
    "compact": lambda items: [item for item in texts(items) if item],
    "concat": lambda *lists: [item for each in lists for item in to_list(each)],
    "contains": lambda items, wanted: any(equal(item, wanted) for item in to_list(items)),
    "dirname": lambda path: posixpath.dirname(to_text(path)) or ".",
    "distinct": lambda items: _unique(to_list(items)),
    "divide": _comparison("SLASH"),
    "element": lambda items, number: to_list(items)[_int(number) % len(to_list(items))],
    "equal": equal,
    "flatten": _flatten,
    "floor": lambda number: math.floor(to_number(number)),
    "format": _format,
    "formatlist": _format_list,
    "greaterthan": _comparison("GT"),
    "greaterthanorequalto": _comparison("GEQ"),
    "hasindex": _has_index,
    "indent": _indent,
    "index": index,
    "indexof": _index_of,
    "int": lambda number: math.trunc(to_number(number)),
    "join": _join,
    "jsondecode": lambda text: json.loads(to_text(text)),
    "jsonencode": _encoded,
    "keys": lambda where: sorted(to_object(where)),
    "length": lambda items: len(items if isinstance(items, dict) else to_list(items)),
    "lessthan": _comparison("LT"),
    "lessthanorequalto": _comparison("LEQ"),
    "log": _log,
    "lookup": _lookup,
    "lower": lambda text: to_text(text).lower(),
    "max": lambda *numbers: max(map(to_number, numbers)),
    "md5": _hash("md5"),
    "merge": _merge,
    "min": lambda *numbers: min(map(to_number, numbers)),
    "modulo": _comparison("PERCENT"),
    "multiply": _comparison("ASTERISK"),
    "negate": lambda number: -to_number(number),
    "not": lambda value: not to_bool(value),
    "notequal": lambda left, right: not equal(left, right),
    "or": lambda left, right: to_bool(left) or to_bool(right),
    "parseint": _parse_int,
    "pow": _pow,
    "range": _range,
    "regex": _regex,
    "regex_replace": _regex_replace,
    "regexall": _regex_all,
    "replace": _replace,
    "reverse": lambda text: to_text(text)[::-1],
    "reverselist": lambda items: to_list(items)[::-1],
    "sanitize": lambda text: re.sub(r"[^a-zA-Z0-9_-]", "_", to_text(text)),
    "setintersection": lambda first, *rest: [
        item for item in _unique(to_list(first)) if all(any(equal(item, other) for other in each) for each in rest)
    ],
    "setproduct": _product,
    "setsubtract": lambda left, right: [
        item for item in _unique(to_list(left)) if not any(equal(item, other) for other in to_list(right))
    ],
    "setunion": lambda *sets: _unique([item for each in sets for item in to_list(each)]),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "sha512": _hash("sha512"),
    "signum": _signum,
    "slice": _slice,
    "sort": lambda items: sorted(texts(items)),
    "split": _split,
    "strlen": lambda text: len(to_text(text)),
    "substr": _substr,
    "subtract": _comparison("MINUS"),
    "title": _title,
    "trim": _trim,
    "trimprefix": lambda text, prefix: to_text(text).removeprefix(to_text(prefix)),
    "trimspace": lambda text: to_text(text).strip(),
    "trimsuffix": lambda text, suffix: to_text(text).removesuffix(to_text(suffix)),
    "upper": lambda text: to_text(text).upper(),
    "urlencode": lambda text: quote_plus(to_text(text)),
    "values": lambda where: [value for _, value in sorted(to_object(where).items())],
    "zipmap": _zipmap,
}
"""`try` and `can` are not among them: the evaluator has them, for their arguments may fail."""
