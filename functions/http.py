"""What people and machines ask over HTTP: the API, the dashboard, metrics, and whether this instance can work."""

import json
import logging
from functools import cache
from http import HTTPStatus

import azure.functions as func

from groundswell.access.principal import Role, UnauthenticatedError
from groundswell.errors import GroundswellError
from groundswell.wiring import app

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()


@blueprint.function_name("api")
@blueprint.route(route="api/{*path}", auth_level=func.AuthLevel.ANONYMOUS)
async def api(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Hand everything under /api to FastAPI, which finds out itself who asks: a key of the app names nobody."""
    try:
        answer: func.HttpResponse = await _mounted().handle_async(req, context)
    except ValueError:  # what the API itself raises is an answer by now
        text = {"title": "Bad Request", "status": 400, "detail": "the address or a header cannot be decoded"}
        return func.HttpResponse(json.dumps(text), status_code=400, mimetype="application/problem+json")
    return answer


@cache
def _mounted() -> func.AsgiMiddleware:
    """Made at the first request: importing FastAPI takes longer than a queue worker's whole cold start."""
    from groundswell.api.app import create

    return func.AsgiMiddleware(create(app()))


@blueprint.function_name("dashboard")
@blueprint.route(route="ui/{*path}", auth_level=func.AuthLevel.ANONYMOUS)
async def dashboard(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Hand everything under /ui to the dashboard, which finds out itself who asks."""
    try:
        answer: func.HttpResponse = await _pages().handle_async(req, context)
    except ValueError:  # what a page itself raises is an answer by now
        text = "400: the address or a header cannot be decoded"
        return func.HttpResponse(text, status_code=400, mimetype="text/plain")
    return answer


@cache
def _pages() -> func.AsgiMiddleware:
    from groundswell.dashboard.app import create

    return func.AsgiMiddleware(create(app()))


@blueprint.function_name("healthz")
@blueprint.route(route="healthz", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def healthz(req: func.HttpRequest) -> func.HttpResponse:
    """GET /healthz says whether the store answers and nothing else, so it needs no key."""
    del req
    try:
        app().store.get("health", "health", "health")
    except GroundswellError:
        logger.exception("store not reachable")
        status, text = HTTPStatus.SERVICE_UNAVAILABLE, "store not reachable"
    else:
        status, text = HTTPStatus.OK, "ok"
    return func.HttpResponse(json.dumps({"status": text}), status_code=status, mimetype="application/json")


@blueprint.function_name("metrics")
@blueprint.route(route="metrics", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def metrics(req: func.HttpRequest) -> func.HttpResponse:
    """GET /metrics gives readers what this instance counted, for Prometheus, where the settings say so."""
    prometheus = app().prometheus
    if prometheus is None:
        return _problem(HTTPStatus.NOT_FOUND, "GROUNDSWELL_PROMETHEUS is not yes, so there are no metrics here")
    try:
        principal = app().authenticator.principal(req.headers.get)
    except UnauthenticatedError as exc:
        return _problem(HTTPStatus.UNAUTHORIZED, str(exc), {"WWW-Authenticate": "Bearer"})
    except GroundswellError:
        logger.exception("who scrapes could not be found out")
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "who asks could not be found out; ask again")
    if not principal.has(Role.READER):
        return _problem(HTTPStatus.FORBIDDEN, f"metrics need the role {Role.READER}")
    from groundswell.telemetry.prometheus import CONTENT_TYPE

    return func.HttpResponse(prometheus.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


def _problem(status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> func.HttpResponse:
    text = {"title": status.phrase, "status": status.value, "detail": detail}
    return func.HttpResponse(
        json.dumps(text), status_code=status, headers=headers, mimetype="application/problem+json"
    )
