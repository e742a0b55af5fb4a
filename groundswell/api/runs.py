"""/runs: the log of a run of the build service by its id, whichever rebuild it was of."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import openapi
from groundswell.api.cascades import Part
from groundswell.api.parameters import PREFIX, Product, Shelf
from groundswell.api.problems import InvalidError
from groundswell.build.router import builder_of
from groundswell.wiring import App

router = APIRouter(prefix=f"{PREFIX}/runs", tags=["cascades"])

Run = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$",
        description="Id of the run; of a pipeline's, BUILDER:ID.",
        examples=["cf4"],
    ),
]


class Asking(Part):
    registry: str = Field("", max_length=200, description="Login server; needed when several are configured.")


@router.get(
    "/{run}/log",
    summary="Show the log of a run",
    responses={200: openapi.ok("A page of the log so far.", "RunLog"), **openapi.problems(404, 409)},
)
def show_run_log(run: Run, product: Product, shelf: Shelf, query: Annotated[Asking, Query()]) -> Response:
    """Show the log of a run of ACR Tasks, or of a pipeline that builds, in pages."""
    text = shelf.text(_registry(product, run, query.registry), run, ended=False)
    part = text[query.offset : query.offset + query.limit]
    following = min(len(text), query.offset + len(part))
    told = {"run": run, "offset": query.offset, "text": part, "next_offset": following, "length": len(text)}
    return JSONResponse(told)


def _registry(product: App, run: str, wanted: str) -> str:
    """Whose run it is: only registries of the settings have builds of ours."""
    name, known = builder_of(run), list(product.settings.registries)
    if name:
        if name not in product.settings.builders:
            raise InvalidError([{"parameter": "run", "detail": f"there is no builder {name}"}])
        return wanted
    if wanted and wanted not in known:
        raise InvalidError([{"parameter": "registry", "detail": f"{wanted} is not configured"}])
    if not wanted and len(known) != 1:
        detail = f"needed: {len(known)} registries are configured"
        raise InvalidError([{"parameter": "registry", "detail": detail}])
    return wanted or known[0]
