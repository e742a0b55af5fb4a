"""Sends ACR's webhooks: one JSON object each, tried once, within five seconds, never again.

Shapes are those of Microsoft's "Azure Container Registry webhook reference"; a delete names no tag and no size, and
deleting a tag alone sends nothing. Deliveries run side by side, so a slow receiver delays nobody else.
"""

import asyncio
import datetime as dt
import logging
import ssl
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

_logger = logging.getLogger(__name__)

TIMEOUT = 5.0
_USER_AGENT = "AzureContainerRegistry/1.0"
_KEPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where webhooks go. `scope` is ACR's: empty for all, `repo:tag`, `repo:*`, or `repo` for its `latest`."""

    url: str
    header: str
    secret: str = field(repr=False)
    scope: str = ""

    def covers(self, repository: str, tag: str) -> bool:
        if not self.scope:
            return True
        wanted, _, wanted_tag = self.scope.partition(":")
        return repository == wanted and (wanted_tag == "*" or tag == (wanted_tag or "latest"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One attempt. `status` is what the receiver answered; None, with `error`, when it did not.

    `header` is the name of the one that held the secret, `event` what was sent.
    """

    id: str
    action: str
    status: int | None
    error: str = ""
    seconds: float
    url: str
    header: str
    event: Mapping[str, Any] = field(repr=False)


class Webhooks:
    """Runs on the event loop of the application that it was attached to; `target` may change at any time."""

    def __init__(self, ca: Path) -> None:
        self.target: Target | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=_KEPT)
        self._tls = ssl.create_default_context(cafile=ca)
        self._tasks: set[asyncio.Task[Delivery]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """A cleanup context: deliveries are possible while the application runs."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT, ceil_threshold=60)  # else 5 s may become 6
        connector = aiohttp.TCPConnector(ssl=self._tls, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            self._session = session
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._session = None

    def send(self, event: dict[str, Any]) -> None:
        """Deliver in the background what the target's scope covers."""
        target, about = self.target, event.get("target", {})
        if target is not None and target.covers(about.get("repository", ""), about.get("tag", "")):
            task = asyncio.ensure_future(self._deliver(target, event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def ping(self) -> Delivery:
        """What the webhook's ping button does."""
        if self.target is None:
            raise RuntimeError("no webhook is configured: set its URL first")
        return await self._deliver(self.target, {"id": str(uuid.uuid4()), "timestamp": now(), "action": "ping"})

    async def _deliver(self, target: Target, event: dict[str, Any]) -> Delivery:
        if self._session is None:
            raise RuntimeError("webhooks are sent while the registry runs")
        started, status, error = time.monotonic(), None, ""
        try:
            async with self._session.post(
                target.url,
                json=event,
                headers={target.header: target.secret, "User-Agent": _USER_AGENT},
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as exc:
            error = type(exc).__name__
        delivery = Delivery(
            id=event["id"],
            action=event["action"],
            status=status,
            error=error,
            seconds=time.monotonic() - started,
            url=target.url,
            header=target.header,
            event=event,
        )
        self.deliveries.append(delivery)
        _logger.info("webhook sent", extra={"event": delivery.id, "status": status, "error": error})
        return delivery


def timestamp(at: dt.datetime) -> str:
    """As ACR writes it: seven fraction digits."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def now() -> str:
    return timestamp(dt.datetime.now(dt.UTC))
