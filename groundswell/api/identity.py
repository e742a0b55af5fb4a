"""/me says who is asking; /health, whether the service works, and /login, how to log in, ask nobody who that is."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.parameters import PREFIX, Parameters, Product

router = APIRouter(prefix=PREFIX, tags=["identity"])
open_router = APIRouter(prefix=PREFIX, tags=["health"])


@router.get("/me", summary="Who I am", responses={200: openapi.ok("The principal.", "Me"), **openapi.problems()})
def show_me(asker: Asker, query: Annotated[Parameters, Query()]) -> Response:
    """Tell whose token it is, and what it may do."""
    del query
    return JSONResponse(
        {"id": asker.id, "name": asker.name, "roles": sorted(asker.roles), "teams": sorted(asker.teams)}
    )


@open_router.get(
    "/health", summary="Health", responses={200: openapi.ok("It works.", "Health"), **openapi.open_problems()}
)
def show_health(product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Say whether the store answers, and nothing else."""
    del query
    product.store.get("health", "health", "health")
    return JSONResponse({"status": "ok"})


@open_router.get(
    "/login", summary="How to log in", responses={200: openapi.ok("As set up.", "Login"), **openapi.open_problems()}
)
def show_login(product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Say which tokens are taken beside API tokens, and where they come from: all of it is public."""
    del query
    settings = product.settings
    entra = None
    if settings.entra_tenant:
        entra = {
            "authority": settings.entra_authority,
            "tenant": settings.entra_tenant,
            "audience": settings.entra_audiences[0],
        }
    return JSONResponse({"entra": entra})
