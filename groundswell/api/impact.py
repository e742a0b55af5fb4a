"""/impact: what a push would do, asked before anybody pushes."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.parameters import PREFIX, Parameters, Product
from groundswell.api.problems import InvalidError
from groundswell.cascade.preview import preview, to_json
from groundswell.errors import InputError

router = APIRouter(prefix=PREFIX, tags=["lineage"])


class Asking(Parameters):
    reference: str = Field(
        min_length=1,
        max_length=1000,
        description="A base as Dockerfiles name it, or an image.",
        examples=["contoso.azurecr.io/mirror/debian:12"],
    )
    slots: int | None = Field(None, ge=1, le=1000, description="As if so many builds ran at once.")


@router.get(
    "/impact",
    summary="What a push would do",
    responses={200: openapi.ok("The images in the order of their builds.", "Impact"), **openapi.problems()},
)
def show_impact(product: Product, query: Annotated[Asking, Query()]) -> Response:
    """The images that a push of the reference rebuilds, how long that takes, and the workloads it rolls out."""
    try:
        found = preview(
            query.reference,
            catalog=product.catalog,
            durations=product.durations,
            slots=query.slots or product.settings.slots,
        )
    except InputError as exc:
        raise InvalidError([{"parameter": "reference", "detail": str(exc)}]) from exc
    return JSONResponse(to_json(found))
