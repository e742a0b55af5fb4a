"""/cascades: the list, one cascade, its rebuilds with their evidence, their logs, and why."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from graph.reference import InvalidReferenceError, Reference
from groundswell.api import openapi
from groundswell.api.bodies import Json
from groundswell.api.logs import registry_of
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Name, Parameters, Product, Shelf
from groundswell.api.problems import InvalidError
from groundswell.api.telling import cascade_told, explained, rebuild_told, row_told
from groundswell.api.times import spelled
from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Hold
from groundswell.cascade.records import Header, Phase, index_row
from groundswell.cascade.status import Status
from groundswell.cascade.why import PUSHES, Answer, look
from groundswell.errors import NotFoundError
from groundswell.wiring import App

router = APIRouter(prefix=PREFIX, tags=["cascades"])

Cascade = Annotated[
    str, Path(pattern="^[0-9a-z]{1,40}$", description="Id of the cascade.", examples=["0k3v9xab2c"])
]
_ROW = re.compile(r"[0-9]{14}-[0-9a-z]+")


class Listing(Paged):
    phase: Phase | None = Field(None, description="Only those in this phase.")
    base: str = Field("", max_length=1000, description="Only those that follow from a push of this reference.")
    archived: bool = Field(default=False, description="Those that only the archive has.")


class Rows(Paged):
    status: list[Status] = Field([], description="Only those of this status; may be given again.")
    hold: Hold | None = Field(None, description="Only those that this holds: approval, such as wait for one.")


class Part(Parameters):
    offset: int = Field(0, ge=0, le=2**40, description="`next_offset` of the page before.")
    limit: int = Field(65_536, ge=1, le=1_048_576, description="Characters in a page.")


@router.get(
    "/cascades",
    summary="List cascades",
    responses={200: openapi.ok("A page, the newest first.", "Cascades"), **openapi.problems()},
)
def list_cascades(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List cascades; a page may hold fewer than asked for and not be the last."""
    headers, following = page_of(product, query)
    cascades = [cascade_told(header, archived=query.archived) for header in headers]
    return JSONResponse({"cascades": cascades, "next_cursor": following})


def page_of(product: App, query: Listing) -> tuple[list[Header], str | None]:
    """A page of cascades, and the cursor of the next. Raises InvalidError."""
    base = canonical(query.base)
    if query.after and not _ROW.fullmatch(query.after):
        raise InvalidError([{"parameter": "cursor", "detail": "not a `next_cursor` that was given"}])

    def found() -> Iterator[tuple[str, Header | None]]:
        for row, header in _headers(product, query):
            fits = header is not None and query.phase in (None, header.phase) and (not base or base in header.bases)
            yield row, header if fits else None

    return take(found(), query.limit)


