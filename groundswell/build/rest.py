"""Requests to a server that runs pipelines: no redirects, no cookies, bounded in time and size, retried by nobody.

The server is one that the settings name, and nothing it answers leads to another. What may pass (throttling, a
fault of the server, no answer) is temporary, with its Retry-After; what it refuses is permanent, in its own words.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from groundswell.errors import (
    GroundswellError,
    NotFoundError,
    PermanentError,
    TemporaryError,
    cause,
    without_logins,
)

MAX_BYTES = 8 << 20
"""Of an answer in JSON."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 60.0
_WHOLE_SECONDS = 120.0
_CONNECTIONS = 32
_CHUNK = 65_536
_DEFAULT_DELAY, _LONGEST_DELAY = 5.0, 600.0
_SILENCE_DELAY = 15.0
"""Seconds after no answer: what was asked may yet be carried out, and had better be seen by whoever asks again."""
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`cookies` are those that it sets, each `NAME=VALUE`."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    cookies: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


class Rest:
    """Safe to share between threads.

    `authorization` makes the header; `service` and `remedy` (what to do when it is not let in) stand in messages.
    """

    def __init__(
        self,
        url: str,
        authorization: Callable[[], str],
        *,
        service: str,
        remedy: str,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._url = url.rstrip("/")
        self._authorization = authorization
        self._service = service
        self._remedy = remedy
        self._timeout = (_CONNECT_SECONDS, read_seconds)
        # Sent by the adapter itself: a session follows redirects, keeps cookies, and looks for a login in ~/.netrc.
        # It is asked only what the environment says of proxies and trust.
        self._adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS)
        self._environment = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def json(self, method: str, path: str, *, subject: str, **rest: Any) -> dict[str, Any]:
        """The JSON object that is answered, an empty one for an empty answer. Raises as `send` and `parse`."""
        return self.parse(self.send(method, path, subject=subject, **rest), subject)

    def parse(self, answer: Answer, subject: str) -> dict[str, Any]:
        """What an answer holds. TemporaryError when that is no JSON object."""
        try:
            found = json.loads(answer.body or b"{}") or {}  # null is how an absent thing is told too
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise TemporaryError(f"{subject}: {self._service} answered with something that is no JSON object")
        return found

    def send(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
        cut: int = 0,
    ) -> Answer:
        """The answer, when its status is 200 to 299 (but 203) or one of `accept`.

        `path` is appended to the server's URL. `cut` takes only that many bytes of the answer; else more than
        MAX_BYTES is a PermanentError. Raises TemporaryError, NotFoundError (404) or PermanentError.
        """
        url = f"{self._url}/{path}"
        sent = {"Authorization": self._authorization(), "Accept": "application/json", **(headers or {})}
        around = self._environment.merge_environment_settings(url, {}, True, None, None)
        request = requests.Request(method, url, headers=sent, params=params, json=body, data=form).prepare()
        try:
            with self._adapter.send(request, timeout=self._timeout, **around) as response:
                answer = Answer(
                    status=response.status_code,
                    headers=response.headers,
                    body=self._read(response, cut, subject),
                    cookies=tuple(each.partition(";")[0] for each in response.raw.headers.getlist("Set-Cookie")),
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TemporaryError(
                f"{subject}: {self._service} did not answer ({cause(exc)})", delay=_SILENCE_DELAY
            ) from exc
        # 203 is how Azure DevOps shows its sign-in page.
        if answer.status in accept or (200 <= answer.status < 300 and answer.status != 203):
            return answer
        raise self.error(answer, subject)

    def _read(self, response: requests.Response, cut: int, subject: str) -> bytes:
        body, end = bytearray(), time.monotonic() + _WHOLE_SECONDS
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if cut and len(body) >= cut:
                return bytes(body[:cut])
            if len(body) > MAX_BYTES:
                raise PermanentError(f"{subject}: {self._service} answered with more than {MAX_BYTES} bytes")
            if time.monotonic() > end:
                raise TemporaryError(f"{subject}: {self._service} took more than {_WHOLE_SECONDS:g} s to answer")
        return bytes(body)

    def error(self, answer: Answer, subject: str) -> GroundswellError:
        """What an answer with such a status means."""
        said = f"{subject}: {self._service} answered {answer.status}{_words(answer)}"
        if answer.status in (408, 429) or answer.status >= 500:
            return TemporaryError(said, delay=_delay(answer))
        if answer.status == 404:
            return NotFoundError(said)
        if answer.status in (203, 401, 403) or 300 <= answer.status < 400:
            return PermanentError(f"{said}; {self._remedy}")
        return PermanentError(said)


def _words(answer: Answer) -> str:
    """What the server says: Azure DevOps in `message`, Jenkins in a header."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    said = found.get("message") if isinstance(found, dict) else answer.headers.get("X-Error")
    return f" {without_logins(' '.join(str(said).split()))[:_LONGEST]}" if said else ""


def understood[**P, R](ask: Callable[P, R]) -> Callable[P, R]:
    """`ask`, with a TemporaryError for an answer that is JSON, but not of the shape that the server's API has."""

    @wraps(ask)
    def asked(*args: P.args, **rest: P.kwargs) -> R:
        try:
            return ask(*args, **rest)
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            shape = f"{type(exc).__name__} in {ask.__name__}"
            raise TemporaryError(
                f"the build server's answer has another shape than its API says ({shape})"
            ) from exc

    return asked


def _delay(answer: Answer) -> float:
    """Retry-After in seconds; neither server sends dates there."""
    text = answer.headers.get("Retry-After", "")
    return min(max(float(text), 1.0), _LONGEST_DELAY) if text.isdecimal() else _DEFAULT_DELAY
