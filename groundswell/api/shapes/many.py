"""Several images at once: registered, unregistered, and drawn as a graph."""

from groundswell.api import images
from groundswell.api.shapes.lineage import CHANGED, CHANGES, SENT
from groundswell.api.shapes.parts import REASON, TEXT, WHOLE, YES_NO, Json, Shape, array, fields, told
from groundswell.lineage.document import schema as lineage_schema

_NAME: Json = {key: value for key, value in lineage_schema()["$defs"]["name"].items() if key != "description"}
REGISTER: Json = fields(
    required=("images",),
    images=images.sent_many(),
    reason={"type": "string", "maxLength": 1000, "description": "Why, for the history."},
    dry_run={**YES_NO, "default": False, "description": "Say what would change, and change nothing."},
)
UNREGISTER: Json = fields(
    images={**array(_NAME), "minItems": 1, "maxItems": images.MOST, "uniqueItems": True}, reason=REASON
)


def shapes() -> dict[str, Shape]:
    change = fields(image=TEXT, new=YES_NO, action={"enum": ["registered", "changed"]}, fields=CHANGES)
    changed: Json = {"image": "shop/web", "new": False, "action": "changed", "fields": CHANGED}
    edge = fields(
        base=told(TEXT, "The image that publishes it, else the reference."),
        image=TEXT,
        kind={"enum": ["runtime", "build", "frontend"]},
        pinned=YES_NO,
    )
    web, debian = "shop/web", "contoso.azurecr.io/mirror/debian:12"
    return {
        "SentImages": Shape(
            schema=REGISTER,
            example={"images": [{"name": "shop/web", **SENT}], "reason": "a team for it", "dry_run": True},
        ),
        "RegisteredMany": Shape(
            schema=fields(
                dry_run=YES_NO,
                images=told(WHOLE, "How many were sent."),
                changes=array(change, "Those that were not that way; sent again, large answers have no `fields`."),
                bases_not_read=array(TEXT, "Bases whose digest could not be read now; it is tried again."),
            ),
            example={"dry_run": False, "images": 12, "changes": [changed], "bases_not_read": []},
        ),
        "Unregister": Shape(schema=UNREGISTER, example={"images": ["shop/old"], "reason": "retired"}),
        "Unregistered": Shape(
            schema=fields(
                unregistered=array(TEXT),
                left_standing={
                    "type": "object",
                    "additionalProperties": array(TEXT),
                    "description": "By image, who still stands on its tags.",
                },
            ),
            example={"unregistered": ["shop/old"], "left_standing": {"shop/old": ["shop/web"]}},
        ),
        "Graph": Shape(
            schema=fields(nodes=array(TEXT), edges=array(edge)),
            example={
                "nodes": [debian, web],
                "edges": [{"base": debian, "image": web, "kind": "runtime", "pinned": False}],
            },
        ),
    }