@router.get(
    "/cascades/{cascade}",
    summary="Show a cascade",
    responses={200: openapi.ok("The cascade as a whole.", "Cascade"), **openapi.problems(404)},
)
def show_cascade(cascade: Cascade, product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Show a cascade: what it follows from, how far it is, and what pins hold back."""
    del query
    kept = _kept(product, cascade)
    return JSONResponse(cascade_told(kept.header(), archived=kept.archived))


@router.get(
    "/cascades/{cascade}/rebuilds",
    summary="List the rebuilds of a cascade",
    responses={200: openapi.ok("A page, by image.", "Rebuilds"), **openapi.problems(404)},
)
def list_rebuilds(cascade: Cascade, product: Product, query: Annotated[Rows, Query()]) -> Response:
    """List the images of a cascade, each with its state."""
    kept, now, wanted = _kept(product, cascade), product.clock(), set(query.status)
    kept.header()  # says so when there is no such cascade

    def found() -> Iterator[tuple[str, Json | None]]:
        for state in kept.rebuilds(after=query.after):
            fits = (not wanted or state.status in wanted) and (query.hold is None or query.hold in state.holds)
            yield state.image, row_told(state, now) if fits else None

    rebuilds, following = take(found(), query.limit)
    return JSONResponse({"rebuilds": rebuilds, "next_cursor": following})


@router.get(
    "/cascades/{cascade}/rebuilds/{name:path}",
    summary="Show a rebuild",
    responses={200: openapi.ok("With all its evidence.", "Rebuild"), **openapi.problems(404)},
)
def show_rebuild(cascade: Cascade, name: Name, product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Show one image of a cascade: state, moves, run, proof, verdict, rollouts."""
    del query
    return JSONResponse(rebuild_told(_kept(product, cascade).rebuild(name), product.clock()))


@router.get(
    "/cascades/{cascade}/logs/{name:path}",
    summary="Show the log of a rebuild",
    responses={200: openapi.ok("A page of the build's log.", "Log"), **openapi.problems(404, 409)},
)
def show_log(
    cascade: Cascade, name: Name, product: Product, shelf: Shelf, query: Annotated[Part, Query()]
) -> Response:
    """Show the log of the build, in pages; while it runs, ask again from `next_offset`."""
    state = _kept(product, cascade).rebuild(name)
    if not state.run:
        raise NotFoundError(f"{name} has no build in cascade {cascade} yet, so there is no log")
    ended = state.status is not Status.BUILDING
    text = shelf.text(registry_of(product, state), state.run, ended=ended)
    part = text[query.offset : query.offset + query.limit]
    following = min(len(text), query.offset + len(part))
    return JSONResponse(
        {
            "run": state.run,
            "offset": query.offset,
            "text": part,
            "next_offset": following,
            "complete": ended and following == len(text),
        }
    )


@router.get(
    "/cascades/{cascade}/why/{name:path}",
    summary="Explain a rebuild",
    responses={200: openapi.ok("What the records say.", "Why"), **openapi.problems(404)},
)
def explain_rebuild(
    cascade: Cascade, name: Name, product: Product, query: Annotated[Parameters, Query()]
) -> Response:
    """Explain why an image was, or was not, rebuilt in a cascade, and what it waits for now."""
    del query
    return JSONResponse(explained(_look(product, name, cascade)))


@router.get(
    "/cascades/{cascade}/compare/{name:path}",
    summary="Compare a rebuild",
    responses={
        200: openapi.ok("What is different, and what cannot be known.", "Comparison"),
        **openapi.problems(404),
    },
)
def compare_rebuild(
    cascade: Cascade, name: Name, product: Product, shelf: Shelf, query: Annotated[Parameters, Query()]
) -> Response:
    """Compare a rebuild with the last good one of its image: inputs, packages, findings and the ends of the logs.

    The registry is asked for bills of materials and the build service for logs, so it may take a while.
    """
    del query
    told = product.comparer.compare(cascade, name, partial(shelf.text, ended=True))
    if told["good"] is not None:
        told["good"]["at"] = spelled(told["good"]["at"])
    return JSONResponse(told)


@router.get(
    "/why/{name:path}",
    summary="Explain an image",
    responses={200: openapi.ok("What the records say.", "Why"), **openapi.problems(404)},
)
def explain_image(name: Name, product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Explain the same of the newest cascade that concerns the image, or why none does."""
    del query
    return JSONResponse(explained(_look(product, name, None)))


def _kept(product: App, cascade: str) -> Kept:
    return Kept(product.engine.records, product.archive, cascade)


def _look(product: App, name: str, cascade: str | None) -> Answer:
    return look(
        name,
        cascade,
        catalog=product.catalog,
        records=product.engine.records,
        bases=product.bases,
        places=product.engine.pool(),
        log=product.intake.log(PUSHES),
    )


def _headers(product: App, query: Listing) -> Iterator[tuple[str, Header | None]]:
    if query.archived:
        for header in product.archive.recent(now=product.clock(), after=query.after):
            yield index_row(header), header
    else:
        for listed in product.engine.records.listed(after=query.after):
            yield listed.row, listed.header.value if listed.header else None


def canonical(base: str) -> str:
    """A reference as cascades have it; nothing when none is given."""
    try:
        return str(Reference.parse(base)) if base else ""
    except InvalidReferenceError as exc:
        raise InvalidError([{"parameter": "base", "detail": str(exc)}]) from exc
