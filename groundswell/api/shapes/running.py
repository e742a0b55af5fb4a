"""What runs: alerts, drift, and the logs of runs."""

from groundswell.api.shapes.parts import (
    MAYBE,
    MAYBE_TIME,
    NEXT,
    REASON,
    TEXT,
    WHOLE,
    YES_NO,
    Json,
    Shape,
    array,
    fields,
    told,
)
from groundswell.cascade.alerts import Kind

RELEASE: Json = fields(
    workload={"type": "string", "minLength": 1, "maxLength": 1000, "description": "As /drift names it."},
    reason=REASON,
)

_WORKLOAD = "production/shop/deployment/web[web]"
_DIGEST = "sha256:" + "3a" * 32
_AT = "2026-11-25T03:54:20.000Z"
_FINDING: Json = {
    "id": "CVE-2026-90001",
    "package": "zlib1g",
    "installed": "1:1.2",
    "fixed": "1:1.3",
    "severity": "CRITICAL",
    "refused": True,
    "state": "",
    "blame": "base",
    "allowed": "",
    "why": "",
    "said": {"trivy": "CRITICAL"},
}
_ALERT: Json = {
    "kind": "refused",
    "open": True,
    "image": "shop/web",
    "digest": _DIGEST,
    "reference": f"contoso.azurecr.io/shop/web@{_DIGEST}",
    "workloads": [_WORKLOAD],
    "looked_at": _AT,
    "awaited": None,
    "findings": [_FINDING],
    "trouble": "",
    "first_seen": _AT,
    "last_seen": _AT,
    "resolved_at": None,
    "remedy": {
        "image": "shop/base",
        "why": "comes with its base, shop/base, which may be built with newer packages",
    },
    "cascade": "",
    "begun": False,
    "wanted": "",
    "answered": [],
}
_DRIFT: Json = {
    "workload": _WORKLOAD,
    "image": "shop/web",
    "ours": [f"contoso.azurecr.io/shop/web@{_DIGEST}"],
    "runs": "contoso.azurecr.io/shop/web:hotfix",
    "seen_at": _AT,
    "cascade": "0k3v9xab2c",
}


def shapes() -> dict[str, Shape]:
    finding = fields(
        {name: TEXT for name in _FINDING if name not in ("refused", "said")},
        refused=YES_NO,
        said={"type": "object", "additionalProperties": TEXT, "description": "Each scanner's severity."},
    )
    alert = fields(
        kind={"enum": [kind.value for kind in Kind]},
        open=told(YES_NO, "It is an alert now, and not resolved."),
        image=TEXT,
        digest=TEXT,
        reference=TEXT,
        workloads=array(TEXT, "Who runs it, the first 50."),
        looked_at=told(MAYBE_TIME, "When a scan ended last, well or not; null: it is due."),
        awaited=told(MAYBE_TIME, "Since when a report is."),
        findings=array(finding, "Those that the gate refuses, the worst 100."),
        trouble=told(TEXT, "Why no scan of it counts."),
        first_seen=MAYBE_TIME,
        last_seen=MAYBE_TIME,
        resolved_at=MAYBE_TIME,
        remedy=told(fields(image=TEXT, why=TEXT), "What to build anew, if that may mend it, and why."),
        cascade=told(TEXT, "What was begun for it by policy."),
        begun=YES_NO,
        wanted=TEXT,
        answered=array(TEXT),
    )
    drift = fields(
        workload=TEXT,
        image=TEXT,
        ours=array(TEXT, "What it may run by our doing."),
        runs=TEXT,
        seen_at=MAYBE_TIME,
        cascade=told(MAYBE, "That found it so, and left it alone."),
    )
    log = fields(
        run=TEXT,
        offset=told(WHOLE, "Characters before this page."),
        text=told(TEXT, "Control characters are taken out."),
        next_offset=told(WHOLE, "Where the next page begins."),
        length=told(WHOLE, "Characters of the log so far."),
    )
    return {
        "Alerts": Shape(
            schema=fields(alerts=array(alert), next_cursor=NEXT), example={"alerts": [_ALERT], "next_cursor": None}
        ),
        "Drifts": Shape(
            schema=fields(
                drift=array(drift), unread=array(TEXT, "What could not be looked at, and why."), next_cursor=NEXT
            ),
            example={"drift": [_DRIFT], "unread": [], "next_cursor": None},
        ),
        "Release": Shape(schema=RELEASE, example={"workload": _WORKLOAD, "reason": "the fix is in the image"}),
        "Released": Shape(
            schema=fields(workload=TEXT, image=TEXT, released={"const": True}),
            example={"workload": _WORKLOAD, "image": "shop/web", "released": True},
        ),
        "RunLog": Shape(
            schema=log,
            example={"run": "cf4", "offset": 0, "text": "Step 1/3\n", "next_offset": 9, "length": 9},
        ),
    }
