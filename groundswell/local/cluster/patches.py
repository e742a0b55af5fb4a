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
    """`current` with a strategic merge patch. Raises ApiError 400 or 422 when the patch makes no sense."""
    match patch.get("$patch"):
        case "replace":
            return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
        case "delete":
            return {}
        case None | "merge":
            pass
        case other:
            raise ApiError(400, f"Unknown patch type: {other}")
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
            result[field] = _ordered(field, result[field], order)
    return result


def _merge_list(field: str, current: Any, patch: list[Any]) -> list[Any]:
    old = current if isinstance(current, list) else []
    if field in _MERGED_PRIMITIVES:
        return [*old, *(item for item in patch if item not in old)]
    key = _MERGE_KEYS.get(field)
    if key is None or any(not isinstance(item, dict) for item in [*old, *patch]):
        return copy.deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if "$patch" not in item]
    result: list[Json] = copy.deepcopy(old)
    for item in patch:
        if key not in item:
            raise ApiError(422, f"map: {item} does not contain declared merge key: {key}")
        place = next((i for i, one in enumerate(result) if one.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [one for one in result if one.get(key) != item[key]]
        elif place is None:
            result.append(strategic_merge({}, item))
        else:
            result[place] = strategic_merge(result[place], item)
    return result


def _ordered(field: str, items: list[Any], order: list[Any]) -> list[Any]:
    """As the client wishes; what it does not name stays in place behind."""
    key = _MERGE_KEYS.get(field)

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wished = [name(item) for item in order]
    return sorted(items, key=lambda item: wished.index(name(item)) if name(item) in wished else len(wished))


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
