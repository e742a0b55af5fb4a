"""Notices: what was told, to whom, and whether it arrived."""

from groundswell.api.shapes.parts import (
    MAYBE_TIME,
    NEXT,
    REASON,
    TEXT,
    TIME,
    WHOLE,
    Json,
    Shape,
    array,
    fields,
    told,
)
from groundswell.channels import Kind, Severity
from groundswell.notify.delivery import State

_CHANNEL: Json = {
    "type": "string",
    "pattern": "^[a-z0-9][a-z0-9-]{0,39}$",
    "description": "As GROUNDSWELL_NOTIFY names it.",
}
_ID: Json = {"type": "string", "pattern": "^n[0-9]{13}[0-9a-f]{12}$", "description": "`id` of the notice."}

RESENDING: Json = fields(notice=_ID, channel=_CHANNEL, reason=REASON)
TESTING: Json = fields(channel=_CHANNEL, reason=REASON)


def shapes() -> dict[str, Shape]:
    notice = fields(
        id=told(TEXT, "The same to all channels, and however often it is sent."),
        channel=TEXT,
        state={"enum": [state.value for state in State]},
        tries=WHOLE,
        error=told(TEXT, "Why the last try failed; empty when none did."),
        changed_at=TIME,
        due_at=told(MAYBE_TIME, "When it is tried next, while it waits."),
        kind={"enum": [kind.value for kind in Kind]},
        severity={"enum": [severity.value for severity in Severity]},
        title=TEXT,
        text=TEXT,
        teams=array(TEXT, "The owners of the images."),
        subjects=array(TEXT, "What it is about, the first ten."),
        count=told(WHOLE, "What it is about, all of it."),
        cascade=told(TEXT, "Empty where it comes of none."),
        at=told(TIME, "When it was told."),
        since=told(TIME, "When the matter began."),
        link=TEXT,
        heals=told(TEXT, "The notice whose matter is over."),
    )
    example: Json = {
        "id": "n17955168150008d3c1a1f9b20",
        "channel": "on-call",
        "state": "dead",
        "tries": 10,
        "error": "given up after 10 tries: it answered 503",
        "changed_at": "2026-11-25T16:12:40.000Z",
        "due_at": None,
        "kind": "rejected",
        "severity": "warning",
        "title": "backoffice/invoices was rejected by the gate",
        "text": "backoffice/invoices is rejected in cascade 0k3v9xab2c, attempt 1: CVE-2026-90010 (CRITICAL)",
        "teams": ["backoffice"],
        "subjects": ["backoffice/invoices"],
        "count": 1,
        "cascade": "0k3v9xab2c",
        "at": "2026-11-25T03:56:20.000Z",
        "since": "2026-11-25T03:54:20.000Z",
        "link": "https://groundswell.contoso.example/api/v1/cascades/0k3v9xab2c/rebuilds/backoffice/invoices",
        "heals": "",
    }
    return {
        "Notice": Shape(schema=notice, example=example),
        "Notices": Shape(
            schema=fields(notices=array(notice), next_cursor=NEXT),
            example={"notices": [example], "next_cursor": None},
        ),
        "Resending": Shape(
            schema=RESENDING,
            example={"notice": example["id"], "channel": "on-call", "reason": "the receiver is back"},
        ),
        "Testing": Shape(schema=TESTING, example={"channel": "on-call", "reason": "newly set up"}),
    }
