"""Failures by cause, comparisons and statistics, as they are seen."""

from typing import Any

from groundswell.api.shapes.cascades import STAGE, STATUS
from groundswell.api.shapes.parts import (
    ANYTHING,
    MAYBE,
    NEXT,
    SECONDS,
    TEXT,
    TIME,
    WHOLE,
    YES_NO,
    Json,
    Shape,
    array,
    fields,
    told,
)
from groundswell.cascade.causes import Trouble
from groundswell.cascade.failures import SHOWN
from groundswell.cascade.statistics import SEVERITIES, UNSAID

_AT = "2026-11-25T03:54:20.000Z"
_ID = "0k3v9xab2c"
_BASE = "contoso.azurecr.io/mirror/debian:12"
_NEW, _OLD = "sha256:" + "3a" * 32, "sha256:" + "07" * 32
_MAYBE_SECONDS: Json = {"type": ["number", "null"], "minimum": 0}
_MAYBE_CHANGED: Json = {"type": ["boolean", "null"], "description": "Null: it cannot be known."}

_WHY = "its build left nothing to go on from"
_GROUP: Json = {
    "cause": "5f3a1c0b9d2e4a76",
    "title": "run … ended as Failed; its log ends: E: Unable to locate package libfolio2",
    "kind": "failed",
    "stage": "build",
    "count": 1,
    "first_seen": _AT,
    "last_seen": _AT,
    "images": [
        {
            "image": "shop/web",
            "cascade": _ID,
            "owner": "shop",
            "attempt": 1,
            "run": "cf4",
            "reason": "run cf4 ended as Failed; its log ends: E: Unable to locate package libfolio2",
            "at": _AT,
            "blocks": 1,
            "from": "build",
            "why": _WHY,
            "command": f"groundswell replay {_ID} shop/web --from build --reason TEXT",
        }
    ],
    "blocks": 1,
    "blocked": ["shop/docs"],
    "workloads_not_moved": 1,
    "workloads": ["production/shop/deployment/web[web]"],
    "owners": ["shop"],
    "replay": {
        "from": "build",
        "why": _WHY,
        "commands": [f"groundswell replay {_ID} shop/web --from build --reason TEXT"],
    },
}
_MONTH: Json = {
    "month": "2026-11",
    "cascades": 4,
    "push_to_rolled_out": {
        "cascades": {"count": 3, "p50_seconds": 312.4, "p95_seconds": 1205.0},
        "images": {"count": 31, "p50_seconds": 181.3, "p95_seconds": 1152.2},
    },
    "images": 48,
    "ended": {"done": 40, "unchanged": 5, "failed": 1, "blocked": 2},
    "success_rate": 0.9375,
    "replays": 1,
    "slowest": [{"image": "platform/toolchain", "build_seconds": 402.1}],
    "vulnerabilities": {
        "fixed": {"CRITICAL": 2, "HIGH": 7},
        "fixed_per_cascade": 2.25,
        "compared": 38,
        "not_compared": 2,
    },
}
_COMPARISON: Json = {
    "cascade": _ID,
    "image": "shop/web",
    "status": "failed",
    "attempt": 1,
    "run": "cf4",
    "good": {"cascade": "0j1t2mzvpx", "digest": _OLD, "at": _AT, "run": "cb1"},
    "why": "",
    "source": {
        "known": True,
        "why": "",
        "revision": "5b2f",
        "good_revision": "5b2f",
        "changed": False,
        "place": {"location": "https://git.example.com/shop.git", "ref": "main", "path": "web"},
        "good_place": {"location": "https://git.example.com/shop.git", "ref": "main", "path": "web"},
    },
    "settings": {"known": True, "why": "", "changed": [{"setting": "target", "now": "app", "good": None}]},
    "build_args": {"known": True, "why": "", "changed": [{"argument": "CHANNEL", "now": "edge", "good": "stable"}]},
    "bases": {
        "known": True,
        "why": "",
        "bases": [{"base": _BASE, "platform": "linux/amd64", "now": _NEW, "good": _OLD, "changed": True}],
    },
    "packages": {
        "known": False,
        "why": "this one: no bill of materials was attached: it did not pass the scan, or no scanner lists any",
        "new": [],
        "gone": [],
        "changed": [],
    },
    "findings": {"known": False, "why": "this one: it was not scanned", "new": [], "gone": []},
    "log": {
        "known": True,
        "why": "",
        "tail": ["Step 1/3 : FROM debian:12", "E: Unable to locate package libfolio2"],
        "diff": ["--- good", "+++ this one", "@@ -2 +2 @@", "-done", "+E: Unable to locate package libfolio2"],
    },
}


def shapes() -> dict[str, Shape]:
    return {**_failures(), "Comparison": Shape(schema=_comparison(), example=_COMPARISON), **_statistics()}


