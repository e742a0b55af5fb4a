"""/stale: what stands on an older base than there is now."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.parameters import PREFIX, Parameters, Product
from groundswell.api.times import spelled
from groundswell.cascade.stale import survey

router = APIRouter(prefix=PREFIX, tags=["lineage"])


class Looking(Parameters):
    owner: str = Field("", max_length=200, description="Only images of this team.")


@router.get(
    "/stale", summary="What is stale", responses={200: openapi.ok("As of now.", "Stale"), **openapi.problems()}
)
def show_stale(product: Product, query: Annotated[Looking, Query()]) -> Response:
    """Show images, and workloads that run, which stand on an older base than there is now: since when, and why.

    Registry and clusters are asked, so it takes a while.
    """
    report = survey(
        catalog=product.catalog,
        bases=product.bases,
        records=product.engine.records,
        registry=product.registry,
        deployer=lambda: product.deployer,
    )
    if query.owner:
        owned = {item.name for item in product.catalog.each() if item.owner == query.owner}
        report = replace(
            report,
            images=tuple(item for item in report.images if item.image in owned),
            workloads=tuple(item for item in report.workloads if item.image in owned),
        )
    told = report.to_json()
    for item in (*told["images"], *told["workloads"]):
        item["since"] = spelled(item["since"])
    return JSONResponse(told)
