"""A request's body: JSON, held against its JSON Schema, every complaint at the very field."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast
from urllib.parse import quote

from jsonschema.exceptions import ValidationError

from groundswell.api.problems import Fault, InvalidError, NotJsonError
from groundswell.lineage.document import said, validator

type Json = dict[str, Any]

LONGEST = 200
"""Characters of what is told of a mistake."""
_MOST_FAULTS = 20


def checked(body: bytes, schema: Json) -> Json:
    """The object that a body holds. Raises NotJsonError, and InvalidError that points at what is wrong."""
    document = _json(body)
    errors = validator(schema).iter_errors(document)
    if faults := list(islice((fault for error in errors for fault in _faults(error)), _MOST_FAULTS)):
        raise InvalidError(sorted(faults, key=lambda fault: str(fault["pointer"])))
    return document


def _json(body: bytes) -> Json:
    try:
        document = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as exc:
        why = "nested too deeply" if isinstance(exc, RecursionError) else str(exc)[:LONGEST]
        raise NotJsonError(f"the body must be a JSON object in UTF-8: {why}") from exc
    if not isinstance(document, dict):
        raise InvalidError([{"pointer": "#", "detail": "the body must be an object"}])
    return document


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found: Json = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:50]!r} is given twice")
        found[name] = value
    return found


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _faults(error: ValidationError) -> Iterator[Fault]:
    """A complaint, at the very field: of fields that are too many or missing, each is one."""
    at = "#" + "".join("/" + _token(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = error.schema.get("properties", {})
        for name in cast(Json, error.instance):
            if name not in known:
                yield {"pointer": f"{at}/{_token(name)}", "detail": "there is no such field"}
    else:
        yield {"pointer": at, "detail": said(error)}


def _token(part: str | int) -> str:
    """A part of a JSON Pointer in a URI fragment (RFC 6901, sections 3 and 6)."""
    return quote(str(part).replace("~", "~0").replace("/", "~1"), safe="~")
