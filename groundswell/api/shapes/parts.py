"""The pieces that JSON Schemas of the API are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A schema of the OpenAPI document, and an example that holds."""

    schema: Json
    example: Json


def fields(named: Json | None = None, /, *, required: tuple[str, ...] | None = None, **more: Any) -> Json:
    """An object with just these properties; all of them are there, unless `required` says which."""
    properties = {**(named or {}), **more}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties if required is None else required),
        "properties": properties,
    }


def array(items: Json, description: str = "") -> Json:
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def told(of: Json, description: str) -> Json:
    return {**of, "description": description}


TEXT: Json = {"type": "string"}
MAYBE: Json = {"type": ["string", "null"]}
YES_NO: Json = {"type": "boolean"}
WHOLE: Json = {"type": "integer", "minimum": 0}
SECONDS: Json = {"type": "number", "minimum": 0}
TIME: Json = {"type": "string", "format": "date-time"}
MAYBE_TIME: Json = {"type": ["string", "null"], "format": "date-time"}
ANYTHING: Json = {"type": "object"}
NEXT: Json = {"type": ["string", "null"], "description": "Where the next page begins; null after the last."}
REASON: Json = {
    "type": "string",
    "pattern": r"[^\s\x00-\x1f\x7f]",
    "maxLength": 1000,
    "description": "Why, for the audit trail.",
    "errorMessage": "must say why, in words: 1000 characters at most",
}


def one_of(*names: str) -> Json:
    """Exactly one of these fields."""
    told = f"give exactly one of {', '.join(names)}"
    return {"allOf": [{"oneOf": [{"required": [name]} for name in names], "errorMessage": told}]}


def inlined(of: Any, definitions: Mapping[str, Any]) -> Any:
    """A part of one of our formats' schemas, which holds what it refers to."""
    if isinstance(of, list):
        return [inlined(item, definitions) for item in of]
    if not isinstance(of, dict):
        return of
    rest = {key: inlined(value, definitions) for key, value in of.items() if key not in ("$ref", "$defs")}
    if "$ref" in of:
        return {**inlined(definitions[of["$ref"].rpartition("/")[2]], definitions), **rest}
    return rest
