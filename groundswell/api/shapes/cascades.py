"""Pushes, cascades and rebuilds, as they are seen."""

from groundswell.api.shapes.parts import (
    ANYTHING,
    MAYBE,
    MAYBE_TIME,
    NEXT,
    TEXT,
    TIME,
    WHOLE,
    YES_NO,
    Json,
    Shape,
    array,
    fields,
    ref,
    told,
)
from groundswell.cascade.model import Hold, Move
from groundswell.cascade.push import Result
from groundswell.cascade.records import Phase
from groundswell.cascade.status import Stage, Status

STATUS: Json = {"enum": [status.value for status in Status]}
STAGE: Json = {"enum": [stage.value for stage in Stage]}
MAYBE_STAGE: Json = {"enum": [*(stage.value for stage in Stage), None]}

_DIGEST = "sha256:" + "3a" * 32
_OLD = "sha256:" + "07" * 32
_BASE = "contoso.azurecr.io/mirror/debian:12"
_AT = "2026-11-25T03:54:20.000Z"

_CASCADE: Json = {
    "cascade": "0k3v9xab2c",
    "base": _BASE,
    "digest": _DIGEST,
    "source": "webhook",
    "bases": {_BASE: _DIGEST},
    "pushes": [{"base": _BASE, "digest": _DIGEST, "source": "webhook", "at": _AT}],
    "urgent": False,
    "phase": "running",
    "images": 12,
    "open": 5,
    "started_at": _AT,
    "ended_at": None,
    "pinned": [{"image": "shop/payments", "reference": f"{_BASE}@{_OLD}"}],
    "archived": False,
}
_ROW: Json = {
    "image": "shop/web",
    "status": "failed",
    "stage": "build",
    "why": "run cf4 ended as Failed: exit status 1",
    "attempt": 1,
    "seconds": 42.0,
    "old_digest": _OLD,
    "new_digest": "",
    "run": "cf4",
    "inputs": {"key": _OLD, "revision": "5b2f", "bases": {_BASE: _DIGEST}},
    "holds": {},
    "ring": None,
    "began_at": _AT,
    "updated_at": _AT,
}
_REBUILD: Json = {
    "cascade": "0k3v9xab2c",
    "image": "shop/web",
    "status": "done",
    "stage": None,
    "why": "",
    "attempt": 1,
    "seconds": 61.5,
    "run": "cf4",
    "built_on": {_BASE: _DIGEST},
    "inputs": {"key": _OLD, "revision": "5b2f", "bases": {_BASE: _DIGEST}},
    "previous": _OLD,
    "candidate": {"digest": _DIGEST, "tag": "gs-0k3v9xab2c-1"},
    "promoted": _DIGEST,
    "proof": {
        "run": "cf4",
        "digest": _DIGEST,
        "runtime": {"base": _BASE, "digest": _DIGEST, "proven": True, "platforms": []},
        "build": [],
    },
    "verdict": {"passed": True, "reasons": []},
    "rollouts": [
        {
            "workload": "production/shop/deployment/web[web]",
            "former": f"contoso.azurecr.io/shop/web@{_OLD}",
            "image": f"contoso.azurecr.io/shop/web@{_DIGEST}",
            "ring": "production",
            "state": "healthy",
            "at": _AT,
            "why": "",
        }
    ],
    "rings": [
        {
            "ring": "production",
            "state": "done",
            "environments": ["production"],
            "workloads": ["production/shop/deployment/web[web]"],
            "bake_seconds": 0.0,
            "approval": False,
        }
    ],
    "holds": {},
    "ring": None,
    "moves": [{"status": "done", "at": _AT, "reason": ""}],
}
_PUSH: Json = {
    "id": "hand-0b1c2d3e4f50",
    "reference": _BASE,
    "registry": "contoso.azurecr.io",
    "repository": "mirror/debian",
    "tag": "12",
    "digest": "",
    "source": "by hand",
    "urgent": True,
    "forced": False,
    "at": _AT,
    "result": "cascade",
    "cascade": "0k3v9xab2c",
}
_WHY: Json = {
    "image": "shop/web",
    "told": "shop/web is failed at build in cascade 0k3v9xab2c: run cf4 ended as Failed: exit status 1",
    "cascade": "0k3v9xab2c",
    "status": "failed",
    "pushes": [
        {
            "reference": _BASE,
            "digest": _DIGEST,
            "source": "webhook",
            "at": _AT,
            "result": "cascade",
            "cascade": "0k3v9xab2c",
        }
    ],
    "paths": [[{"base": _BASE, "image": "shop/web", "kinds": ["runtime"]}]],
    "more_paths": False,
    "history": [{"status": "failed", "at": _AT, "reason": "run cf4 ended as Failed: exit status 1"}],
    "inputs": {},
    "proof": {},
    "verdict": {},
    "waits": [],
    "reasons": [],
}


