"""Takes the notifications of docker-registry, writes them into the journal, and makes ACR's webhooks of them.

Layers and configs are left out: ACR announces manifests only. A multi-arch push announces every child without
a tag, and the index with it, as ACR does.
"""

import datetime as dt
import hmac
import logging
from typing import Any

from aiohttp import web

from groundswell.local.acr.journal import Entry, Journal
from groundswell.local.acr.layout import Layout, media_type
from groundswell.local.acr.webhooks import Webhooks, timestamp

_logger = logging.getLogger(__name__)

PATH = "/notifications"
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class Notifications:
    """The listener: `app()` makes the application that docker-registry is told to notify."""

    def __init__(self, *, token: str, layout: Layout, journal: Journal, webhooks: Webhooks) -> None:
        self._token = token
        self._layout = layout
        self._journal = journal
        self._webhooks = webhooks

    def app(self) -> web.Application:
        app = web.Application(client_max_size=16 * 2**20)
        app.cleanup_ctx.append(self._webhooks.run)
        app.router.add_post(PATH, self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), self._token):
            raise web.HTTPUnauthorized
        for event in (await request.json())["events"]:
            self._one(event)
        return web.Response()

    def _one(self, event: dict[str, Any]) -> None:
        target, asked = event["target"], event.get("request", {})
        digest = target.get("digest", "")  # missing where a tag was deleted, which ACR does not announce
        kind = target.get("mediaType") or self._deleted(event["action"], digest)
        if kind not in _MANIFESTS:
            return
        entry = Entry(
            id=event["id"],
            at=dt.datetime.fromisoformat(event["timestamp"]),
            action=event["action"],
            repository=target["repository"],
            tag=target.get("tag", ""),
            digest=digest,
            media_type=kind,
            user_agent=asked.get("useragent", ""),
        )
        self._journal.append(entry)
        _logger.debug("registry reported", extra={"action": entry.action, "digest": entry.digest})
        if entry.action in ("push", "delete"):
            self._webhooks.send(_webhook(entry, target, asked))

    def _deleted(self, action: str, digest: str) -> str:
        """A delete does not say of what; the content is still there, and layers are no JSON."""
        document = self._layout.document(digest) if action == "delete" else None
        return media_type(document) if document and document.get("schemaVersion") == 2 else ""


def _webhook(entry: Entry, target: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "repository": entry.repository,
    }
    if entry.action == "push":
        size = target.get("size", 0)
        about |= {"size": size, "length": size, "tag": entry.tag}
    return {
        "id": entry.id,
        "timestamp": timestamp(entry.at),
        "action": entry.action,
        "target": about,
        "request": {key: asked.get(key, "") for key in ("id", "host", "method", "useragent")},
    }
