"""/rebuilds: begin a cascade without a push, by building one image anew."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from groundswell.access.answers import Answer
from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import checked
from groundswell.api.once import OnlyOnce
from groundswell.api.parameters import PREFIX, Body, Parameters, Product
from groundswell.api.shapes.acts import ANEW

router = APIRouter(prefix=PREFIX, tags=["acts"])


@router.post(
    "/rebuilds",
    summary="Rebuild an image anew",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Anew")}},
    responses={
        202: openapi.done("It is begun; /cascades/ID shows it.", "Begun"),
        **openapi.problems(400, 404, 409, 413),
    },
)
def rebuild(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Build an image anew, past every cache, and then what stands on it, before anything else."""
    del query
    wanted = checked(body, ANEW)

    def act() -> Answer:
        cascade = product.anew.begin(wanted["image"], who=asker.who, why=wanted["reason"].strip())
        return Answer(status=202, body={"image": wanted["image"], "cascade": cascade})

    return once(act)