def shapes() -> dict[str, Shape]:
    moves = array(fields(status=STATUS, at=TIME, reason=TEXT), "Every move it made, the oldest first.")
    push = fields(reference=TEXT, digest=TEXT, source=TEXT, at=TIME, result=TEXT, cascade=TEXT)
    link = fields(cascade=TEXT, image=TEXT, status=TEXT, reason=TEXT)
    step = fields(base=TEXT, image=TEXT, kinds=array(TEXT))
    stands: Json = {
        "holds": {
            "type": "object",
            "propertyNames": {"enum": [hold.value for hold in Hold]},
            "additionalProperties": TEXT,
            "description": "What holds it, or will at its next checkpoint, and why.",
        },
        "ring": told(MAYBE, "The ring that is being rolled out, or waits; null before that, empty without a name."),
    }
    row = fields(
        image=TEXT,
        status=STATUS,
        stage=told(MAYBE_STAGE, "Where it failed."),
        why=TEXT,
        attempt=WHOLE,
        seconds=told({"type": ["number", "null"]}, "Under way; null before its build began."),
        old_digest=TEXT,
        new_digest=TEXT,
        run=TEXT,
        inputs=told(ANYTHING, "What it is built from, or why that is not known."),
        **stands,
        began_at=told(MAYBE_TIME, "When this attempt's build began."),
        updated_at=TIME,
    )
    cascade = fields(
        cascade=TEXT,
        base=told(TEXT, "The first push's, as the next two."),
        digest=TEXT,
        source=TEXT,
        bases=told({"type": "object", "additionalProperties": TEXT}, "The newest digest of all that were pushed."),
        pushes=array(fields(base=TEXT, digest=TEXT, source=TEXT, at=TIME)),
        urgent=YES_NO,
        phase={"enum": [phase.value for phase in Phase]},
        images=told(WHOLE, "Images in it."),
        open=told(WHOLE, "Those that are not settled."),
        started_at=TIME,
        ended_at=MAYBE_TIME,
        pinned=array(fields(image=TEXT, reference=TEXT), "What a pin holds back, and the pin to change."),
        archived=told(YES_NO, "Only a summary is left, and nothing more can be done to it."),
    )
    rebuild = fields(
        cascade=TEXT,
        image=TEXT,
        status=STATUS,
        stage=told(MAYBE_STAGE, "Where it failed."),
        why=TEXT,
        attempt=WHOLE,
        seconds={"type": ["number", "null"]},
        run=told(TEXT, "Of the build; empty before it began."),
        built_on=told(ANYTHING, "Digests of the bases when the build began."),
        inputs=told(ANYTHING, "What it is built from, or why that is not known."),
        previous=told(TEXT, "Where the stable tags pointed."),
        candidate={"oneOf": [fields(digest=TEXT, tag=TEXT), {"type": "null"}]},
        promoted=TEXT,
        proof={
            "oneOf": [
                fields(run=TEXT, digest=TEXT, runtime={"type": ["object", "null"]}, build=array(ANYTHING)),
                {"type": "null"},
            ],
            "description": "That it stands on the new bases: by layers at runtime, for the others what is known.",
        },
        verdict=told({"type": ["object", "null"]}, "The gate's, with its reasons and findings."),
        rollouts=array(
            fields(
                workload=TEXT,
                former=told(TEXT, "What it ran before, and goes back to."),
                image=TEXT,
                ring=told(TEXT, "Its name in `rings`; empty where there is but one."),
                state={"enum": [move.value for move in Move]},
                at=told(MAYBE_TIME, "When it got there."),
                why=TEXT,
            )
        ),
        rings=array(
            fields(
                ring=TEXT,
                state=told(TEXT, "How it stands, in a few words."),
                environments=array(TEXT),
                workloads=array(TEXT),
                bake_seconds={"type": "number"},
                approval=told(YES_NO, "A person must agree before it begins."),
            ),
            "The environments in the order in which they are rolled out to.",
        ),
        **stands,
        moves=moves,
    )
    log = fields(
        run=TEXT,
        offset=told(WHOLE, "Characters before this page."),
        text=told(TEXT, "Control characters are taken out."),
        next_offset=told(WHOLE, "Where the next page begins."),
        complete=told(YES_NO, "Nothing more will come after this page; else ask again from next_offset."),
    )
    why = fields(
        image=TEXT,
        told=told(TEXT, "The answer in a sentence."),
        cascade=MAYBE,
        status={"enum": [*STATUS["enum"], None]},
        pushes=array(push),
        paths=array(array(step), "The ways from what was pushed to the image."),
        more_paths=YES_NO,
        history=moves,
        inputs=ANYTHING,
        proof=ANYTHING,
        verdict=ANYTHING,
        waits=array(array(link), "Chains of waits, each down to its root cause."),
        reasons=array(TEXT, "What else the records say."),
    )
    pushed = fields(
        id=TEXT,
        reference=told(TEXT, "By tag, else by digest."),
        registry=TEXT,
        repository=TEXT,
        tag=TEXT,
        digest=told(TEXT, "As it was announced, a hint."),
        source=TEXT,
        urgent=YES_NO,
        forced=YES_NO,
        at=TIME,
        result={"enum": [result.value for result in Result]},
        cascade=told(TEXT, "Empty when it went into none."),
    )
    return {
        "Cascade": Shape(schema=cascade, example=_CASCADE),
        "Cascades": Shape(
            schema=fields(cascades=array(ref("Cascade")), next_cursor=NEXT),
            example={"cascades": [_CASCADE], "next_cursor": None},
        ),
        "Rebuilds": Shape(
            schema=fields(rebuilds=array(row), next_cursor=NEXT), example={"rebuilds": [_ROW], "next_cursor": None}
        ),
        "Rebuild": Shape(schema=rebuild, example=_REBUILD),
        "Log": Shape(
            schema=log,
            example={"run": "cf4", "offset": 0, "text": "Step 1/3\n", "next_offset": 9, "complete": False},
        ),
        "Why": Shape(schema=why, example=_WHY),
        "Pushes": Shape(
            schema=fields(pushes=array(pushed), next_cursor=NEXT), example={"pushes": [_PUSH], "next_cursor": None}
        ),
        "Stale": _stale(),
    }


