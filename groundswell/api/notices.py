"""/notices: what people were told of, and where it did not arrive; sending it again, and trying a channel."""

from collections.abc import Iterator
from typing import Annotated

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
from groundswell.api.problems import RefusedError
from groundswell.api.shapes.notices import RESENDING, TESTING
from groundswell.api.times import spelled
from groundswell.errors import InputError
from groundswell.notify.delivery import Delivery, State

router = APIRouter(prefix=f"{PREFIX}/notices", tags=["notices"])


class Listing(Paged):
    channel: str = Field("", max_length=100, description="Only those to this channel.")
    state: State | None = Field(None, description="Only those that are so; `dead` are given up.")


@router.get(
    "",
    summary="List notices",
    responses={200: openapi.ok("A page, the newest first.", "Notices"), **openapi.problems()},
)
def list_notices(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List what was told, once for each channel, and whether it arrived there."""

    def found() -> Iterator[tuple[str, Json | None]]:
        for row, delivery in product.notices.listed(after=query.after):
            fits = query.channel in ("", delivery.channel) and query.state in (None, delivery.state)
            yield row, told(delivery) if fits else None

    notices, following = take(found(), query.limit)
    return JSONResponse({"notices": notices, "next_cursor": following})


@router.post(
    "/resend",
    summary="Send a notice again",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Resending")}},
    responses={202: openapi.done("It is queued.", "Notice"), **openapi.problems(400, 404, 409, 413)},
)
def resend_notice(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Send a notice again that was given up, or was sent; its id stays, so receivers know it."""
    del query
    wanted = checked(body, RESENDING)

    def act() -> Answer:
        try:
            again = product.notices.resend(
                wanted["notice"], wanted["channel"], who=asker.who, why=wanted["reason"].strip()
            )
        except InputError as exc:
            raise RefusedError(str(exc)) from exc
        return Answer(status=202, body=told(again))

    return once(act)


@router.post(
    "/test",
    summary="Try a channel",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Testing")}},
    responses={202: openapi.done("It is queued.", "Notice"), **openapi.problems(400, 404, 409, 413)},
)
def test_channel(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Send a notice that says that somebody tries the channel; the list shows whether it arrived."""
    del query
    wanted = checked(body, TESTING)

    def act() -> Answer:
        sent = product.notices.test(wanted["channel"], who=asker.who, why=wanted["reason"].strip())
        return Answer(status=202, body=told(sent))

    return once(act)


def told(delivery: Delivery) -> Json:
    notice = delivery.notice
    return {
        "id": notice.id,
        "channel": delivery.channel,
        "state": delivery.state.value,
        "tries": delivery.tries,
        "error": delivery.error,
        "changed_at": spelled(delivery.changed_at),
        "due_at": spelled(delivery.due) if delivery.state is State.WAITING else None,
        "kind": notice.kind.value,
        "severity": notice.severity.value,
        "title": notice.title,
        "text": notice.text,
        "teams": list(notice.teams),
        "subjects": list(notice.subjects),
        "count": notice.count,
        "cascade": notice.cascade,
        "at": spelled(notice.at),
        "since": spelled(notice.since),
        "link": notice.link,
        "heals": notice.heals,
    }
