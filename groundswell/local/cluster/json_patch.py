"""JSON Patch (RFC 6902). Pure: the document given is not changed."""

import copy
from typing import Any

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.objects import Json

_MISSING = object()


def json_patch(document: Json, operations: object) -> Json:
    """`document` with the operations. ApiError 400 when they are malformed, 422 when they do not apply."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise ApiError(400, "error decoding patch: a JSON patch is a list of operations")
    result = copy.deepcopy(document)
    for operation in operations:
        _apply(result, operation)
    return result


def _apply(document: Json, operation: Json) -> None:
    kind, path = operation.get("op"), _path(operation, "path")
    match kind:
        case "add":
            _add(document, path, _value(operation))
        case "replace":
            _find(document, path)
            _set(document, path, _value(operation))
        case "remove":
            _remove(document, path)
        case "test":
            if _find(document, path) != _value(operation):
                raise ApiError(422, f"the server rejected our request: testing path {operation['path']} failed")
        case "copy":
            _add(document, path, copy.deepcopy(_find(document, _path(operation, "from"))))
        case "move":
            _add(document, path, _remove(document, _path(operation, "from")))
        case _:
            raise ApiError(400, f"error decoding patch: unexpected kind: {kind}")


def _path(operation: Json, field: str) -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str) or not text.startswith("/"):
        raise ApiError(400, f"error decoding patch: {field} must be a JSON pointer, not {text!r}")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise ApiError(400, f"error decoding patch: {operation.get('op')} without a value")
    return copy.deepcopy(operation["value"])


def _find(document: Any, path: list[str]) -> Any:
    found = document
    for step in path:
        found = _child(found, step)
        if found is _MISSING:
            raise _absent(path)
    return found


def _child(parent: Any, step: str) -> Any:
    if isinstance(parent, dict):
        return parent.get(step, _MISSING)
    if isinstance(parent, list) and step.isdecimal() and int(step) < len(parent):
        return parent[int(step)]
    return _MISSING


def _set(document: Any, path: list[str], value: Any) -> None:
    parent = _find(document, path[:-1])
    parent[int(path[-1]) if isinstance(parent, list) else path[-1]] = value


def _add(document: Any, path: list[str], value: Any) -> None:
    parent = _find(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list) and path[-1] == "-":
        parent.append(value)
    elif isinstance(parent, list) and path[-1].isdecimal() and int(path[-1]) <= len(parent):
        parent.insert(int(path[-1]), value)
    else:
        raise _absent(path)


def _remove(document: Any, path: list[str]) -> Any:
    value = _find(document, path)
    parent = _find(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return value


def _absent(path: list[str]) -> ApiError:
    return ApiError(422, f"the server rejected our request: unable to find path /{'/'.join(path)}")
