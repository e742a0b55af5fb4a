"""Values of HCL and what they turn into, as its type system (cty) has it. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

type Value = Any
"""None, bool, int, float, str, list of values, or dict of str to value; Mapping where it is computed on demand."""

MAX_SIZE = 500_000
_MAX_BITS = 512
_NUMBER = re.compile(r"-?[0-9]+(?P<rest>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")


class HclError(ValueError):
    """An expression that cannot be computed; `line` is where, once that is known."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line

    def at(self, line: int) -> "HclError":
        """The same error with the innermost line it happened in."""
        return self if self.line is not None else HclError(self.reason, line=line)


def bounded(value: Value) -> Value:
    """The value, unless it is too big: texts double quickly, and so do lists of lists."""
    size_of(value)
    return value


def size_of(value: Value) -> int:
    """How many characters and items a value has. Raises HclError when there are more than MAX_SIZE."""
    size = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        size += 1
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += item.values()
            size += sum(map(len, item))
        elif isinstance(item, int) and item.bit_length() > _MAX_BITS:
            raise HclError(f"a number has more than {_MAX_BITS} bits")
        if size + len(waiting) > MAX_SIZE:
            raise HclError(f"a value is larger than {MAX_SIZE:,} characters")
    return size


def to_text(value: Value) -> str:
    """A scalar as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else _plain(value)
    if isinstance(value, int):
        return str(value)
    raise HclError(f"{_kind(value)} is not text")


def to_number(value: Value) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise HclError(f"{_kind(value)} is not a number")
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        if found is None:
            raise HclError(f"{value[:100]!r} is not a number")
        whole = not found["rest"] and not found["exponent"] and len(value) < 100
        value = int(value) if whole else float(value)
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # only NaN differs from itself
        raise HclError("the number is not finite")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def to_bool(value: Value) -> bool:
    found = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}.get(
        value if isinstance(value, bool | str) else ""
    )
    if found is None:
        raise HclError(f"{_kind(value)} is not true or false")
    return found


def to_list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise HclError(f"{_kind(value)} is not a list")
    return value


def to_object(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise HclError(f"{_kind(value)} is not an object")
    return value


def equal(left: Value, right: Value) -> bool:
    """Values of different types differ: `1 == "1"` is false."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def compare(operator: str, left: Value, right: Value) -> Value:
    """What an operator (the name of its token) gives."""
    if operator in {"DOUBLE_EQ", "NEQ"}:
        return equal(left, right) is (operator == "DOUBLE_EQ")
    first, second = to_number(left), to_number(right)
    match operator:
        case "LT":
            return first < second
        case "GT":
            return first > second
        case "LEQ":
            return first <= second
        case "GEQ":
            return first >= second
        case "PLUS":
            return to_number(first + second)
        case "MINUS":
            return to_number(first - second)
        case "ASTERISK":
            return to_number(first * second)
    if second == 0:
        raise HclError("a division by zero")
    if operator == "SLASH":
        exact = isinstance(first, int) and isinstance(second, int) and first % second == 0
        return first // second if exact else to_number(first / second)
    # The remainder has the sign of the dividend, as in Go.
    rest = abs(first) % abs(second)
    return to_number(-rest if first < 0 else rest)


def index(value: Value, key: Value) -> Value:
    """`value[key]`, `value.key`."""
    if isinstance(value, Mapping):
        name = to_text(key)
        if name not in value:
            raise HclError(f"there is nothing called {name[:100]!r} in it")
        return value[name]
    if isinstance(value, list):
        number = to_number(key)
        if not isinstance(number, int) or not 0 <= number < len(value):
            raise HclError(f"the list has no item {to_text(key)[:100]}")
        return value[number]
    raise HclError(f"{_kind(value)} has nothing inside")


def texts(value: Value) -> list[str]:
    return [to_text(item) for item in to_list(value)]


def _plain(value: float) -> str:
    """Without exponent, as few digits as say it exactly."""
    text = repr(value)
    return text if "e" not in text else f"{value:.20f}".rstrip("0").rstrip(".")


def _kind(value: Value) -> str:
    kinds: Sequence[tuple[type, str]] = (
        (bool, "true or false"),
        (str, "text"),
        (list, "a list"),
        (dict, "an object"),
    )
    if value is None:
        return "null"
    return next((name for kind, name in kinds if isinstance(value, kind)), "a number")
