"""/failures: what stands still because something failed, grouped by cause."""

import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.cascades import canonical
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Product
from groundswell.api.problems import InvalidError
from groundswell.api.times import spelled
from groundswell.cascade.failures import SHOWN, Failure, Group, grouped

router = APIRouter(prefix=PREFIX, tags=["cascades"])

_ROW = re.compile(r"[0-9]{10}-[0-9]{14}-[0-9a-f]{16}")


class Listing(Paged):
    owner: str = Field("", max_length=200, description="Only what concerns images of this team.")
    base: str = Field("", max_length=1000, description="Only what follows from a push of this reference.")


@router.get(
    "/failures",
    summary="List failures by cause",
    responses={200: openapi.ok("A page, what blocks most first.", "Failures"), **openapi.problems()},
)
def list_failures(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List what failed or was rejected, and was not healed since, by cause: in open cascades and those of 30 days.

    What blocks most comes first, then what is oldest.
    """
    base, after = canonical(query.base), query.after
    if after and not _ROW.fullmatch(after):
        raise InvalidError([{"parameter": "cursor", "detail": "not a `next_cursor` that was given"}])
    found = product.failures.now()
    groups = grouped(found.of(base) if base else found.failures, found.together, owner=query.owner)

    def rows() -> Iterator[tuple[str, Json | None]]:
        for group in groups:
            if group.row > after:
                yield group.row, _told(group)

    page, following = take(rows(), query.limit)
    return JSONResponse({"groups": page, "next_cursor": following})


def _told(group: Group) -> Json:
    return {
        "cause": group.key,
        "title": group.title,
        "kind": group.kind.value,
        "stage": group.stage.value,
        "count": len(group.failures),
        "first_seen": spelled(group.first),
        "last_seen": spelled(group.last),
        "images": [_image(each) for each in group.failures[:SHOWN]],
        "blocks": len(group.blocks),
        "blocked": list(group.blocks[:SHOWN]),
        "workloads_not_moved": len(group.workloads),
        "workloads": list(group.workloads[:SHOWN]),
        "owners": list(group.owners),
        "replay": {"from": group.begin.value, "why": group.why, "commands": list(group.commands[:SHOWN])},
    }


def _image(each: Failure) -> Json:
    return {
        "image": each.image,
        "cascade": each.cascade,
        "owner": each.owner,
        "attempt": each.attempt,
        "run": each.run,
        "reason": each.reason,
        "at": spelled(each.at),
        "blocks": len(each.blocks),
        "from": each.begin.value,
        "why": each.why,
        "command": each.command,
    }
