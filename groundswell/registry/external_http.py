"""One request to a registry that is not ours, or to where it sends us: https, limited in size, time and hops.

What a registry says is other people's input: redirects are followed to https only, and never with a login; no
answer is read beyond its limit, however slowly it comes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from groundswell.errors import PermanentError, TemporaryError, cause
from groundswell.registry.address import PublicOnly

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
WHOLE_SECONDS = 60.0
"""For one answer from its first byte to its last."""
MAX_REDIRECTS = 4
POOL = 32
"""Connections kept to each host; as many as threads ask at once."""

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`url` is the one that answered, after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Safe to share between threads. `private` allows addresses of our own network."""

    def __init__(
        self, *, private: bool, read_seconds: float = READ_SECONDS, whole_seconds: float = WHOLE_SECONDS
    ) -> None:
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._whole = whole_seconds
        # Sent by the adapter itself: a session reads all of a redirect, whatever its length, keeps cookies,
        # and looks for a login in ~/.netrc. It is asked only what the environment says of proxies and trust.
        self._adapter = (HTTPAdapter if private else PublicOnly)(pool_maxsize=POOL)
        self._environment = requests.Session()

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], secret: str, limit: int, subject: str
    ) -> Answer:
        """The answer behind at most MAX_REDIRECTS redirects. `secret` is the Authorization header, "" for none.

        It goes to the origin of `url` only. Raises TemporaryError where nobody answers, or not wholly;
        PermanentError for a redirect that is not followed, and for more than `limit` bytes.
        """
        origin = urlsplit(url).netloc
        for _ in range(MAX_REDIRECTS + 1):
            sent = dict(headers)
            if secret and urlsplit(url).netloc == origin:
                sent["Authorization"] = secret
            answer = self._once(method, url, sent, limit, subject)
            if answer.status not in _REDIRECTS:
                return answer
            url = _next(url, answer.headers.get("Location", ""), subject)
        raise PermanentError(f"{subject}: more than {MAX_REDIRECTS} redirects")

    def _once(self, method: str, url: str, headers: Mapping[str, str], limit: int, subject: str) -> Answer:
        around = self._environment.merge_environment_settings(url, {}, True, None, None)
        try:
            request = requests.Request(method, url, headers=headers).prepare()
            with self._adapter.send(request, timeout=self._timeout, **around) as answer:
                body = self._read(answer, limit, subject)
        except requests.exceptions.InvalidURL as exc:
            raise PermanentError(f"{subject}: sent to an address that is none ({cause(exc)})") from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TemporaryError(f"{subject}: the registry did not answer ({cause(exc)})") from exc
        return Answer(url=url, status=answer.status_code, headers=answer.headers, body=body)

    def _read(self, answer: requests.Response, limit: int, subject: str) -> bytes:
        """The bytes as they came: nothing is unpacked, so what a digest is of stays, and no bomb goes off."""
        body, end = bytearray(), time.monotonic() + self._whole
        while chunk := answer.raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > limit:
                raise PermanentError(f"{subject}: more than the {limit} bytes allowed")
            if time.monotonic() > end:
                raise TemporaryError(f"{subject}: the registry's answer took more than {self._whole:g} s")
        return bytes(body)


def _next(url: str, location: str, subject: str) -> str:
    try:
        target = urljoin(url, location)
    except ValueError:  # brackets that are no IPv6 address
        target = ""
    if not (location and is_plain(target)):
        raise PermanentError(f"{subject}: the registry redirects to something that is no https address")
    return target


def is_plain(url: str) -> bool:
    """Whether `url` is an https address, and no more: no user, no password."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
