"""Label and field selectors, as list and watch take them. Pure."""

import re
from collections.abc import Callable, Mapping

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import EVENTS, PODS, Kind
from groundswell.local.cluster.objects import Json

type Matches = Callable[[Json], bool]
type _Test = Callable[[Mapping[str, str]], bool]

_KEY = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_COMPARED = re.compile(rf"({_KEY})\s*([<>])\s*([0-9]+)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_COMMAS_OUTSIDE = re.compile(r",(?![^(]*\))")

_FIELDS: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
_EXTRA_FIELDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    PODS: {
        "spec.nodeName": ("spec", "nodeName"),
        "spec.restartPolicy": ("spec", "restartPolicy"),
        "spec.schedulerName": ("spec", "schedulerName"),
        "status.phase": ("status", "phase"),
    },
    EVENTS: {
        "involvedObject.kind": ("involvedObject", "kind"),
        "involvedObject.name": ("involvedObject", "name"),
        "involvedObject.namespace": ("involvedObject", "namespace"),
        "involvedObject.uid": ("involvedObject", "uid"),
        "reason": ("reason",),
        "type": ("type",),
    },
}


def label_selector(text: str) -> Matches:
    """`a=b,c!=d,e in (f,g),h,!i,j>1`. Raises ApiError 400 when it cannot be read."""
    tests = [_requirement(part.strip()) for part in _COMMAS_OUTSIDE.split(text)] if text.strip() else []

    def matches(item: Json) -> bool:
        labels = item["metadata"].get("labels") or {}
        return all(test(labels) for test in tests)

    return matches


def _requirement(part: str) -> _Test:
    if found := _SET.fullmatch(part):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda labels: key in labels and labels[key] in values
        return lambda labels: key not in labels or labels[key] not in values
    if found := _EQUAL.fullmatch(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _COMPARED.fullmatch(part):
        key, operator, value = found.groups()
        return lambda labels: _compared(labels.get(key, ""), operator, int(value))
    if found := _EXISTS.fullmatch(part):
        wanted, key = not found.group(1), found.group(2)
        return lambda labels: (key in labels) is wanted
    raise ApiError(400, f"unable to parse requirement: found '{part}', expected: a label selector")


def _compared(value: str, operator: str, other: int) -> bool:
    return value.isdecimal() and (int(value) > other if operator == ">" else int(value) < other)


def field_selector(text: str, kind: Kind) -> Matches:
    """`metadata.name=x,metadata.namespace!=y`. Raises ApiError 400 for a field that is not supported."""
    known = _FIELDS | _EXTRA_FIELDS.get(kind, {})
    tests: list[Matches] = []
    for part in (part.strip() for part in text.split(",")) if text.strip() else ():
        field, operator, value = _field_requirement(part)
        if field not in known:
            raise ApiError(400, f'field label "{field}" not supported for "{kind.name}"')
        tests.append(_field_test(known[field], value, equal=operator != "!="))
    return lambda item: all(test(item) for test in tests)


def _field_requirement(part: str) -> tuple[str, str, str]:
    for operator in ("!=", "==", "="):
        field, found, value = part.partition(operator)
        if found:
            return field.strip(), operator, value.strip()
    raise ApiError(400, f"invalid selector: '{part}'; can't understand '{part}'")


def _field_test(path: tuple[str, ...], value: str, *, equal: bool) -> Matches:
    def test(item: Json) -> bool:
        found: object = item
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return ((found or "") == value) is equal

    return test


def matches_selector(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) accepts the labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or ():
        key, values = expression.get("key", ""), expression.get("values") or ()
        accepted = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not accepted.get(expression.get("operator", ""), False):
            return False
    return True
