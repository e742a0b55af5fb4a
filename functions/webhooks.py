"""Where pushes are announced: by ACR's webhook, by Event Grid, by a Distribution registry.

ACR waits five seconds and never tries again, so the answer comes as soon as the push is durably queued; everything
else happens behind the queue. Authentication is a secret in a header that the sender is told to add, which is all
that ACR has. Event Grid gives up what is answered 400, 401, 403 or 413, so a passing fault is none of these.
"""

import json
import logging
from collections.abc import Callable, Iterable
from functools import wraps
from http import HTTPStatus
from typing import Any

import azure.functions as func

from groundswell.cascade.observing import observer
from groundswell.cascade.push import Push
from groundswell.errors import GroundswellError
from groundswell.webhooks import acr, distribution, event_grid
from groundswell.webhooks.acr import Ignored
from groundswell.webhooks.events import FieldError, authentic
from groundswell.wiring import app

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()

type Handler = Callable[[func.HttpRequest], func.HttpResponse]


def _observed(route: str) -> Callable[[Handler], Handler]:
    """Tell the observer of each request: the pushes that it brings are below it in their trace."""

    def observed(handler: Handler) -> Handler:
        @wraps(handler)
        def handle(req: func.HttpRequest) -> func.HttpResponse:
            with observer().request(req.method, route) as answered:
                answer = handler(req)
                answered(answer.status_code)
            return answer

        return handle

    return observed


@blueprint.function_name("acr_webhook")
@blueprint.route(route="webhooks/acr", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@_observed("/webhooks/acr")
def acr_webhook(req: func.HttpRequest) -> func.HttpResponse:
    if refusal := _refused(req, acr.MAX_BODY):
        return refusal
    try:
        event = acr.parse(req.get_body(), registry=_registry(req))
    except FieldError as exc:
        return _answer(HTTPStatus.BAD_REQUEST, error=str(exc), field=exc.field)
    if isinstance(event, Ignored):
        status = HTTPStatus.OK if event.action == "ping" else HTTPStatus.ACCEPTED
        return _answer(status, action=event.action, queued=False)
    return _queued([event]) or _answer(HTTPStatus.ACCEPTED, id=event.id, queued=True)


@blueprint.function_name("event_grid")
@blueprint.route(route="webhooks/event-grid", methods=["POST", "OPTIONS"], auth_level=func.AuthLevel.ANONYMOUS)
@_observed("/webhooks/event-grid")
def event_grid_webhook(req: func.HttpRequest) -> func.HttpResponse:
    if req.method == "OPTIONS":
        return _permission(req)
    refusal = _refused(req, event_grid.MAX_BODY, query=True)
    registries = app().settings.registries
    if req.headers.get("aeg-event-type") == "SubscriptionValidation":
        code = event_grid.handshake(req.get_body(), registries, trusted=refusal is None)
        return _answer(HTTPStatus.OK, validationResponse=code) if code else refusal or _no_handshake()
    if refusal:
        return refusal
    try:
        found = event_grid.parse(req.get_body(), registries)
    except FieldError as exc:
        return _answer(HTTPStatus.BAD_REQUEST, error=str(exc), field=exc.field)
    if fault := _queued(found.pushes):
        return fault
    if found.refused:
        first = found.refused[0]
        return _answer(HTTPStatus.BAD_REQUEST, error=str(first), field=first.field, queued=len(found.pushes))
    return _answer(HTTPStatus.OK, queued=len(found.pushes), ignored=found.ignored)


@blueprint.function_name("distribution")
@blueprint.route(route="webhooks/distribution", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@_observed("/webhooks/distribution")
def distribution_webhook(req: func.HttpRequest) -> func.HttpResponse:
    if refusal := _refused(req, distribution.MAX_BODY):
        return refusal
    try:
        found = distribution.parse(req.get_body(), registry=_registry(req))
    except FieldError as exc:
        return _answer(HTTPStatus.BAD_REQUEST, error=str(exc), field=exc.field)
    for each in found.refused:
        logger.warning("notification refused", extra={"field": each.field, "why": str(each)})
    if fault := _queued(found.pushes):
        return fault
    refused = [str(each) for each in found.refused]
    return _answer(HTTPStatus.ACCEPTED, queued=len(found.pushes), ignored=found.ignored, refused=refused)


def _refused(req: func.HttpRequest, most: int, *, query: bool = False) -> func.HttpResponse | None:
    """The answer to who does not give the secret (where `query`, in `?secret=` will do), or sends too much."""
    settings = app().settings
    if not settings.webhook_secret:  # our fault, and it may pass: a vault could not be read
        return _answer(
            HTTPStatus.SERVICE_UNAVAILABLE, error="no webhook secret is known here: `groundswell doctor`"
        )
    given = req.headers.get(settings.webhook_header) or (req.params.get("secret") if query else None)
    if not authentic(given, settings.webhook_secret):
        return _answer(HTTPStatus.UNAUTHORIZED, error=f"header {settings.webhook_header} does not hold the secret")
    if len(req.get_body()) > most:
        return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error=f"larger than {most} bytes")
    return None


def _registry(req: func.HttpRequest) -> str | None:
    """Which registry is meant where an event names none."""
    registries = app().settings.registries
    return req.params.get("registry") or (next(iter(registries)) if len(registries) == 1 else None)


def _queued(pushes: Iterable[Push]) -> func.HttpResponse | None:
    """Queue them; the answer when that is not possible now. The whole is sent again then, which is harmless."""
    for push in pushes:
        try:
            app().receive(push)
        except GroundswellError:
            logger.exception("push not queued", extra={"push": push.id, "repository": push.repository})
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, error="the push could not be queued; send it again")
    return None


def _permission(req: func.HttpRequest) -> func.HttpResponse:
    """Event Grid asks whether it may send (CloudEvents' protection from abuse). That opens nothing yet."""
    origin = event_grid.allowed_origin(req.headers.get("WebHook-Request-Origin"))
    if origin is None:
        return _answer(HTTPStatus.FORBIDDEN, error="only Event Grid may ask to send events here")
    headers = {"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"}
    return func.HttpResponse(status_code=HTTPStatus.OK, headers=headers)


def _no_handshake() -> func.HttpResponse:
    return _answer(HTTPStatus.BAD_REQUEST, error="this is no validation of a subscription")


def _answer(status: HTTPStatus, **fields: Any) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(fields), status_code=status, mimetype="application/json")
