"""What the OpenAPI document says beyond the routes themselves: schemas, examples, and every answer there is."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus

from groundswell.api.problems import KINDS, MEDIA_TYPE
from groundswell.api.shapes import (
    acts,
    cascades,
    discovery,
    examination,
    gates,
    insight,
    lineage,
    many,
    notices,
    records,
    running,
    signatures,
    tokens,
)
from groundswell.api.shapes.parts import TEXT, Json, Shape, ref


@cache
def shapes() -> Mapping[str, Shape]:
    """All schemas by name."""
    found: dict[str, Shape] = {}
    for part in (
        lineage,
        many,
        discovery,
        cascades,
        insight,
        acts,
        running,
        gates,
        records,
        signatures,
        notices,
        tokens,
        examination,
    ):
        found |= part.shapes()
    return found


def complete(document: Json) -> Json:
    """The document that FastAPI made of the routes, with the schemas that these refer to."""
    schemas = {name: {**shape.schema, "examples": [shape.example]} for name, shape in shapes().items()}
    components = document["components"]
    enums = {name: schema for name, schema in components["schemas"].items() if "enum" in schema}
    components["schemas"] = enums | schemas
    return document


_ETAG: Json = {"ETag": {"description": "For If-Match and If-None-Match.", "schema": TEXT}}


NOT_MODIFIED: Json = {"description": "It is as If-None-Match says.", "headers": _ETAG}
_RETRY_AFTER: Json = {"Retry-After": {"description": "Seconds.", "schema": TEXT}}
_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_TOLD_WITH: Mapping[int, Json] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": {"description": "Bearer.", "schema": TEXT}},
    HTTPStatus.CONFLICT: _RETRY_AFTER,
    HTTPStatus.TOO_MANY_REQUESTS: _RETRY_AFTER,
    HTTPStatus.SERVICE_UNAVAILABLE: _RETRY_AFTER,
}


def content(*names: str) -> Json:
    """JSON of one of our schemas."""
    refs = [ref(name) for name in names]
    return {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}


def ok(description: str, *names: str, etag: bool = False, **headers: str) -> Json:
    """An answer that went well: one of the schemas `names`, and its headers."""
    told = {key: {"description": text, "schema": TEXT} for key, text in headers.items()}
    return {"description": description, "content": content(*names), "headers": told | (_ETAG if etag else {})}


def done(description: str, name: str) -> Json:
    """The answer to what was done, or was done before under the same key."""
    said = {"description": "`true`: it was done before, and this is what was answered then.", "schema": TEXT}
    return {**ok(description, name), "headers": {"Idempotency-Replayed": said}}


def open_problems() -> dict[int | str, Json]:
    """Those of routes that ask nobody who asks."""
    known = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
    return {status: answer for status, answer in problems().items() if status not in known}


def problems(*statuses: int) -> dict[int | str, Json]:
    """The answers that tell of a problem: those of `statuses`, and those of every route."""
    return {int(status): _problem(status) for status in sorted({*statuses, *_ALWAYS})}


def _problem(status: int) -> Json:
    kinds = [kind for kind in KINDS.values() if kind.status == status]
    return {
        "description": " / ".join(kind.title for kind in kinds) + ".",
        "content": {MEDIA_TYPE: {"schema": ref("Problem")}},
        "headers": _TOLD_WITH.get(status, {}),
    }
