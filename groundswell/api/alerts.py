"""/alerts: what runs although the gate refuses it by now, or although no scan of it counts."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Product
from groundswell.api.times import spelled
from groundswell.cascade.alerts import Alert, Kind

router = APIRouter(prefix=PREFIX, tags=["running"])

_TIMES = ("looked_at", "awaited", "first_seen", "last_seen", "resolved_at")


class Listing(Paged):
    all: bool = Field(default=False, description="Also those that were resolved, and what runs and is clean.")
    kind: Kind | None = Field(None, description="Only alerts of this kind.")
    image: str = Field("", max_length=200, description="Only those of this image.")


@router.get(
    "/alerts",
    summary="List alerts",
    responses={200: openapi.ok("A page, by image.", "Alerts"), **openapi.problems()},
)
def list_alerts(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List the digests that run and are not good: what is wrong, since when, and what may mend it."""

    def found() -> Iterator[tuple[str, Json | None]]:
        for alert, _ in product.alerts.all(after=query.after):
            fits = (
                (query.all or alert.open) and query.kind in (None, alert.kind) and query.image in ("", alert.image)
            )
            yield alert.row, _told(alert) if fits else None

    alerts, following = take(found(), query.limit)
    return JSONResponse({"alerts": alerts, "next_cursor": following})


def _told(alert: Alert) -> Json:
    told = {"kind": alert.kind.value, "open": alert.open, **alert.to_json()}
    return told | {name: spelled(told[name] or None) for name in _TIMES}
