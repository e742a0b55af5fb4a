"""/drift: workloads that somebody else changed since we set them, and their release."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.access.answers import Answer
from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.once import OnlyOnce
from groundswell.api.paging import Paged, encode, take
from groundswell.api.parameters import PREFIX, Body, Parameters, Product
from groundswell.api.shapes.running import RELEASE
from groundswell.api.times import spelled
from groundswell.cascade.drifting import look
from groundswell.cascade.workloads import Known

router = APIRouter(prefix=f"{PREFIX}/drift", tags=["running"])


class Listing(Paged):
    look: bool = Field(
        default=False,
        description="Ask the clusters, in place of what was noted last; `limit` counts who is asked then.",
    )


@router.get(
    "", summary="List drift", responses={200: openapi.ok("A page, by workload.", "Drifts"), **openapi.problems()}
)
def list_drift(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List the workloads that no cascade moves until they are released, as the last rollouts found them."""
    known = product.workloads.all(after=query.after)
    if query.look:
        asked = list(islice(known, query.limit + 1))
        here = asked[: query.limit]
        looked = look(here, deployer=lambda: product.deployer, catalog=product.catalog, clock=product.clock)
        following = encode(here[-1].workload) if len(asked) > query.limit else None
        return _answer([_told(each) for each in looked.drifted], looked.unread, following)

    def noted() -> Iterator[tuple[str, Json | None]]:
        for each in known:
            yield each.workload, _told(each) if each.drift else None

    drifted, following = take(noted(), query.limit)
    return _answer(drifted, (), following)


@router.post(
    "/release",
    summary="Release a workload",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Release")}},
    responses={
        200: openapi.done("The next rollout of its image moves it.", "Released"),
        **openapi.problems(400, 404, 409, 413),
    },
)
def release_workload(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Let the next rollout move a workload, whatever it runs; to move it now, replay a rebuild from deploy."""
    del query
    wanted = checked(body, RELEASE)

    def act() -> Answer:
        known = product.workloads.release(wanted["workload"], who=asker.who, why=wanted["reason"].strip())
        return Answer(status=200, body={"workload": known.workload, "image": known.image, "released": True})

    return once(act)


def _answer(drift: list[Json], unread: tuple[str, ...], following: str | None) -> Response:
    return JSONResponse({"drift": drift, "unread": list(unread), "next_cursor": following})


def _told(known: Known) -> Json:
    drift = known.drift
    return {
        "workload": known.workload,
        "image": known.image,
        "ours": list(known.ours),
        "runs": drift.image if drift else "",
        "seen_at": spelled(drift.at if drift else None),
        "cascade": drift.cascade or None if drift else None,
    }
