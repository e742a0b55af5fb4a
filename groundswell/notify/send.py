"""One try to tell a channel: a POST, https only, to public addresses only, without redirects.

What comes back decides: 2xx is told; 408, 429, 5xx and no answer are tried again; all else is final. Of an error
nothing is said that holds the address, which may be a secret; therefore the HTTP library's own lines are kept out
of the log while one is told.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from groundswell import printable
from groundswell.channels import Channel, Service
from groundswell.errors import PermanentError, TemporaryError, cause
from groundswell.notify import slack, teams, webhook
from groundswell.notify.notice import Notice
from groundswell.registry import retry_after
from groundswell.registry.address import PublicOnly

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0
LONGEST_PAUSE = 6 * 3600.0
"""Seconds that a Retry-After may ask for; more is less."""
_SAID = 200
_ANSWER = 2000


_telling = ContextVar("telling", default=False)


def _is_others(_: logging.LogRecord) -> bool:
    return not _telling.get()


@contextmanager
def _unheard() -> Iterator[None]:
    token = _telling.set(True)
    try:
        yield
    finally:
        _telling.reset(token)


logging.getLogger("urllib3.connectionpool").addFilter(_is_others)


class Sender:
    """Safe to share between threads. `source` is who sends, in CloudEvents."""

    def __init__(self, *, source: str, read_seconds: float = READ_SECONDS) -> None:
        self._source = source
        self._timeout = (CONNECT_SECONDS, read_seconds)
        self._public, self._private = PublicOnly(), HTTPAdapter()
        self._environment = requests.Session()  # asked for proxies and trust only: it keeps no cookies of anybody

    def close(self) -> None:
        """Close the connections."""
        self._public.close()
        self._private.close()

    def send(self, channel: Channel, notice: Notice, *, at: float) -> None:
        """Raises TemporaryError (`delay` 0: it asked for no pause) and PermanentError."""
        content, headers = self._message(channel, notice, at)
        headers = {"User-Agent": "groundswell", **headers}
        around = self._environment.merge_environment_settings(channel.url, {}, True, None, None)
        adapter = self._private if channel.private else self._public
        try:
            request = requests.Request("POST", channel.url, headers=headers, data=content).prepare()
            options = {**around, "stream": True}
            with _unheard(), adapter.send(request, timeout=self._timeout, **options) as answer:
                said = answer.raw.read(_ANSWER, decode_content=True) if answer.status_code >= 300 else b""
                status, told = answer.status_code, answer.headers
        except PermanentError as exc:  # the address is not public
            host = urlsplit(channel.url).hostname
            raise PermanentError(
                f'{host} is at no public address: not asked (an address of your own network needs "private": true)'
            ) from exc
        except requests.exceptions.InvalidURL as exc:
            raise PermanentError("its url is no address that can be asked") from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise TemporaryError(f"no answer: {_hidden(cause(exc), channel.url)}", delay=0.0) from exc
        _judge(status, told, _hidden(said.decode("utf-8", "replace"), channel.url))

    def _message(self, channel: Channel, notice: Notice, at: float) -> tuple[bytes, dict[str, str]]:
        match channel.service:
            case Service.WEBHOOK:
                content = webhook.body(notice, source=self._source)
                return content, webhook.headers(notice.id, content, channel.keys, at=at)
            case Service.TEAMS:
                return teams.body(notice), {"Content-Type": "application/json; charset=utf-8"}
            case Service.SLACK:
                return slack.body(notice), {"Content-Type": "application/json; charset=utf-8"}


def _judge(status: int, headers: Mapping[str, str], said: str) -> None:
    if 200 <= status < 300:
        return
    why = f"it answered {status}" + (f": {said}" if said else "")
    if status in (408, 429) or status >= 500:
        asked = headers.get("Retry-After", "")
        raise TemporaryError(why, delay=retry_after.seconds(asked, default=0.0, longest=LONGEST_PAUSE))
    if 300 <= status < 400:
        why = f"it answered {status}, and redirects are not followed: change its url"
    raise PermanentError(why)


def _hidden(text: str, url: str) -> str:
    """What was said, in one line, without the parts of the address that may be secret."""
    parts = urlsplit(url)
    for secret in (url, parts.query, parts.path):
        if len(secret) > 1:
            text = text.replace(secret, "…")
    return printable.line(text).strip()[:_SAID]
