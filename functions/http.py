"""GET /healthz: whether this instance can do its work. Says nothing else, so it needs no key."""

import json
import logging
from http import HTTPStatus

import azure.functions as func

from groundswell.errors import GroundswellError
from groundswell.wiring import app

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()


@blueprint.function_name("healthz")
@blueprint.route(route="healthz", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def healthz(req: func.HttpRequest) -> func.HttpResponse:
    del req
    try:
        app().store.get("health", "health", "health")
    except GroundswellError:
        logger.exception("store not reachable")
        status, text = HTTPStatus.SERVICE_UNAVAILABLE, "store not reachable"
    else:
        status, text = HTTPStatus.OK, "ok"
    return func.HttpResponse(json.dumps({"status": text}), status_code=status, mimetype="application/json")
