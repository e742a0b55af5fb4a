"""/statistics: what the cascades of past months come to."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.parameters import PREFIX, Parameters, Product
from groundswell.cascade.statistics import Month, Times

router = APIRouter(prefix=PREFIX, tags=["cascades"])


class Looking(Parameters):
    months: int = Field(12, ge=1, le=60, description="So many, with this one.")
    owner: str = Field("", max_length=200, description="Only the part of this team's images.")


@router.get(
    "/statistics",
    summary="Show statistics by month",
    responses={200: openapi.ok("The newest month first.", "Statistics"), **openapi.problems()},
)
def show_statistics(product: Product, query: Annotated[Looking, Query()]) -> Response:
    """Show by month what cascades that have ended came to; a month is that in which a cascade began, in UTC."""
    months = product.yearbook.told(query.months, owner=query.owner)
    return JSONResponse({"months": [_told(month) for month in months]})


def _told(month: Month) -> Json:
    return {
        "month": month.month,
        "cascades": month.cascades,
        "push_to_rolled_out": {"cascades": _times(month.per_cascade), "images": _times(month.per_image)},
        "images": month.images,
        "ended": dict(month.ended),
        "success_rate": month.rate,
        "replays": month.replays,
        "slowest": [{"image": image, "build_seconds": seconds} for image, seconds in month.slowest],
        "vulnerabilities": {
            "fixed": dict(month.fixed),
            "fixed_per_cascade": month.fixed_per_cascade,
            "compared": month.compared,
            "not_compared": month.uncompared,
        },
    }


def _times(times: Times) -> Json:
    return {"count": times.count, "p50_seconds": times.p50, "p95_seconds": times.p95}
