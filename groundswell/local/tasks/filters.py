"""The OData filters that lists of runs take: comparisons and `contains`, joined by `and` and `or`. Pure."""

import operator
import re
from collections.abc import Callable, Mapping

from groundswell.local.tasks.errors import ArmError, bad_request
from groundswell.local.tasks.model import Run

type Test = Callable[[Run], bool]

_FIELDS: Mapping[str, Callable[[Run], str]] = {
    "runid": lambda run: run.id,
    "runtype": lambda run: run.run_type,
    "status": lambda run: run.status,
    "taskname": lambda run: run.task or "",
    "agentpoolname": lambda run: run.pool or "",
    "createtime": lambda run: run.created.isoformat(),
    "finishtime": lambda run: run.finished.isoformat() if run.finished else "",
    "outputimagemanifests": lambda run: " ".join(f"{one.repository}@{one.digest}" for one in run.outputs),
}
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_VALUE = r"'((?:[^']|'')*)'"
_COMPARISON = re.compile(rf"\s*(\w+)\s+(eq|ne|gt|ge|lt|le)\s+(?:{_VALUE}|([\w:.+-]+))", re.IGNORECASE)
_CONTAINS = re.compile(rf"\s*contains\(\s*(\w+)\s*,\s*{_VALUE}\s*\)", re.IGNORECASE)
_JOIN = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)


def run_filter(text: str) -> Test:
    """The test that `text` means; an empty one takes every run. ArmError 400 when it is not understood."""
    if not text.strip():
        return lambda _: True
    either: list[list[Test]] = [[]]
    position = 0
    while True:
        test, position = _term(text, position)
        either[-1].append(test)
        if position == len(text.rstrip()):
            return lambda run: any(all(one(run) for one in every) for every in either)
        join = _JOIN.match(text, position)
        if not join:
            raise _refused(text)
        position = join.end()
        if join[1].lower() == "or":
            either.append([])


def _term(text: str, position: int) -> tuple[Test, int]:
    if found := _CONTAINS.match(text, position):
        field, part = _field(found[1], text), _plain(found[2])
        return lambda run: part in field(run), found.end()
    if found := _COMPARISON.match(text, position):
        field, compare = _field(found[1], text), _OPERATORS[found[2].lower()]
        value = _plain(found[3]) if found[3] is not None else found[4].replace("Z", "+00:00")
        return lambda run: compare(field(run), value), found.end()
    raise _refused(text)


def _field(name: str, text: str) -> Callable[[Run], str]:
    if name.lower() not in _FIELDS:
        raise _refused(text)
    return _FIELDS[name.lower()]


def _plain(value: str) -> str:
    return value.replace("''", "'")


def _refused(text: str) -> ArmError:
    return bad_request(f"the filter {text!r} is not supported", "InvalidFilter")
