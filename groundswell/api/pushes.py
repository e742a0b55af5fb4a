"""/pushes: what was announced and what became of it, and telling one by hand."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.access.answers import Answer
from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.once import OnlyOnce
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Body, Parameters, Product
from groundswell.api.problems import InvalidError
from groundswell.api.shapes.acts import PUSH
from groundswell.api.times import spelled
from groundswell.cascade.announce import announce
from groundswell.cascade.push import Result
from groundswell.errors import InputError

router = APIRouter(prefix=f"{PREFIX}/pushes", tags=["pushes"])


class Listing(Paged):
    result: Result | None = Field(None, description="Only those of which this became.")
    cascade: str = Field("", max_length=100, description="Only those that went into this cascade.")
    source: str = Field("", max_length=100, description="Only those that came from here, such as webhook.")
    reference: str = Field("", max_length=1000, description="Only those whose reference begins so.")


@router.get(
    "",
    summary="List pushes",
    responses={200: openapi.ok("A page, the newest first.", "Pushes"), **openapi.problems()},
)
def list_pushes(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List what was announced, by webhooks, timers and people, and what became of each."""

    def found() -> Iterator[tuple[str, Json | None]]:
        for record in product.intake.logged(after=query.after):
            push = _push(record.value)
            fits = (
                query.result in (None, push["result"])
                and query.cascade in ("", push["cascade"])
                and query.source in ("", push["source"])
                and push["reference"].startswith(query.reference)
            )
            yield record.row, push if fits else None

    pushes, following = take(found(), query.limit)
    return JSONResponse({"pushes": pushes, "next_cursor": following})


@router.post(
    "",
    summary="Report a push",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("PushReport")}},
    responses={202: openapi.done("It is queued.", "Told"), **openapi.problems(400, 409, 413)},
)
def report_push(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Tell that a base was pushed, when its webhook was lost or what follows is urgent.

    The digest is read from the registry; one that was seen before starts nothing.
    """
    del query
    wanted = checked(body, PUSH)

    def act() -> Answer:
        try:
            told = announce(
                product.store,
                wanted["reference"],
                urgent=wanted.get("urgent", False),
                force=wanted.get("force", False),
                who=asker.who,
                why=wanted["reason"].strip(),
                clock=product.clock,
            )
        except InputError as exc:
            raise InvalidError([{"pointer": "#/reference", "detail": str(exc)[:200]}]) from exc
        return Answer(status=202, body={"push": told.id, "urgent": told.urgent, "forced": told.force})

    return once(act)


def _push(entry: Any) -> Json:
    name = f"{entry['registry']}/{entry['repository']}"
    at = f":{entry['tag']}" if entry["tag"] else f"@{entry['digest']}" if entry["digest"] else ""
    return {
        "id": entry["id"],
        "reference": name + at,
        "registry": entry["registry"],
        "repository": entry["repository"],
        "tag": entry["tag"],
        "digest": entry["digest"],
        "source": entry["source"],
        "urgent": entry.get("urgent", False),
        "forced": entry.get("force", False),
        "at": spelled(entry["at"]),
        "result": entry["result"],
        "cascade": entry["cascade"],
    }
