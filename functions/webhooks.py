"""POST /webhooks/acr: ACR announces a push.

ACR waits five seconds and never tries again, so the answer is 202 as soon as the push is durably queued; everything
else happens behind the queue. Authentication is the secret in a custom header of the webhook, which is all ACR has.
"""

import json
import logging
from http import HTTPStatus
from typing import Any

import azure.functions as func

from groundswell.errors import GroundswellError
from groundswell.webhook import MAX_BODY, FieldError, Ignored, authentic, parse
from groundswell.wiring import app

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()


@blueprint.function_name("acr_webhook")
@blueprint.route(route="webhooks/acr", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def acr_webhook(req: func.HttpRequest) -> func.HttpResponse:
    settings = app().settings
    if not authentic(req.headers.get(settings.webhook_header), settings.webhook_secret):
        return _answer(HTTPStatus.UNAUTHORIZED, error=f"header {settings.webhook_header} does not hold the secret")
    body = req.get_body()
    if len(body) > MAX_BODY:
        return _answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error=f"larger than {MAX_BODY} bytes")
    only = next(iter(settings.registries)) if len(settings.registries) == 1 else None
    try:
        event = parse(body, registry=req.params.get("registry") or only)
    except FieldError as exc:
        return _answer(HTTPStatus.BAD_REQUEST, error=str(exc), field=exc.field)
    if isinstance(event, Ignored):
        status = HTTPStatus.OK if event.action == "ping" else HTTPStatus.ACCEPTED
        return _answer(status, action=event.action, queued=False)
    try:
        app().receive(event)
    except GroundswellError:
        logger.exception("push not queued", extra={"push": event.id, "repository": event.repository})
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE, error="the push could not be queued; send it again")
    return _answer(HTTPStatus.ACCEPTED, id=event.id, queued=True)


def _answer(status: HTTPStatus, **fields: Any) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(fields), status_code=status, mimetype="application/json")
