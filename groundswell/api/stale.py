"""/stale: what stands on an older base than there is now. /discover: who stands on whom, as a registry tells."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Parameters, Product, Surveying
from groundswell.api.problems import InvalidError
from groundswell.api.times import spelled
from groundswell.errors import InputError
from groundswell.lineage.report import to_json
from groundswell.registry.port import NotAllowedError

router = APIRouter(prefix=PREFIX, tags=["lineage"])

_REGISTRY = "^[a-z0-9.-]+(:[0-9]{1,5})?$"


class Looking(Paged):
    owner: str = Field("", max_length=200, description="Only images of this team.")
    registry: str = Field(
        "",
        max_length=200,
        pattern=f"{_REGISTRY}|^$",
        description="A login server: look through it for images that nobody registered, too.",
        examples=["contoso.azurecr.io"],
    )


class Discovering(Parameters):
    registry: str = Field(
        max_length=200, pattern=_REGISTRY, description="A login server.", examples=["contoso.azurecr.io"]
    )
    repository: list[Annotated[str, Field(max_length=300)]] = Field(
        [], max_length=50, description="Only repositories that match this glob; may be given again."
    )
    tags: int | None = Field(None, ge=1, le=100_000, description="Only the newest so many of a repository.")


@router.get(
    "/stale",
    summary="What is stale",
    responses={200: openapi.ok("A page: images by name, then workloads.", "Stale"), **openapi.problems(404)},
)
def show_stale(product: Product, surveys: Surveying, query: Annotated[Looking, Query()]) -> Response:
    """Show images, and workloads that run, which stand on an older base than there is now: since when, and why.

    Registry and clusters are asked, which takes a while; for a minute the same is told again (`looked_at`).
    """
    with _registry_at_fault():
        known = surveys.stale(query.registry)
    report = known.report.to_json()
    owned = {item.name for item in product.catalog.owned(query.owner)} if query.owner else None

    def found() -> Iterator[tuple[str, tuple[str, Json] | None]]:
        for kind, called in (("images", "image"), ("workloads", "workload")):
            of_name: Counter[str] = Counter()
            for item in sorted(report[kind], key=lambda item: item[called]):
                of_name[item[called]] += 1
                row = f"{kind} {item[called]} {of_name[item[called]]:06}"
                if row > query.after:
                    fits = owned is None or item["image"] in owned
                    yield row, (kind, {**item, "since": spelled(item["since"])}) if fits else None

    items, following = take(found(), query.limit)
    return JSONResponse(
        {
            **{kind: [item for of, item in items if of == kind] for kind in ("images", "workloads")},
            "unread": [] if query.after else report["unread"],
            "looked_at": spelled(known.at),
            "next_cursor": following,
        }
    )


@router.get(
    "/discover",
    summary="Discover a registry",
    responses={200: openapi.ok("The whole report.", "Discovered"), **openapi.problems(404)},
)
def discover(surveys: Surveying, query: Annotated[Discovering, Query()]) -> Response:
    """Find out by layers, annotations and provenance who stands on whom, and hold it against what is registered.

    It reads the registry for up to 200 seconds, one such request at a time (503 meanwhile); what takes longer is
    to be narrowed by `repository` and `tags`.
    """
    with _registry_at_fault():
        report = surveys.discover(query.registry, query.repository, query.tags)
    return JSONResponse(to_json(report))


@contextmanager
def _registry_at_fault() -> Iterator[None]:
    """What a survey refuses to look at is the registry that was asked for."""
    try:
        yield
    except InvalidError:
        raise
    except (InputError, NotAllowedError) as exc:
        raise InvalidError([{"parameter": "registry", "detail": str(exc)[:200]}]) from exc
