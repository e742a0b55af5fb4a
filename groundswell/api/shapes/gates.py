"""What stops a cascade at times: freezes, and the policy of the gate."""

from functools import cache

from groundswell.api.shapes.parts import MAYBE_TIME, TEXT, YES_NO, Json, Shape, array, fields, inlined, told
from groundswell.lineage.policy_document import schema as policy_schema

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"

FREEZE: Json = fields(
    {
        "from": {
            "type": "string",
            "maxLength": 40,
            "description": "A local date and time (2026-12-18T18:00); with days a time (18:00).",
        }
    },
    required=("zone", "from", "until", "why"),
    environment={
        "type": "string",
        "pattern": r"^[^\s\x00-\x1f]{1,200}$",
        "default": "*",
        "description": "An environment, or a glob such as prod-*.",
    },
    zone={
        "type": "string",
        "pattern": r"^[A-Za-z0-9_+/-]{1,64}$",
        "description": "IANA time zone of the times, such as Europe/Berlin.",
    },
    days={
        "type": ["array", "null"],
        "items": {"type": "string", "pattern": f"^{_DAY}(-{_DAY})?$"},
        "minItems": 1,
        "maxItems": 7,
        "description": "Every week on these days; left out or null: once.",
    },
    until={
        "type": "string",
        "maxLength": 40,
        "description": "As `from`; with days, a time that is not after it is on the next day.",
    },
    why={"type": "string", "pattern": r"\S", "maxLength": 1000, "description": "Why, for everybody who waits."},
)


@cache
def sent_policy() -> Json:
    """The policy as it is sent: OpenVEX documents stand in it, where the file names files."""
    schema = inlined(policy_schema(), policy_schema()["$defs"])
    properties = dict(schema["properties"])
    vex = properties["vex"]
    items = {
        **vex["items"],
        "required": [*vex["items"]["required"], "document"],
        "properties": {**vex["items"]["properties"], "document": {"type": "object", "description": "OpenVEX."}},
    }
    properties["vex"] = {**vex, "items": items}
    return {**{key: schema[key] for key in ("type", "additionalProperties", "required")}, "properties": properties}


def shapes() -> dict[str, Shape]:
    written: Json = {
        "environment": "prod-*",
        "zone": "Europe/Berlin",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "from": "18:00",
        "until": "06:00",
        "why": "nobody is on call",
    }
    freeze: Json = {"name": "nights", **written, "in_force": True, "ends_at": "2026-11-26T05:00:00.000Z"}
    seen = fields(
        {"from": TEXT},
        name=TEXT,
        environment=TEXT,
        zone=TEXT,
        days={"type": ["array", "null"], "items": TEXT},
        until=TEXT,
        why=TEXT,
        in_force=YES_NO,
        ends_at=told(MAYBE_TIME, "When the window ends that is open now."),
    )
    policy: Json = {"version": 1, "global": {"severity": "HIGH"}, "teams": {}, "vex": []}
    of_image = fields(
        image=TEXT,
        gate={
            "type": "object",
            "additionalProperties": fields({"value": {}, "from": array(TEXT)}),
            "description": "Each value it is held to, and where that is said.",
        },
    )
    return {
        "SentFreeze": Shape(schema=FREEZE, example=written),
        "Freeze": Shape(schema=seen, example=freeze),
        "Freezes": Shape(schema=fields(freezes=array(seen)), example={"freezes": [freeze]}),
        "Policy": Shape(schema=sent_policy(), example=policy),
        "PolicyOfImage": Shape(
            schema=of_image,
            example={"image": "shop/web", "gate": {"severity": {"value": "HIGH", "from": ["global"]}}},
        ),
    }
