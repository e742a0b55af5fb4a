"""Errors as answers: problem+json (RFC 9457), the status by one table.

What a client did wrong names the place: `pointer` in the body (a JSON Pointer as a URI fragment, as in the RFC),
or the `parameter` of the path, the query or the headers. What is wrong on our side says nothing but the number of
the request, under which the log has the rest.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Scope

from graph.lineage import LineageError
from groundswell.access.answers import UnderWayError
from groundswell.access.principal import ForbiddenError, ThrottledError, UnauthenticatedError
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    InputError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPES = "https://groundswell.dev/problems/"
_LONGEST_DETAIL = 1000

type Fault = Mapping[str, str | int]
"""`detail` and `pointer` or `parameter`; of a Dockerfile also `line` and `column`, from 1."""


class InvalidError(InputError):
    """The input is not valid; `errors` says where and why."""

    def __init__(self, errors: Sequence[Fault]) -> None:
        first = errors[0]
        super().__init__(f"{first.get('pointer') or first.get('parameter')}: {first['detail']}")
        self.errors = errors


class NotJsonError(InputError):
    """The body is no JSON object at all."""


class TooLargeError(InputError):
    """The body is larger than we take."""


class PreconditionFailedError(GroundswellError):
    """If-Match or If-None-Match does not hold."""


class RefusedError(InputError):
    """The input is valid, but what it names is not in a state that allows it."""


class UnreadableError(PermanentError):
    """What is asked for is kept elsewhere, and cannot be read there: a setting is missing, or it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    status: HTTPStatus
    name: str
    title: str

    @property
    def uri(self) -> str:
        return TYPES + self.name


KINDS: Mapping[type[BaseException], Kind] = {
    NotJsonError: Kind(status=HTTPStatus.BAD_REQUEST, name="not-json", title="The body is not JSON"),
    UnauthenticatedError: Kind(
        status=HTTPStatus.UNAUTHORIZED, name="unauthenticated", title="Nobody knows who you are"
    ),
    ForbiddenError: Kind(status=HTTPStatus.FORBIDDEN, name="forbidden", title="You may not"),
    ThrottledError: Kind(status=HTTPStatus.TOO_MANY_REQUESTS, name="throttled", title="Too many requests"),
    NotFoundError: Kind(status=HTTPStatus.NOT_FOUND, name="not-found", title="There is no such thing"),
    LineageError: Kind(
        status=HTTPStatus.CONFLICT, name="contradiction", title="The lineage would contradict itself"
    ),
    RefusedError: Kind(status=HTTPStatus.CONFLICT, name="refused", title="Its state does not allow it"),
    UnreadableError: Kind(status=HTTPStatus.CONFLICT, name="unreadable", title="It cannot be read where it is"),
    UnderWayError: Kind(status=HTTPStatus.CONFLICT, name="under-way", title="It is under way"),
    ConflictError: Kind(status=HTTPStatus.CONFLICT, name="conflict", title="Somebody else was faster"),
    PreconditionFailedError: Kind(
        status=HTTPStatus.PRECONDITION_FAILED, name="precondition", title="It is not as the condition says"
    ),
    TooLargeError: Kind(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, name="too-large", title="Too large"),
    InputError: Kind(status=HTTPStatus.UNPROCESSABLE_ENTITY, name="invalid", title="The input is not valid"),
    TemporaryError: Kind(status=HTTPStatus.SERVICE_UNAVAILABLE, name="unavailable", title="Try again later"),
    Exception: Kind(status=HTTPStatus.INTERNAL_SERVER_ERROR, name="internal", title="The request failed"),
}
"""By the most special class. Whatever else is permanent is nothing that a client can mend: 500."""


def kind_of(error: Exception) -> Kind:
    """An InputError that the lineage itself raised is a contradiction, not a mistake in the input."""
    cause = error.__cause__ if isinstance(error.__cause__, LineageError) else error
    return next(KINDS[each] for each in type(cause).__mro__ if each in KINDS)


def request_id(scope: Scope) -> str:
    """The number of a request: that of the Functions invocation, which the host logs too."""
    number: str = scope.get("azure_functions.invocation_id") or scope.setdefault("groundswell.id", str(uuid4()))
    return number


async def answer(request: Request, error: Exception) -> JSONResponse:
    """An error as a response; ours are logged."""
    if isinstance(error, HTTPException):  # the framework's own: no such route, no such method
        status = HTTPStatus(error.status_code)
        return _response(request, status, "about:blank", status.phrase, str(error.detail), headers=error.headers)
    if isinstance(error, RequestValidationError):
        error = InvalidError([_parameter(fault) for fault in error.errors()])
    kind = kind_of(error)
    detail, headers = str(error)[:_LONGEST_DETAIL], {}
    if isinstance(error, TemporaryError) and not isinstance(error, ConflictError):
        headers["Retry-After"] = str(max(1, math.ceil(error.delay)))
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
        logger.warning("request put off", exc_info=error, extra=_told(request))
    if kind.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="groundswell"'
    if kind.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        detail = "the fault is ours; `instance` names the request in our log"
        logger.error("request failed", exc_info=error, extra=_told(request))
    errors = error.errors if isinstance(error, InvalidError) else ()
    return _response(request, kind.status, kind.uri, kind.title, detail, errors=errors, headers=headers)


def _response(
    request: Request,
    status: HTTPStatus,
    uri: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = {"type": uri, "title": title, "status": status.value, "detail": detail}
    if errors:
        body["errors"] = errors
    body["instance"] = f"urn:uuid:{request_id(request.scope)}"
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def _parameter(fault: Mapping[str, Any]) -> Fault:
    """What pydantic says of a parameter: its place is (path, query or header; name; ...)."""
    return {"parameter": str(fault["loc"][1]), "detail": str(fault["msg"])}


def _told(request: Request) -> dict[str, str]:
    return {"request": request_id(request.scope), "method": request.method, "path": request.url.path}
