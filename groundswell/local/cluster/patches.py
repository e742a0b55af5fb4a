"""Strategic merge patch and JSON merge patch. Pure: the arguments are not changed.

A strategic merge patch knows which lists are merged, and by which key. That knowledge is in the Go types of
Kubernetes; what the kinds of the look-alike need of it is the table below. Every other list is replaced whole.
"""

import copy
from typing import Any

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.objects import Json

_MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_MERGED_PRIMITIVES = frozenset({"finalizers"})
_ORDER, _DELETE_PRIMITIVES = "$setElementOrder/", "$deleteFromPrimitiveList/"


def strategic_merge(current: Json, patch: Json) -> Json:
    """`current` with a strategic merge patch. When it makes no sense, raises ApiError 500, as the server does."""
    match patch.get("$patch"):
        case "replace":
            return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
        case "delete":
            return {}
        case None | "merge":
            pass
        case other:
            raise ApiError(500, f"unknown patch type: {other} in map: {patch}")
    for key, order in patch.items():
        if key.startswith(_ORDER):
            _check_order(key.removeprefix(_ORDER), patch.get(key.removeprefix(_ORDER)) or [], order)
    result = copy.deepcopy(current)
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key in ("$patch", "$retainKeys"):
            continue
        if key.startswith(_DELETE_PRIMITIVES):
            field = key.removeprefix(_DELETE_PRIMITIVES)
            result[field] = [item for item in result.get(field) or () if item not in value]
        elif key.startswith(_ORDER):
            continue
        elif value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            if value.get("$patch") == "delete":
                result.pop(key, None)
            else:
                result[key] = strategic_merge(old if isinstance(old, dict) else {}, value)
        elif isinstance(value, list):
            result[key] = _merge_list(key, result.get(key), value)
        else:
            result[key] = value
    for key, order in patch.items():
        field = key.removeprefix(_ORDER)
        if key.startswith(_ORDER) and isinstance(result.get(field), list):
            result[field] = _arranged(field, result[field], order, current.get(field) or [])
    return result


def _check_order(field: str, patch: list[Any], order: list[Any]) -> None:
    """ApiError 500 unless the order (when one is given) names what the patch sets, in the patch's own order."""
    key = _MERGE_KEYS.get(field)
    wished = iter([_name(item, key) for item in order])
    kept = [item for item in patch if not (isinstance(item, dict) and "$patch" in item)]
    if order and not all(_name(item, key) in wished for item in kept):
        raise ApiError(500, f"The order in patch list:\n{patch}\n doesn't match {_ORDER[:-1]} list:\n{order}\n")


def _merge_list(field: str, current: Any, patch: list[Any]) -> list[Any]:
    old = current if isinstance(current, list) else []
    if field in _MERGED_PRIMITIVES:
        both = [*old, *(item for item in patch if item not in old)]
        return _arranged(field, both, patch, old)
    key = _MERGE_KEYS.get(field)
    if key is None or any(not isinstance(item, dict) for item in [*old, *patch]):
        return copy.deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if "$patch" not in item]
    for item in patch:
        if key not in item:
            raise ApiError(500, f"map: {item} does not contain declared merge key: {key}")
    deleted = [item[key] for item in patch if item.get("$patch") == "delete"]
    kept = [item for item in patch if item.get("$patch") != "delete"]
    result: list[Json] = [copy.deepcopy(item) for item in old if item.get(key) not in deleted]
    former = list(result)
    for item in kept:
        place = next((i for i, one in enumerate(result) if one.get(key) == item[key]), None)
        if place is None:
            result.append(strategic_merge({}, item))
        else:
            result[place] = strategic_merge(result[place], item)
    return _arranged(field, result, kept, former)


def _arranged(field: str, items: list[Any], patch: list[Any], former: list[Any]) -> list[Any]:
    """What the patch names stands in its order, the rest in the order that it had.

    Where both are known from before, the former order decides which comes first; else what the patch names does, so
    that what is new comes first.
    """
    key = _MERGE_KEYS.get(field)

    def places(order: list[Any]) -> dict[Any, int]:
        return {_name(item, key): place for place, item in reversed([*enumerate(order)])}

    wished, before = places(patch), places(former)
    named = sorted((one for one in items if _name(one, key) in wished), key=lambda one: wished[_name(one, key)])
    others = [one for one in items if _name(one, key) not in wished]
    others.sort(key=lambda one: before.get(_name(one, key), len(before)))
    result: list[Any] = []
    while named and others:
        left, right = before.get(_name(others[0], key)), before.get(_name(named[0], key))
        first = others if left is not None and right is not None and left < right else named
        result.append(first.pop(0))
    return [*result, *named, *others]


def _name(item: Any, key: str | None) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item


def merge(current: Any, patch: Any) -> Any:
    """RFC 7396: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