def _stale() -> Shape:
    image = fields(
        image=TEXT,
        owner=TEXT,
        base=TEXT,
        edge={"enum": ["runtime", "build"]},
        stands_on=told(MAYBE, "Digest of the base it was built on."),
        current=told(MAYBE, "Digest of the base now."),
        since=MAYBE_TIME,
        why=TEXT,
        detail=TEXT,
    )
    workload = fields(workload=TEXT, image=TEXT, runs=MAYBE, current=MAYBE, since=MAYBE_TIME, why=TEXT, detail=TEXT)
    example: Json = {
        "images": [
            {
                "image": "shop/payments",
                "owner": "shop",
                "base": f"{_BASE}@{_OLD}",
                "edge": "runtime",
                "stands_on": _OLD,
                "current": _DIGEST,
                "since": _AT,
                "why": "pinned",
                "detail": "its Dockerfile names the digest",
            }
        ],
        "workloads": [],
        "unread": ["shop/gone: the registry has no such tag"],
        "looked_at": _AT,
        "next_cursor": None,
    }
    schema = fields(
        images=array(image),
        workloads=array(workload),
        unread=array(TEXT, "What could not be looked at, and why; in the first page."),
        looked_at=TIME,
        next_cursor=NEXT,
    )
    return Shape(schema=schema, example=example)
