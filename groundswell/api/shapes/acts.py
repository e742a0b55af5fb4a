"""What people do to cascades: what is sent, and what became of it."""

from groundswell.api.shapes.cascades import MAYBE_STAGE, STAGE, STATUS
from groundswell.api.shapes.parts import REASON, TEXT, YES_NO, Json, Shape, array, fields, one_of, told
from groundswell.lineage.document import schema as lineage_schema

_NAME: Json = {key: value for key, value in lineage_schema()["$defs"]["name"].items() if key != "description"}
_IMAGE: Json = told(_NAME, "One image of the cascade.")
_ALL: Json = {"const": True, "description": "Everything in the cascade."}
_TIMES = {"default": False}

PUSH: Json = fields(
    required=("reference", "reason"),
    reference={
        "type": "string",
        "minLength": 1,
        "maxLength": 1000,
        "description": "The tag that moved; its digest is read from the registry.",
    },
    urgent={**YES_NO, **_TIMES, "description": "What follows is built before anything else."},
    force={**YES_NO, **_TIMES, "description": "What follows is built even if it was built from the same before."},
    reason=REASON,
)
REPLAY: Json = {
    **fields(
        {"from": told(STAGE, "The stage to begin with; left out: where it failed.")},
        required=("reason",),
        image=_IMAGE,
        failed={"const": True, "description": "All that failed, was rejected or was cancelled, bases first."},
        all={"const": True, "description": "All that has ended; needs `from` or `force`."},
        force={**YES_NO, **_TIMES, "description": "From build, even if it was built from the same before."},
        reason=REASON,
    ),
    **one_of("image", "failed", "all"),
}
DEED: Json = {
    **fields(required=("reason",), image=_IMAGE, all=_ALL, reason=REASON),
    **one_of("image", "all"),
}
APPROVAL: Json = {
    **fields(
        required=("reason",),
        images={**array(_NAME, "Images of the cascade."), "minItems": 1, "maxItems": 1000, "uniqueItems": True},
        all={"const": True, "description": "All that wait for an approval."},
        despite_freeze={**YES_NO, **_TIMES, "description": "Roll out although an environment is frozen."},
        reason=REASON,
    ),
    **one_of("images", "all"),
}

ANEW: Json = fields(image=told(_NAME, "As it is registered."), reason=REASON)


def shapes() -> dict[str, Shape]:
    item = fields(image=TEXT, status=STATUS, stage=told(MAYBE_STAGE, "Replayed from here."), why=TEXT)
    outcome = fields(
        cascade=TEXT,
        done=array(item, "What was done as asked."),
        left=array(item, "What was left alone, and why."),
        failed=array(item, "What was tried in vain; ask again, it is safe."),
    )
    done: Json = {"image": "shop/web", "status": "building", "stage": "build", "why": ""}
    left: Json = {
        "image": "shop/docs",
        "status": "blocked",
        "stage": None,
        "why": "blocked by shop/web: it comes back by itself",
    }
    return {
        "PushReport": Shape(
            schema=PUSH,
            example={
                "reference": "contoso.azurecr.io/mirror/debian:12",
                "urgent": True,
                "reason": "CVE-2026-1234, and its webhook was lost",
            },
        ),
        "Told": Shape(
            schema=fields(
                push=told(TEXT, "Its id, by which /pushes tells what became of it."), urgent=YES_NO, forced=YES_NO
            ),
            example={"push": "hand-0b1c2d3e4f50", "urgent": True, "forced": False},
        ),
        "Replay": Shape(schema=REPLAY, example={"failed": True, "from": "build", "reason": "the mirror is back"}),
        "Deed": Shape(schema=DEED, example={"image": "shop/web", "reason": "the new base breaks TLS"}),
        "Approval": Shape(schema=APPROVAL, example={"images": ["shop/web"], "reason": "looked at in staging"}),
        "Anew": Shape(schema=ANEW, example={"image": "shop/base", "reason": "CVE-2026-1234 has a fix"}),
        "Begun": Shape(
            schema=fields(image=TEXT, cascade=told(TEXT, "Its id.")),
            example={"image": "shop/base", "cascade": "0k3v9xab2c"},
        ),
        "Outcome": Shape(
            schema=outcome, example={"cascade": "0k3v9xab2c", "done": [done], "left": [left], "failed": []}
        ),
    }
