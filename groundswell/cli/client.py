"""A client of the API: JSON in and out, pages as one list, errors as the product's own.

What failed for a while is asked again: reading always, changing where it cannot be done twice (a POST has an
Idempotency-Key, so the service does it once).
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

from groundswell.access.principal import ForbiddenError, ThrottledError, UnauthenticatedError
from groundswell.cli.transport import Reply, Transport, UnreachableError
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    InputError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)

type Json = dict[str, Any]

_PREFIX = "/api/v1"
_ATTEMPTS = 4
_LONGEST_WAIT = 15.0
_PAGE = 200
PATIENCE = 30.0
"""Seconds that an answer may take."""
LONG = 240.0
"""The same where a registry, clusters or a build service are asked first. App Service ends a request after 230."""
_LATER = (429, 502, 503, 504)
_UNDER_WAY = "under-way"
_NOT_NOW = ("refused", "contradiction")
"""Problems of the status 409 that no other try solves: the input is wrong for what is there."""


class Client:
    """`patience` is the seconds that an answer may take, `attempts` how often what fails for a while is asked."""

    def __init__(
        self,
        transport: Transport,
        *,
        sleep: Callable[[float], None] | None = None,
        patience: float = PATIENCE,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._transport = transport
        self._patience = patience
        self._attempts = attempts
        self._sleep = sleep or time.sleep

    @property
    def place(self) -> str:
        return self._transport.place

    def patient(self) -> "Client":
        """The same for what takes long: an answer that did not come in time is not asked for again."""
        return Client(self._transport, sleep=self._sleep, patience=LONG, attempts=self._attempts)

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, query)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("POST", path, {}, body, {"Idempotency-Key": uuid4().hex})

    def put(self, path: str, body: Mapping[str, Any], *, new: bool = False, **query: Any) -> Any:
        """`new` says that there must be nothing yet: else it is a ConflictError."""
        return self._ask("PUT", path, query, body, {"If-None-Match": "*"} if new else {})

    def delete(self, path: str, **query: Any) -> Any:
        return self._ask("DELETE", path, query)

    def pages(self, path: str, key: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """All items of a list, or the first `limit`, asked for as they are needed."""
        left, cursor = limit, ""
        while left is None or left > 0:
            asked = _PAGE if left is None else min(left, _PAGE)
            page = self._page(path, (key,), limit=asked, cursor=cursor, **query)
            yield from page[key]
            left = None if left is None else left - len(page[key])
            cursor = page["next_cursor"]
            if not cursor:
                return

    def whole(self, path: str, *keys: str, size: int = _PAGE, **query: Any) -> Json:
        """All pages as one document, their lists of these keys put together; `size` is that of a page."""
        found: Json = {key: [] for key in keys}
        cursor = ""
        while True:
            page = self._page(path, keys, limit=size, cursor=cursor, **query)
            for key in keys:
                found[key] += page[key]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def _page(self, path: str, keys: Collection[str], **query: Any) -> Json:
        page: Json = self.get(path, **query)
        if "next_cursor" not in page or not all(isinstance(page.get(key), list) for key in keys):
            raise PermanentError(f"{self.place} does not answer as Groundswell does: no page of {', '.join(keys)}")
        return page

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        asked = {name: _spelled(value) for name, value in query.items() if value not in (None, "", False, [], ())}
        target = f"{_PREFIX}{path}" + (f"?{urlencode(asked, doseq=True)}" if asked else "")
        data = b"" if body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        for attempt in range(1, self._attempts + 1):
            try:
                reply = self._transport.send(method, target, sent, data, patience=self._patience)
            except UnreachableError as exc:
                again = not exc.sent or method == "POST" or (method != "DELETE" and self._patience < LONG)
                if attempt == self._attempts or not again:
                    raise
                self._sleep(_pause(attempt))
                continue
            if reply.status < 300:
                return None if reply.status == HTTPStatus.NO_CONTENT else _json(reply, self.place)
            problem = _problem(reply)
            wait = _wait(reply, problem, attempt)
            if wait is None or attempt == self._attempts:
                raise _error(reply, problem, self.place)
            self._sleep(wait)
        raise AssertionError  # the last attempt returns or raises


def segment(text: str) -> str:
    """An id or a name as a part of a path; slashes stand. Raises InputError for what leads elsewhere."""
    if any(part in ("", ".", "..") for part in text.split("/")):
        raise InputError(f"{text!r} is no name: nothing may be empty, . or .. between its slashes")
    return quote(text, safe="/")


def _spelled(value: Any) -> Any:
    return "true" if value is True else value


def _json(reply: Reply, place: str) -> Json:
    found = _object(reply.body)
    if found is None:
        raise PermanentError(f"{place} does not answer as Groundswell does: no JSON object")
    return found


def _problem(reply: Reply) -> Json:
    """The problem+json of an answer; of one that has none, what its status says."""
    found = _object(reply.body)
    return found if found is not None and "status" in found else {}


def _object(body: bytes) -> Json | None:
    """What a body holds; None where it is no JSON object, as a proxy in between may answer."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _kind(problem: Json) -> str:
    return str(problem.get("type", "")).rpartition("/")[2]


def _wait(reply: Reply, problem: Json, attempt: int) -> float | None:
    """Seconds until the next try; None when there is none to make."""
    if reply.status not in _LATER and _kind(problem) != _UNDER_WAY:
        return None
    told = reply.headers.get("retry-after", "")
    if told.isdecimal():
        return float(told) if float(told) <= _LONGEST_WAIT else None
    return _pause(attempt)


def _pause(attempt: int) -> float:
    return 0.25 * 2.0**attempt


def _error(reply: Reply, problem: Json, place: str) -> GroundswellError:
    said = _said(problem) or f"{place} answers with status {reply.status}"
    kind, status = _kind(problem), reply.status
    if status == 404 and kind in ("about:blank", ""):
        return PermanentError(f"{place} has no such operation: it is older than this command, or no Groundswell")
    if status == 401:
        return UnauthenticatedError(f"{said}; `groundswell login`, or set GROUNDSWELL_TOKEN")
    if status == 403:
        return ForbiddenError(said)
    if status == 404:
        return NotFoundError(said)
    if status == 429:
        return ThrottledError(said)
    if status in _LATER:
        return TemporaryError(said)
    if status in (400, 413, 422) or (status == 409 and kind in _NOT_NOW):
        return InputError(said)
    if status in (409, 412):
        return ConflictError(said)
    if status >= 500 and problem:
        return PermanentError(f"{place}: {said} ({problem.get('instance', '')})")
    return PermanentError(said)


def _said(problem: Json) -> str:
    """What is wrong; of input every complaint, at its place where that says more than the complaint."""
    errors = problem.get("errors")
    ours = [e for e in errors if isinstance(e, dict) and "detail" in e] if isinstance(errors, list) else []
    places = (str(e.get("pointer") or e.get("parameter", "")).removeprefix("#").removeprefix("/") for e in ours)
    told = [f"{place}: {e['detail']}" if place else str(e["detail"]) for place, e in zip(places, ours, strict=True)]
    return "; ".join(told) or str(problem.get("detail") or problem.get("title") or "")
