"""/policy: what images' scans are held to, beyond what each one says itself."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.conditions import Conditional, hashed
from groundswell.api.parameters import PREFIX, Body, Name, Parameters, Product, Reason
from groundswell.api.problems import InvalidError, PreconditionFailedError, TooLargeError
from groundswell.api.shapes.gates import sent_policy
from groundswell.errors import ConflictError, InputError, PermanentError
from groundswell.lineage.document import schema as lineage_schema
from groundswell.lineage.policies import Document
from groundswell.lineage.policy_document import parse
from groundswell.scan.policy import Merged
from groundswell.store.codec import compress, dumps
from groundswell.store.port import ANY

router = APIRouter(prefix=f"{PREFIX}/policy", tags=["policy"])

_NONE = '"none"'
"""The ETag while no policy was ever set."""


class Setting(Parameters):
    reason: Reason = Field(min_length=1, description="Why, for the audit trail.")


@router.get(
    "",
    summary="Show the policy",
    responses={
        200: openapi.ok("The policy in force.", "Policy", etag=True),
        304: openapi.NOT_MODIFIED,
        **openapi.problems(412),
    },
)
def show_policy(product: Product, conditions: Conditional, query: Annotated[Parameters, Query()]) -> Response:
    """Show the policy in force; an empty one when none was ever set."""
    del query
    document, etag = product.policies.seen()
    tag = hashed(etag) if etag else _NONE
    conditions.check_match(tag)
    if conditions.seen(tag):
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(document, headers={"ETag": tag})


@router.put(
    "",
    summary="Set the policy",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Policy")}},
    responses={
        200: openapi.ok("In force from the next scan on.", "Policy", etag=True),
        **openapi.problems(400, 409, 412, 413),
    },
)
def put_policy(
    product: Product, asker: Asker, body: Body, conditions: Conditional, query: Annotated[Setting, Query()]
) -> Response:
    """Put a policy in force as a whole, in place of the last one. What images say themselves stays."""
    document = _document(checked(body, sent_policy()))
    _, etag = product.policies.seen()
    conditions.check(hashed(etag) if etag else _NONE)
    try:
        product.policies.set(document, who=asker.who, why=query.reason, etag=etag if conditions else ANY)
    except ConflictError as exc:
        raise (PreconditionFailedError(str(exc)) if conditions else exc) from exc
    document, etag = product.policies.seen()
    return JSONResponse(document, headers={"ETag": hashed(etag) if etag else _NONE})


@router.get(
    "/images/{name:path}",
    summary="Show the policy of an image",
    responses={200: openapi.ok("Each value, and where it is said.", "PolicyOfImage"), **openapi.problems(404)},
)
def show_policy_of_image(name: Name, product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Show what an image is held to: its own values over its team's over the global ones over the defaults."""
    del query
    return JSONResponse(
        {"image": name, "gate": in_force(product.policies.merged(product.catalog.registration(name)))}
    )


def in_force(merged: Merged) -> Json:
    """What an image is held to, by key of the gate: the value, and where it is said."""
    properties = lineage_schema()["$defs"]["gate"]["properties"]
    gate = {
        key: {"value": entry["default"], "from": ["default"]}
        for key, entry in properties.items()
        if "default" in entry
    }
    return gate | {key: {"value": value, "from": list(merged.sources[key])} for key, value in merged.gate.items()}


def _document(sent: Json) -> Document:
    """The policy as it is stored. Raises InvalidError when an OpenVEX document is none, TooLargeError."""
    vex = [dict(entry) for entry in sent.get("vex", ())]
    texts = iter([json.dumps(entry.pop("document")) for entry in vex])
    read = 0

    def next_text(_: str) -> str:
        nonlocal read
        read += 1
        return next(texts)

    try:
        document = parse(json.dumps({**sent, "vex": vex}), "policy", next_text)
    except InputError as exc:
        place = f"#/vex/{read - 1}/document" if read else "#"
        raise InvalidError([{"pointer": place, "detail": str(exc)[:300]}]) from exc
    try:
        compress(dumps(document, "the policy"), "the policy")
    except PermanentError as exc:
        raise TooLargeError(str(exc)) from exc
    return document