def _failures() -> dict[str, Shape]:
    image = fields(
        {"from": told(STAGE, "Where a replay of it should begin.")},
        image=TEXT,
        cascade=TEXT,
        owner=TEXT,
        attempt=WHOLE,
        run=told(TEXT, "Of the build; empty when there was none."),
        reason=TEXT,
        at=told(TIME, "When it failed."),
        blocks=told(WHOLE, "Images that cannot go on because of it."),
        why=TEXT,
        command=TEXT,
    )
    replay = fields(
        {"from": told(STAGE, "Of most of them, when they differ.")},
        why=TEXT,
        commands=array(TEXT, f"What to run, with a reason for TEXT; at most {SHOWN}."),
    )
    group = fields(
        cause=told(TEXT, "The same for whatever has this cause, whenever it happens."),
        title=told(TEXT, "The reason, without what differs from case to case."),
        kind={"enum": [kind.value for kind in Trouble]},
        stage=STAGE,
        count=told(WHOLE, "Images, in all cascades."),
        first_seen=TIME,
        last_seen=TIME,
        images=array(image, f"The worst first, at most {SHOWN}."),
        blocks=told(WHOLE, "Images that cannot go on because of it, directly or not."),
        blocked=array(TEXT, f"Them; at most {SHOWN}."),
        workloads_not_moved=WHOLE,
        workloads=array(TEXT, f"Those of the images and of what they block; at most {SHOWN}."),
        owners=array(TEXT),
        replay=replay,
    )
    page = fields(groups=array(group), next_cursor=NEXT)
    return {"Failures": Shape(schema=page, example={"groups": [_GROUP], "next_cursor": None})}


def _part(**more: Any) -> Json:
    known = told(YES_NO, "Whether both sides are known.")
    return fields({"known": known, "why": told(TEXT, "What is not known, of which side, and why."), **more})


def _comparison() -> Json:
    place: Json = {"type": ["object", "null"]}
    value: Json = {"type": ["string", "array", "null"]}
    package = fields(package=TEXT, versions=array(TEXT))
    finding = fields(id=TEXT, package=TEXT)
    base = fields(
        base=TEXT,
        platform=told(TEXT, "Empty where a base has not one manifest for each platform."),
        now=MAYBE,
        good=MAYBE,
        changed=_MAYBE_CHANGED,
    )
    return fields(
        cascade=TEXT,
        image=TEXT,
        status=STATUS,
        attempt=WHOLE,
        run=TEXT,
        good={
            "oneOf": [fields(cascade=TEXT, digest=TEXT, at=TIME, run=TEXT), {"type": "null"}],
            "description": "The last good rebuild of the image before this one.",
        },
        why=told(TEXT, "Why there is nothing to compare with."),
        source=_part(revision=MAYBE, good_revision=MAYBE, changed=_MAYBE_CHANGED, place=place, good_place=place),
        settings=_part(changed=array(fields(setting=TEXT, now=value, good=value))),
        build_args=_part(changed=array(fields(argument=TEXT, now=MAYBE, good=MAYBE))),
        bases=_part(bases=array(base)),
        packages=_part(
            new=array(package),
            gone=array(package),
            changed=array(fields(package=TEXT, now=array(TEXT), good=array(TEXT))),
        ),
        findings=_part(new=array(finding), gone=array(finding)),
        log=_part(
            tail={"type": ["array", "null"], "items": TEXT, "description": "The end of this one's log."},
            diff=array(TEXT, "Of the ends of both logs, without times, in unified format."),
        ),
    )


def _statistics() -> dict[str, Shape]:
    times = fields(count=WHOLE, p50_seconds=_MAYBE_SECONDS, p95_seconds=_MAYBE_SECONDS)
    severities: Json = dict.fromkeys((*SEVERITIES, UNSAID), WHOLE)
    month = fields(
        month=told(TEXT, "`2026-11`: that in which the cascades began."),
        cascades=told(WHOLE, "Those that have ended."),
        push_to_rolled_out=fields(
            cascades=told(times, "From the first push of each, as it was seen, to its last workload healthy."),
            images=told(times, "To the last workload of each image healthy; within 2.5 percent."),
        ),
        images=WHOLE,
        ended=told(ANYTHING, "Images by the status in which they ended."),
        success_rate=told(
            {"type": ["number", "null"], "minimum": 0, "maximum": 1},
            "Of `done` and `unchanged` among these and `failed`, `rejected` and `blocked`.",
        ),
        replays=told(WHOLE, "By people, or for builds that follow a rebase."),
        slowest=array(fields(image=TEXT, build_seconds=SECONDS), "By the median of each one's last seven builds."),
        vulnerabilities=fields(
            fixed=told(
                fields(severities, required=()),
                f"Findings that the images had before and have no more; `{UNSAID}`: cut from the record.",
            ),
            fixed_per_cascade=told(_MAYBE_SECONDS, "Over cascades in which anything was compared."),
            compared=told(WHOLE, "Promoted images whose scan was compared with the one before."),
            not_compared=WHOLE,
        ),
    )
    schema = fields(months=array(month))
    return {"Statistics": Shape(schema=schema, example={"months": [_MONTH]})}
