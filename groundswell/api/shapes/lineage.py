"""Images, their history, and what a push would do; and how problems are told."""

from groundswell.api import images
from groundswell.api.problems import TYPES
from groundswell.api.shapes.parts import (
    MAYBE,
    NEXT,
    SECONDS,
    TEXT,
    WHOLE,
    YES_NO,
    Json,
    Shape,
    array,
    fields,
    ref,
)

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
    "rings": [{"environment": "staging", "bake": "30m"}, {"environment": "production", "approval": "required"}],
    "strategy": "rebase-then-rebuild",
    "runtime": "contoso.azurecr.io/mirror/debian:12",
    "build": ["docker.io/library/golang:1.26"],
    "frontend": None,
    "agent_pool": None,
    "builder": None,
}
SENT: Json = {
    name: value
    for name, value in _IMAGE.items()
    if name not in ("name", "runtime", "build", "frontend", "target", "agent_pool", "builder")
} | {
    "dockerfile_content": "FROM golang:1.26 AS build\nRUN go build -o /web\n"
    "FROM contoso.azurecr.io/mirror/debian:12\nCOPY --from=build /web /web\n"
}
CHANGED: Json = {"owner": {"before": "", "after": "shop-team"}}
_EXAMPLES: Json = {
    "Image": _IMAGE,
    "SentImage": SENT,
    "Images": {"images": [_IMAGE], "next_cursor": "c2hvcC93ZWI"},
    "Registered": {
        "dry_run": False,
        "action": "changed",
        "fields": CHANGED,
        "image": _IMAGE,
        "bases_not_read": [],
    },
    "History": {
        "history": [
            {
                "at": "2026-11-25T03:54:20.000Z",
                "who": "ci (token:5f0c1d2e3a4b)",
                "why": "a team for it",
                "action": "changed",
                "revision": 17,
                "fields": CHANGED,
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


_WORKLOAD = ("image", "cluster", "namespace", "kind", "name", "container")


CHANGES: Json = {
    "type": "object",
    "additionalProperties": fields(before={}, after={}),
    "description": "What differs. Before a registration and after its end everything is null.",
}


def _schemas() -> Json:
    fault = fields(pointer=TEXT, parameter=TEXT, detail=TEXT, line=WHOLE, column=WHOLE)
    problem = fields(
        type={"type": "string", "format": "uri-reference"},
        title=TEXT,
        status=WHOLE,
        detail=TEXT,
        instance={"type": "string", "format": "uri", "description": "The request, as our log calls it."},
        errors=array({**fault, "required": ["detail"]}),
    )
    return {
        "SentImage": images.sent(),
        "Image": images.seen(),
        "Images": fields(
            images=array(ref("Image")),
            next_cursor=NEXT,
        ),
        "Registered": fields(
            dry_run=YES_NO,
            action={"enum": ["registered", "changed", "unchanged"]},
            fields=CHANGES,
            image=ref("Image"),
            bases_not_read={
                **array(TEXT),
                "description": "Bases whose digest could not be read now; it is tried again every five minutes.",
            },
        ),
        "History": fields(
            history=array(
                fields(
                    at={"type": "string", "format": "date-time"},
                    who=TEXT,
                    why=TEXT,
                    action={"enum": ["registered", "changed", "unregistered"]},
                    revision=WHOLE,
                    fields=CHANGES,
                )
            )
        ),
        "Impact": fields(
            base=TEXT,
            images=array(
                fields(
                    image=TEXT,
                    depth=WHOLE,
                    waits_for=array(TEXT),
                    edge={"enum": ["runtime", "build"]},
                    pinned=YES_NO,
                    held_by=MAYBE,
                    estimated_seconds=SECONDS,
                )
            ),
            critical_path=array(TEXT),
            estimated_makespan_seconds=SECONDS,
            workloads=array(fields(dict.fromkeys(_WORKLOAD, TEXT))),
            frontend_of=array(TEXT),
        ),
        "Problem": {**problem, "required": ["type", "title", "status", "detail", "instance"]},
    }


def shapes() -> dict[str, Shape]:
    return {name: Shape(schema=schema, example=_EXAMPLES[name]) for name, schema in _schemas().items()}
