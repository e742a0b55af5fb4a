"""ACR's metadata API `/acr/v1/*`, as azure-containerregistry 1.2.0 uses it: paged lists, attributes, deletes."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from groundswell.local.acr.answers import decoded_path, refused
from groundswell.local.acr.layout import Layout, Manifest, Tag
from groundswell.local.acr.locks import REFUSAL, Locks
from groundswell.local.acr.upstream import Upstream
from groundswell.local.acr.webhooks import timestamp

_PATH = re.compile(r"/acr/v1/(?P<name>.+?)(?:/(?P<kind>_tags|_manifests)(?:/(?P<reference>[^/]+))?)?")
_PAGE = 100
_LARGEST_PAGE = 1000

type _Json = dict[str, Any]


class Metadata:
    def __init__(
        self, *, layout: Layout, locks: Locks, upstream: Upstream, login_server: Callable[[], str]
    ) -> None:
        self._layout = layout
        self._locks = locks
        self._upstream = upstream
        self._login_server = login_server

    async def handle(self, request: web.Request) -> web.Response:
        path = decoded_path(request)
        if path == "/acr/v1/_catalog":
            names = self._layout.repositories()
            return _page(request, path, "repositories", names, key=str, show=str)
        found = _PATH.fullmatch(path)
        if found is None or not self._layout.has(found["name"]):
            return refused(404, "NAME_UNKNOWN", "repository name not known to registry")
        name, kind, reference = found["name"], found["kind"], found["reference"]
        if kind is None:
            return await self._repository(request, name)
        if kind == "_tags":
            return await self._tag(request, name, reference) if reference else self._tags(request, path, name)
        return await self._manifest(request, name, reference) if reference else self._manifests(request, path, name)

    # Lists.

    def _tags(self, request: web.Request, path: str, name: str) -> web.Response:
        digest = request.query.get("digest")
        tags = [tag for tag in self._layout.tags(name) if digest in (None, tag.digest)]
        tags = _ordered(request, tags, lambda tag: tag.updated)
        return _page(
            request,
            path,
            "tags",
            tags,
            key=lambda tag: tag.name,
            show=lambda tag: self._show_tag(name, tag),
            **self._where(name),
        )

    def _manifests(self, request: web.Request, path: str, name: str) -> web.Response:
        tags = self._layout.tags(name)
        manifests = _ordered(request, self._layout.manifests(name), lambda manifest: manifest.updated)
        return _page(
            request,
            path,
            "manifests",
            manifests,
            key=lambda manifest: manifest.digest,
            show=lambda manifest: self._show_manifest(name, manifest, tags),
            **self._where(name),
        )

    # One thing.

    async def _repository(self, request: web.Request, name: str) -> web.Response:
        if request.method == "DELETE":
            return await self._delete_repository(name)
        if request.method == "PATCH":
            self._locks.change(name, "", await request.json())
        tags, manifests = self._layout.tags(name), self._layout.manifests(name)
        times = [manifest.updated for manifest in manifests] + [tag.created for tag in tags]
        return web.json_response(
            {
                **self._where(name),
                "createdTime": _time(min(times)),
                "lastUpdateTime": _time(max([*times, *(tag.updated for tag in tags)])),
                "manifestCount": len(manifests),
                "tagCount": len(tags),
                "changeableAttributes": self._locks.attributes(name),
            }
        )

    async def _delete_repository(self, name: str) -> web.Response:
        tags = [tag.name for tag in self._layout.tags(name)]
        digests = [manifest.digest for manifest in self._layout.manifests(name)]
        if self._locks.forbid("deleteEnabled", name, [*tags, *digests]):
            return refused(405, "UNSUPPORTED", REFUSAL)
        for digest in digests:
            await self._upstream.delete(name, digest)
        for reference in ("", *tags, *digests):
            self._locks.forget(name, reference)
        return web.json_response({"manifestsDeleted": digests, "tagsDeleted": tags}, status=202)

    async def _tag(self, request: web.Request, name: str, reference: str) -> web.Response:
        tag = self._layout.tag(name, reference)
        if tag is None:
            return refused(404, "TAG_UNKNOWN", "the specified tag does not exist")
        if request.method == "DELETE":
            if self._locks.forbid("deleteEnabled", name, [reference]):
                return refused(405, "UNSUPPORTED", REFUSAL)
            self._layout.drop_tag(name, reference)
            self._locks.forget(name, reference)
            return web.Response(status=202)
        if request.method == "PATCH":
            self._locks.change(name, reference, await request.json())
        return web.json_response({**self._where(name), "tag": self._show_tag(name, tag)})

    async def _manifest(self, request: web.Request, name: str, digest: str) -> web.Response:
        manifest = self._layout.manifest(name, digest)
        if manifest is None:
            return refused(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if request.method == "DELETE":
            return refused(405, "UNSUPPORTED", "delete it by /v2/")
        if request.method == "PATCH":
            self._locks.change(name, digest, await request.json())
        shown = self._show_manifest(name, manifest, self._layout.tags(name))
        return web.json_response({**self._where(name), "manifest": shown})

    # How things look.

    def _where(self, name: str) -> _Json:
        return {"registry": self._login_server(), "imageName": name}

    def _show_tag(self, name: str, tag: Tag) -> _Json:
        return {
            "name": tag.name,
            "digest": tag.digest,
            "createdTime": _time(tag.created),
            "lastUpdateTime": _time(tag.updated),
            "signed": False,
            "changeableAttributes": self._locks.attributes(name, tag.name),
        }

    def _show_manifest(self, name: str, manifest: Manifest, tags: Sequence[Tag]) -> _Json:
        document = manifest.document
        config = self._layout.document(str(document.get("config", {}).get("digest", ""))) or {}
        platforms = [
            {
                "digest": entry["digest"],
                "architecture": entry.get("platform", {}).get("architecture"),
                "os": entry.get("platform", {}).get("os"),
            }
            for entry in document.get("manifests", [])
        ]
        return {
            "digest": manifest.digest,
            "imageSize": sum(layer["size"] for layer in document.get("layers", [])),
            "createdTime": _time(manifest.updated),
            "lastUpdateTime": _time(manifest.updated),
            "mediaType": manifest.media_type,
            "tags": [tag.name for tag in tags if tag.digest == manifest.digest],
            "changeableAttributes": self._locks.attributes(name, manifest.digest),
            **({"architecture": config["architecture"]} if "architecture" in config else {}),
            **({"os": config["os"]} if "os" in config else {}),
            **({"references": platforms} if platforms else {}),
        }


def _time(seconds: float) -> str:
    return timestamp(dt.datetime.fromtimestamp(seconds, dt.UTC))


def _ordered[T](request: web.Request, items: list[T], updated: Callable[[T], float]) -> list[T]:
    order = request.query.get("orderby", "")
    if order in ("timeasc", "timedesc"):
        return sorted(items, key=updated, reverse=order == "timedesc")
    return items


def _page[T](
    request: web.Request,
    path: str,
    field: str,
    items: Sequence[T],
    *,
    key: Callable[[T], str],
    show: Callable[[T], Any],
    **more: Any,
) -> web.Response:
    """`n` items after `last`, with a Link header to the next page where there is one."""
    text, last = request.query.get("n", str(_PAGE)), request.query.get("last", "")
    if not text.isdecimal() or int(text) == 0:
        return refused(400, "INVALID_PARAMETER", "n must be a whole number greater than 0")
    size = min(int(text), _LARGEST_PAGE)
    keys = [key(item) for item in items]
    if last in keys:
        start = keys.index(last) + 1
    else:  # it was deleted meanwhile; names sort, times do not tell
        start = next((index for index, each in enumerate(keys) if each > last), len(keys)) if last else 0
    page = items[start : start + size]
    headers = {}
    if start + size < len(items):
        query = {"last": key(page[-1]), "n": size, "orderby": request.query.get("orderby", "")}
        if digest := request.query.get("digest"):
            query["digest"] = digest
        headers["Link"] = f'<{path}?{urlencode(query)}>; rel="next"'
    return web.json_response({**more, field: [show(item) for item in page]}, headers=headers)
