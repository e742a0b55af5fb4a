"""/freezes: when nothing is rolled out to an environment."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.conditions import Conditional, hashed
from groundswell.api.parameters import PREFIX, Body, Parameters, Product, Reason
from groundswell.api.problems import InvalidError, PreconditionFailedError
from groundswell.api.shapes.gates import FREEZE
from groundswell.api.times import spelled
from groundswell.cascade.freezebook import Stored
from groundswell.cascade.freezes import Freeze, from_json, to_json
from groundswell.errors import ConflictError, InputError, NotFoundError
from groundswell.store.port import ANY
from groundswell.wiring import App

router = APIRouter(prefix=f"{PREFIX}/freezes", tags=["freezes"])

FreezeName = Annotated[
    str, Path(pattern="^[a-z0-9][a-z0-9._-]{0,62}$", description="Name of the freeze.", examples=["nights"])
]


class Removing(Parameters):
    reason: Reason = Field(min_length=1, description="Why, for the audit trail.")


@router.get(
    "", summary="List freezes", responses={200: openapi.ok("All, by name.", "Freezes"), **openapi.problems()}
)
def list_freezes(product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """List the freezes, those included whose time is over, and which are in force."""
    del query
    now = product.clock()
    return JSONResponse({"freezes": [_told(freeze, now) for freeze in product.freezes.rules()]})


@router.get(
    "/{name}",
    summary="Show a freeze",
    responses={
        200: openapi.ok("The freeze.", "Freeze", etag=True),
        304: openapi.NOT_MODIFIED,
        **openapi.problems(404, 412),
    },
)
def show_freeze(
    name: FreezeName, product: Product, conditions: Conditional, query: Annotated[Parameters, Query()]
) -> Response:
    """Show a freeze, and whether it is in force."""
    del query
    stored = product.freezes.stored(name)
    tag = hashed(stored.etag)
    conditions.check_match(tag)
    if conditions.seen(tag):
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(_told(stored.freeze, product.clock()), headers={"ETag": tag})


@router.put(
    "/{name}",
    summary="Add or change a freeze",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("SentFreeze")}},
    responses={
        200: openapi.ok("Changed, or as it was.", "Freeze", etag=True),
        201: openapi.ok("It is new.", "Freeze", etag=True, Location="Where it is."),
        **openapi.problems(400, 404, 409, 412, 413),
    },
)
def put_freeze(
    name: FreezeName,
    product: Product,
    *,
    asker: Asker,
    body: Body,
    conditions: Conditional,
    query: Annotated[Parameters, Query()],
) -> Response:
    """Roll nothing out to an environment in a window; what is under way then is watched to its end."""
    del query
    freeze = _freeze(name, checked(body, FREEZE))
    known = _known(product, name)
    conditions.check(hashed(known.etag) if known else None)
    seen = ANY if not conditions else known.etag if known else None
    try:
        etag = product.freezes.put(freeze, who=asker.who, etag=seen)
    except ConflictError as exc:
        raise PreconditionFailedError(str(exc)) from exc
    headers = {"ETag": hashed(etag)} | ({} if known else {"Location": f"{router.prefix}/{name}"})
    return JSONResponse(_told(freeze, product.clock()), 200 if known else 201, headers=headers)


@router.delete(
    "/{name}",
    summary="Remove a freeze",
    status_code=204,
    responses={204: {"description": "It is removed."}, **openapi.problems(404, 412)},
)
def delete_freeze(
    name: FreezeName,
    product: Product,
    asker: Asker,
    conditions: Conditional,
    query: Annotated[Removing, Query()],
) -> Response:
    """Remove a freeze; what it held goes on within a minute, unless something else holds it."""
    etag = ANY
    if conditions:
        etag = product.freezes.stored(name).etag
        conditions.check(hashed(etag))
    try:
        product.freezes.remove(name, who=asker.who, why=query.reason, etag=etag)
    except ConflictError as exc:
        raise PreconditionFailedError(str(exc)) from exc
    return Response(status_code=204)


def _known(product: App, name: str) -> Stored | None:
    try:
        return product.freezes.stored(name)
    except NotFoundError:
        return None


def _told(freeze: Freeze, now: float) -> Json:
    until = freeze.until(now)
    return {**to_json(freeze), "in_force": until is not None, "ends_at": spelled(until)}


def _freeze(name: str, sent: Json) -> Freeze:
    """What the schema cannot say is at the zone, at one of the two times, or at the later one."""
    document = {"environment": "*", "days": None, **sent, "name": name, "why": sent["why"].strip()}
    try:
        return from_json(document)
    except InputError as exc:
        said = str(exc)
        field = next((field for field in ("zone", "from", "until") if repr(sent[field]) in said), "until")
        raise InvalidError([{"pointer": f"#/{field}", "detail": said[:300]}]) from exc
