"""One call of a host's REST API: bounded in size and time, no redirect followed, errors in our own words.

The address comes from the settings, never from a registration; the token goes there and nowhere else, and is in no
message. Retries are the caller's: one layer.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from groundswell.errors import (
    ConflictError,
    GroundswellError,
    NotFoundError,
    PermanentError,
    TemporaryError,
    cause,
    without_logins,
)

MAX_BYTES = 8 << 20
_TIMEOUT = (5.0, 20.0)  # seconds to connect, to read
_LONGEST = 256
_DELAY, _LONGEST_DELAY = 5.0, 3600.0
_SIGN_IN = (203, 302)
"""What Azure DevOps answers instead of 401: its page for signing in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: bytes
    subject: str

    def json(self) -> Any:
        """The body. Raises TemporaryError where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as exc:
            raise TemporaryError(f"{self.subject}: the answer is no JSON") from exc


class Rest:
    """Safe to share between threads. `headers()` are those of each request, the token's among them.

    `need` says what a token must be allowed, for whom it is refused.
    """

    def __init__(self, base: str, headers: Callable[[], Mapping[str, str]], need: str) -> None:
        self._base = base.rstrip("/")
        self._host = urlsplit(base).hostname
        self._headers = headers
        self._need = need
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        subject: str,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        accept: str = "application/json",
        expected: tuple[int, ...] = (200, 201),
    ) -> Answer:
        """The answer, when its status is among the expected. `path` is quoted already; `subject` what is done."""
        headers = {**self._headers(), "Accept": accept, "User-Agent": "groundswell"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with self._session.request(
                method,
                f"{self._base}{path}",
                params=query,
                data=None if body is None else json.dumps(body),
                headers=headers,
                auth=lambda request: request,  # else requests looks into .netrc
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                found = response.raw.read(MAX_BYTES + 1, decode_content=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TemporaryError(f"{subject}: {self._host} does not answer ({cause(exc)})") from exc
        if len(found) > MAX_BYTES:
            raise PermanentError(f"{subject}: {self._host} answers with more than {MAX_BYTES} bytes")
        answer = Answer(status=response.status_code, body=found, subject=subject)
        if answer.status not in expected:
            raise self._error(answer, response.headers)
        return answer

    def _error(self, answer: Answer, headers: Mapping[str, str]) -> GroundswellError:
        status = answer.status
        told = f"{answer.subject}: {self._host} answered {status}{message(answer.body)}"
        limited = headers.get("x-ratelimit-remaining") == "0" or "Retry-After" in headers
        if status in (408, 429) or status >= 500 or (status == 403 and limited):
            return TemporaryError(told, delay=_delay(headers))
        if status in (401, 403, *_SIGN_IN):
            return PermanentError(
                f"{told}; see its entry in GROUNDSWELL_GIT, whose token must be allowed: {self._need}"
            )
        if status == 404:  # also the answer to who may not know of it
            return NotFoundError(f"{told}; or the token of GROUNDSWELL_GIT may not read it ({self._need})")
        return ConflictError(told) if status == 409 else PermanentError(told)


def message(body: bytes) -> str:
    """`: message` of the body, and of the errors it lists; nothing when it is none that says one."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict) or not isinstance(document.get("message"), str):
        return ""
    errors = document.get("errors")
    listed = [one.get("message") for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    words = " ".join(" ".join([document["message"], *(one for one in listed if isinstance(one, str))]).split())
    return f": {without_logins(words)[:_LONGEST]}"


def _delay(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return min(max(float(text), 1.0), _LONGEST_DELAY) if text.isdecimal() else _DELAY
