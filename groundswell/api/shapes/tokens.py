"""API tokens: what is asked for, what is shown, and the one answer that holds the token itself."""

from groundswell.access.principal import Role
from groundswell.access.tokens import LONGEST
from groundswell.api.shapes.parts import (
    MAYBE,
    MAYBE_TIME,
    NEXT,
    REASON,
    TEXT,
    TIME,
    Json,
    Shape,
    array,
    fields,
    told,
)

_ROLE: Json = {"enum": [role.value for role in Role]}
SENT: Json = fields(
    required=("name", "roles", "reason"),
    name={
        "type": "string",
        "pattern": r"^[A-Za-z0-9][A-Za-z0-9 ._@/-]{0,62}$",
        "description": "Who or what uses it; the audit trail names it so.",
    },
    roles={**array(_ROLE, "What it may do; reader looks."), "minItems": 1, "uniqueItems": True},
    teams={
        **array({"type": "string", "pattern": r"\S", "maxLength": 200}, "With registrar: whose images."),
        "maxItems": 50,
        "uniqueItems": True,
    },
    days={
        "type": "integer",
        "minimum": 1,
        "maximum": int(LONGEST // 86_400),
        "default": 90,
        "description": "It expires after these.",
    },
    reason=REASON,
)

_TOKEN: Json = {
    "id": "5f0c1d2e3a4b",
    "name": "shop pipeline",
    "roles": ["registrar"],
    "teams": ["shop"],
    "created_at": "2026-11-25T03:54:20.000Z",
    "created_by": "ann@contoso.com (entra:1c2d3e4f-0000-4000-8000-5a6b7c8d9e0f)",
    "expires_at": "2027-02-23T03:54:20.000Z",
    "revoked_at": None,
    "state": "valid",
}


def shapes() -> dict[str, Shape]:
    seen: Json = {
        "id": TEXT,
        "name": TEXT,
        "roles": array(_ROLE),
        "teams": array(TEXT),
        "created_at": TIME,
        "created_by": TEXT,
        "expires_at": TIME,
        "revoked_at": MAYBE_TIME,
        "state": {"enum": ["valid", "expired", "revoked"]},
    }
    made = fields(seen, token=told(MAYBE, "The token, this once; null when the request was sent again."))
    asked: Json = {"name": "shop pipeline", "roles": ["registrar"], "teams": ["shop"]}
    return {
        "SentToken": Shape(schema=SENT, example={**asked, "days": 90, "reason": "registers its images"}),
        "Token": Shape(schema=fields(seen), example=_TOKEN),
        "MadeToken": Shape(schema=made, example={**_TOKEN, "token": None}),
        "Tokens": Shape(
            schema=fields(tokens=array(fields(seen)), next_cursor=NEXT),
            example={"tokens": [_TOKEN], "next_cursor": None},
        ),
    }
