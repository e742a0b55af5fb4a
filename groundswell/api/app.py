"""The HTTP API: FastAPI, mounted in the Function app by `functions/http.py`.

Handlers are plain functions on FastAPI's thread pool: everything beneath them is synchronous (docs/adr/0001). They
decode, call the product and encode. There are no pages of documentation, whose scripts would come from a CDN, and
there is no CORS: a page of another origin may read none of the answers.
"""

import time
from http import HTTPStatus
from typing import Any

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.routing import Route

from groundswell.api import (
    acts,
    alerts,
    anew,
    audit,
    cascades,
    doctor,
    drift,
    failures,
    freezes,
    identity,
    impact,
    lineage,
    many,
    notices,
    openapi,
    policy,
    pushes,
    runs,
    stale,
    statistics,
    tokens,
    verify,
)
from groundswell.api.authorisation import BEARER, authorised
from groundswell.api.guard import Guard
from groundswell.api.logs import LogShelf
from groundswell.api.parameters import PREFIX
from groundswell.api.problems import answer
from groundswell.api.surveys import Surveys
from groundswell.doctor.doctor import Doctor
from groundswell.errors import GroundswellError
from groundswell.wiring import App

_ROUTERS = (
    lineage.router,
    many.router,
    impact.router,
    stale.router,
    pushes.router,
    cascades.router,
    failures.router,
    statistics.router,
    acts.router,
    anew.router,
    runs.router,
    alerts.router,
    drift.router,
    verify.router,
    freezes.router,
    policy.router,
    audit.router,
    tokens.router,
    notices.router,
    identity.router,
    doctor.router,
)


def create(product: App) -> FastAPI:
    """The API of a product. Raises InputError when its settings do not lead to a store."""
    api = routed(product)
    for error in (GroundswellError, RequestValidationError, HTTPException):
        api.add_exception_handler(error, answer)
    api.add_middleware(Guard)
    return api


def routed(product: App) -> FastAPI:
    """All routes, without what becomes of errors. Raises as `create`."""
    _ = product.store
    api = FastAPI(
        title="Groundswell",
        version="1",
        summary="When a base image is updated, everything that stands on it follows.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    api.state.product = product
    api.state.logs = LogShelf(product, time.monotonic)
    api.state.doctor = Doctor(product, time.monotonic)
    api.state.surveys = Surveys(product, time.monotonic)
    api.include_router(identity.open_router)
    for router in _ROUTERS:
        api.include_router(router, dependencies=[Depends(authorised), Security(BEARER)])
    api.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _no_such_method)
    api.openapi = lambda: _document(api)  # type: ignore[method-assign]  # the way FastAPI has it
    return api


async def _no_such_method(request: Request, _: Exception) -> Response:
    """Starlette names the methods of the first route of the path only."""
    routes = [
        *request.app.routes,
        *(route for router in (identity.open_router, *_ROUTERS) for route in router.routes),
    ]
    methods = {
        method
        for route in routes
        if isinstance(route, Route) and route.path_regex.match(request.url.path)
        for method in route.methods or ()
    }
    headers = {"Allow": ", ".join(sorted(methods))}
    return await answer(request, HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers=headers))


def _document(api: FastAPI) -> dict[str, Any]:
    if not api.openapi_schema:
        routes = get_openapi(title=api.title, version=api.version, summary=api.summary, routes=api.routes)
        api.openapi_schema = openapi.complete(routes)
    return api.openapi_schema
