"""/audit: who changed what, when and why."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell import audit
from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Product
from groundswell.api.times import spelled
from groundswell.wiring import App

router = APIRouter(prefix=PREFIX, tags=["audit"])


class Listing(Paged):
    action: str = Field("", max_length=100, description="Only this, such as replay.")
    who: str = Field("", max_length=500, description="Only entries by whoever has this in the name or the id.")
    subject: str = Field("", max_length=1000, description="Only entries whose subject begins so.")


@router.get(
    "/audit",
    summary="List the audit trail",
    responses={200: openapi.ok("A page, the newest first.", "Audit"), **openapi.problems()},
)
def list_audit(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List every change by a person or a machine: who, when, why, before and after."""
    entries, following = page_of(product, query)
    told = [{**entry, "at": spelled(entry["at"])} for entry in entries]
    return JSONResponse({"entries": told, "next_cursor": following})


def page_of(product: App, query: Listing) -> tuple[list[Json], str | None]:
    """A page of entries as they are kept, and the cursor of the next. Raises InvalidError."""

    def found() -> Iterator[tuple[str, Json | None]]:
        for record in audit.rows(product.store, after=query.after):
            entry = record.value
            fits = (
                query.action in ("", entry["action"])
                and query.who in entry["who"]
                and entry["subject"].startswith(query.subject)
            )
            yield record.row, dict(entry) if fits else None

    return take(found(), query.limit)
