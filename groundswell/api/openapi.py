"""What the OpenAPI document says beyond the routes themselves: schemas, examples, and every answer there is."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from groundswell.api import images
from groundswell.api.problems import KINDS, MEDIA_TYPE, TYPES

type Json = dict[str, Any]

_IMAGE: Json = {
    "name": "shop/web",
    "registry": "contoso.azurecr.io",
    "repository": "shop/web",
    "tags": ["1.4", "latest"],
    "tag_patterns": ["1.4.*"],
    "source": {"git": "https://github.com/contoso/shop.git", "ref": "main", "path": "apps/web"},
    "dockerfile": "Dockerfile",
    "target": None,
    "build_args": {},
    "platforms": ["linux/amd64"],
    "owner": "shop-team",
    "labels": {"tier": "gold"},
    "gate": {"severity": "CRITICAL"},
    "deployments": [
        {
            "cluster": "production",
            "namespace": "shop",
            "kind": "Deployment",
            "name": "web",
            "container": "web",
            "environment": "production",
        }
    ],
    "approval": "required",
    "strategy": "rebase-then-rebuild",
    "runtime": "contoso.azurecr.io/mirror/debian:12",
    "build": ["docker.io/library/golang:1.26"],
    "frontend": None,
    "agent_pool": None,
}
_SENT: Json = {
    name: value
    for name, value in _IMAGE.items()
    if name not in ("name", "runtime", "build", "frontend", "target", "agent_pool")
} | {
    "dockerfile_content": "FROM golang:1.26 AS build\nRUN go build -o /web\n"
    "FROM contoso.azurecr.io/mirror/debian:12\nCOPY --from=build /web /web\n"
}
_CHANGED: Json = {"owner": {"before": "", "after": "shop-team"}}
EXAMPLES: Mapping[str, Any] = {
    "Image": _IMAGE,
    "SentImage": _SENT,
    "Images": {"images": [_IMAGE], "next_cursor": "c2hvcC93ZWI"},
    "Registered": {
        "dry_run": False,
        "action": "changed",
        "fields": _CHANGED,
        "image": _IMAGE,
        "bases_not_read": [],
    },
    "History": {
        "history": [
            {
                "at": "2026-11-25T03:54:20.000Z",
                "who": "api",
                "why": "a team for it",
                "action": "changed",
                "revision": 17,
                "fields": _CHANGED,
            }
        ]
    },
    "Impact": {
        "base": "contoso.azurecr.io/mirror/debian:12",
        "images": [
            {
                "image": "shop/web",
                "depth": 1,
                "waits_for": [],
                "edge": "runtime",
                "pinned": False,
                "held_by": None,
                "estimated_seconds": 42.0,
            }
        ],
        "critical_path": ["shop/web"],
        "estimated_makespan_seconds": 42.0,
        "workloads": [
            {
                "image": "shop/web",
                "cluster": "production",
                "namespace": "shop",
                "kind": "Deployment",
                "name": "web",
                "container": "web",
            }
        ],
        "frontend_of": [],
    },
    "Problem": {
        "type": f"{TYPES}invalid",
        "title": "The input is not valid",
        "status": 422,
        "detail": "#/dockerfile_content: line 2, column 1: unknown instruction: FRM",
        "errors": [
            {
                "pointer": "#/dockerfile_content",
                "detail": "line 2, column 1: unknown instruction: FRM",
                "line": 2,
                "column": 1,
            }
        ],
        "instance": "urn:uuid:4f3b2a10-6c1d-4b7e-9a57-0c7a4f9f0d11",
    },
}


def _object(**properties: Any) -> Json:
    return {"type": "object", "additionalProperties": False, "required": [*properties], "properties": properties}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT: Json = {"type": "string"}
_MAYBE: Json = {"type": ["string", "null"]}
_YES_NO: Json = {"type": "boolean"}
_WHOLE: Json = {"type": "integer", "minimum": 0}
_SECONDS: Json = {"type": "number", "minimum": 0}
_WORKLOAD = ("image", "cluster", "namespace", "kind", "name", "container")


def _schemas() -> Json:
    fields: Json = {
        "type": "object",
        "additionalProperties": _object(before={}, after={}),
        "description": "What differs. Before a registration and after its end everything is null.",
    }
    fault = _object(pointer=_TEXT, parameter=_TEXT, detail=_TEXT, line=_WHOLE, column=_WHOLE)
    problem = _object(
        type={"type": "string", "format": "uri-reference"},
        title=_TEXT,
        status=_WHOLE,
        detail=_TEXT,
        instance={"type": "string", "format": "uri", "description": "The request, as our log calls it."},
        errors=_array({**fault, "required": ["detail"]}),
    )
    return {
        "SentImage": images.sent(),
        "Image": images.seen(),
        "Images": _object(
            images=_array(_ref("Image")),
            next_cursor={**_MAYBE, "description": "Where the next page begins; null after the last."},
        ),
        "Registered": _object(
            dry_run=_YES_NO,
            action={"enum": ["registered", "changed", "unchanged"]},
            fields=fields,
            image=_ref("Image"),
            bases_not_read={
                **_array(_TEXT),
                "description": "Bases whose digest could not be read now; it is tried again every five minutes.",
            },
        ),
        "History": _object(
            history=_array(
                _object(
                    at={"type": "string", "format": "date-time"},
                    who=_TEXT,
                    why=_TEXT,
                    action={"enum": ["registered", "changed", "unregistered"]},
                    revision=_WHOLE,
                    fields=fields,
                )
            )
        ),
        "Impact": _object(
            base=_TEXT,
            images=_array(
                _object(
                    image=_TEXT,
                    depth=_WHOLE,
                    waits_for=_array(_TEXT),
                    edge={"enum": ["runtime", "build"]},
                    pinned=_YES_NO,
                    held_by=_MAYBE,
                    estimated_seconds=_SECONDS,
                )
            ),
            critical_path=_array(_TEXT),
            estimated_makespan_seconds=_SECONDS,
            workloads=_array(_object(**dict.fromkeys(_WORKLOAD, _TEXT))),
            frontend_of=_array(_TEXT),
        ),
        "Problem": {**problem, "required": ["type", "title", "status", "detail", "instance"]},
    }


def complete(document: Json) -> Json:
    """The document that FastAPI made of the routes, with the schemas that these refer to."""
    schemas = {name: schema | {"examples": [EXAMPLES[name]]} for name, schema in _schemas().items()}
    document.setdefault("components", {})["schemas"] = schemas
    return document


_ETAG: Json = {"ETag": {"description": "For If-Match and If-None-Match.", "schema": _TEXT}}


NOT_MODIFIED: Json = {"description": "It is as If-None-Match says.", "headers": _ETAG}
_RETRY_AFTER: Json = {"Retry-After": {"description": "Seconds.", "schema": _TEXT}}


def content(*names: str) -> Json:
    """JSON of one of our schemas."""
    refs = [_ref(name) for name in names]
    return {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}


def ok(description: str, *names: str, etag: bool = False, **headers: str) -> Json:
    """An answer that went well: one of the schemas `names`, and its headers."""
    told = {key: {"description": text, "schema": _TEXT} for key, text in headers.items()}
    return {"description": description, "content": content(*names), "headers": told | (_ETAG if etag else {})}


def problems(*statuses: int) -> dict[int | str, Json]:
    """The answers that tell of a problem: those of `statuses`, and those of every route."""
    always = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
    answers: dict[int | str, Json] = {401: {"description": "The key is missing, or is none of the app's."}}
    for status in sorted({*statuses, *always}):
        kinds = [kind for kind in KINDS.values() if kind.status == status]
        answers[int(status)] = {
            "description": " / ".join(kind.title for kind in kinds) + ".",
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
            "headers": _RETRY_AFTER if status == HTTPStatus.SERVICE_UNAVAILABLE else {},
        }
    return answers
