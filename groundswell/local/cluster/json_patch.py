"""JSON Patch (RFC 6902). Pure: the document given is not changed."""

import copy
from typing import Any

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.objects import Json

_MISSING = object()
_REJECTED = "the server rejected our request due to an error in our request"


def json_patch(document: Json, operations: object) -> Json:
    """`document` with the operations. ApiError 400 when they are no list of operations, 422 when they do not apply.

    As the server's library does, and RFC 6902 does not, `replace` adds a member that an object lacks.
    """
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise ApiError(400, "json: cannot unmarshal into Go value of type jsonpatch.Patch")
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
            if not isinstance(_find(document, path[:-1]), dict):
                _find(document, path)
            _set(document, path, _value(operation))
        case "remove":
            _remove(document, path)
        case "test":
            parent = _find(document, path[:-1])
            found = parent.get(path[-1]) if isinstance(parent, dict) else _find(document, path)
            if found != _value(operation):  # and null is equal to nothing
                raise ApiError(422, _REJECTED)
        case "copy":
            _add(document, path, copy.deepcopy(_find(document, _path(operation, "from"))))
        case "move":
            _add(document, path, _remove(document, _path(operation, "from")))
        case _:
            raise ApiError(422, _REJECTED)


def _path(operation: Json, field: str) -> list[str]:
    text = operation.get(field)
    if not isinstance(text, str) or not text.startswith("/"):
        raise ApiError(422, _REJECTED)
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _value(operation: Json) -> Any:
    if "value" not in operation:
        raise ApiError(422, _REJECTED)
    return copy.deepcopy(operation["value"])


def _find(document: Any, path: list[str]) -> Any:
    found = document
    for step in path:
        found = _child(found, step)
        if found is _MISSING:
            raise ApiError(422, _REJECTED)
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
        raise ApiError(422, _REJECTED)


def _remove(document: Any, path: list[str]) -> Any:
    value = _find(document, path)
    parent = _find(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return value
