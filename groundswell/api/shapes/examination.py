"""What the doctor found."""

from groundswell.api.shapes.parts import TEXT, TIME, Json, Shape, array, fields, told
from groundswell.doctor.check import Outcome


def shapes() -> dict[str, Shape]:
    outcome: Json = {"enum": [each.value for each in Outcome]}
    check = fields(
        name=told(TEXT, "What was checked; several checks may have one name."),
        outcome=outcome,
        says=TEXT,
        fix=told(TEXT, "What to do; empty when nothing is to be done."),
    )
    whole = fields(
        at=told(TIME, "When it was looked at, ten seconds ago at most."),
        version=told(TEXT, "Of the service; `unknown` where it runs from its files alone."),
        outcome=told(outcome, "The worst of all."),
        checks=array(check),
    )
    example: Json = {
        "at": "2026-11-25T03:54:20.000Z",
        "version": "0.1.0",
        "outcome": "bad",
        "checks": [
            {"name": "store", "outcome": "ok", "says": "written, read and deleted", "fix": ""},
            {
                "name": "registry contoso.azurecr.io",
                "outcome": "bad",
                "says": "we may not push in shop/web",
                "fix": "give the app's identity the role AcrPush on it",
            },
        ],
    }
    return {"Examination": Shape(schema=whole, example=example)}
