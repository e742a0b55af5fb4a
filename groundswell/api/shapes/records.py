"""The audit trail, who is asking, and whether the service works."""

from groundswell.access.principal import Role
from groundswell.api.shapes.parts import NEXT, TEXT, TIME, Json, Shape, array, fields, told


def shapes() -> dict[str, Shape]:
    anything: Json = {"type": "object"}
    entry = fields(
        at=TIME,
        who=TEXT,
        action=TEXT,
        subject=TEXT,
        why=TEXT,
        before=anything,
        after=told(anything, "As it became."),
    )
    example: Json = {
        "at": "2026-11-25T03:54:20.000Z",
        "who": "ann@contoso.com (entra:1c2d3e4f-0000-4000-8000-5a6b7c8d9e0f)",
        "action": "replay",
        "subject": "0k3v9xab2c/shop/web",
        "why": "source repaired",
        "before": {"status": "failed"},
        "after": {"status": "ready"},
    }
    roles: Json = {"enum": [role.value for role in Role]}
    me = fields(
        id=TEXT, name=TEXT, roles=array(roles), teams=array(TEXT, "Whose images may be registered, as a registrar.")
    )
    tenant = "0f1e2d3c-0000-4000-8000-4a5b6c7d8e9f"
    login = fields(authority=TEXT, tenant=TEXT, audience=told(TEXT, "What access tokens must be for."))
    entra = {"oneOf": [login, {"type": "null"}], "description": "Whose access tokens are taken, too."}
    return {
        "Audit": Shape(
            schema=fields(entries=array(entry), next_cursor=NEXT),
            example={"entries": [example], "next_cursor": None},
        ),
        "Me": Shape(
            schema=me,
            example={"id": "token:5f0c1d2e3a4b", "name": "ci", "roles": ["registrar"], "teams": ["shop"]},
        ),
        "Login": Shape(
            schema=fields(entra=entra),
            example={
                "entra": {
                    "authority": "https://login.microsoftonline.com",
                    "tenant": tenant,
                    "audience": "api://groundswell",
                }
            },
        ),
        "Health": Shape(schema=fields(status={"const": "ok"}), example={"status": "ok"}),
    }
