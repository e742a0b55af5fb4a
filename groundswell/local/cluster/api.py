"""The HTTP surface: paths and query parameters in, objects, lists, streams and Status errors out."""

import json
from typing import Any

import yaml
from aiohttp import web

from groundswell.local.cluster import reviews
from groundswell.local.cluster.access import Access
from groundswell.local.cluster.errors import ApiError, NotServedError, invalid
from groundswell.local.cluster.kinds import KINDS, Target, parse_path
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.paging import Page, Pager
from groundswell.local.cluster.selectors import Matches, field_selector, label_selector
from groundswell.local.cluster.store import Store
from groundswell.local.cluster.watches import Watched, Watches
from groundswell.local.cluster.writes import Writes

_VERSION = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.0-groundswell.local",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_WATCH_SECONDS = 1800.0
_MAX_BODY = 3 << 20
_JSON = "application/json"
_SAID_ONCE = ("apiVersion", "kind")  # by the list, for all its items


class Api:
    """Made on the loop's thread."""

    def __init__(self, store: Store, pager: Pager, access: Access, *, bookmark_seconds: float) -> None:
        self._store = store
        self._pager = pager
        self._access = access
        self._writes = Writes(store)
        self._watches = Watches(store, bookmark_seconds)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)

        async def close(_: web.Application) -> None:
            self._watches.close()

        app.on_shutdown.append(close)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except NotServedError as exc:
            return web.Response(text=f"{exc}\n", status=exc.status)
        except ApiError as exc:
            return web.json_response(exc.document(), status=exc.status)
        except web.HTTPRequestEntityTooLarge as exc:
            refused = ApiError(
                413, f"Request entity too large: limit is {exc.max_size if hasattr(exc, 'max_size') else _MAX_BODY}"
            )
            return web.json_response(refused.document(), status=413)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        user = self._access.user(request)
        if known := _discovery(request.path):
            return web.json_response(known)
        if request.path == reviews.PATH and request.method == "POST":
            return web.json_response(reviews.review(self._access, user, await _json(request)), status=201)
        target = parse_path(request.path)
        verb = _verb(request, target)
        self._access.check(user, verb, target)
        dry_run = _dry_run(request, verb)
        match verb:
            case "watch":
                return await self._watch(request, target)
            case "list":
                return web.json_response(self._list(request, target))
            case "get":
                return web.json_response(self._store.get(target.kind, target.namespace, target.name))
            case "create":
                made = self._writes.create(target, await _object(request, target), dry_run=dry_run)
                return web.json_response(made, status=201)
            case "update":
                body = await _object(request, target)
                return web.json_response(self._writes.replace(target, body, dry_run=dry_run))
            case "patch":
                media_type, body = request.content_type, await _json(request)
                return web.json_response(self._writes.patch(target, media_type, body, dry_run=dry_run))
            case _:
                body = await _json(request) if request.can_read_body else {}
                return web.json_response(self._deleted(target, self._writes.delete(target, body, dry_run=dry_run)))

    def _deleted(self, target: Target, item: Json) -> Json:
        """The real server answers with the object for pods, and with a Status for the rest."""
        if target.kind.name == "Pod":
            return item
        details = {"name": target.name, "group": target.kind.group, "kind": target.kind.plural}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {**details, "uid": item["metadata"]["uid"]},
        }

    def _list(self, request: web.Request, target: Target) -> Json:
        limit = max(int(_number(request, "limit") or 0), 0)
        if token := request.query.get("continue"):
            if request.query.get("resourceVersion"):
                raise ApiError(400, "specifying resource version is not allowed when using continue")
            return _listed(target, self._pager.next(token, limit))
        matches = _selection(request, target)
        with self._store.lock:
            version = str(self._store.version)
            items = [item for item in self._store.items(target.kind, target.namespace) if matches(item)]
        return _listed(target, self._pager.first(items, version, limit))

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        selected = _selection(request, target)
        version = _number(request, "resourceVersion")
        watched = Watched(
            kind=target.kind,
            matches=lambda item: target.namespace in ("", item["metadata"].get("namespace")) and selected(item),
            since=int(version) or None if version is not None else None,
            seconds=_number(request, "timeoutSeconds") or _WATCH_SECONDS,
            bookmarks=request.query.get("allowWatchBookmarks") in ("true", "True", "1"),
        )
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async for line in self._watches.stream(watched):
                await response.write(line)
        except ConnectionResetError:  # the watcher went away
            return response
        await response.write_eof()
        return response


def _verb(request: web.Request, target: Target) -> str:
    verb = _VERBS.get(request.method, "")
    if not target.name and verb == "get":
        return "watch" if request.query.get("watch") in ("true", "True", "1") else "list"
    writable = verb == "create" if not target.name else verb not in ("create", "")
    if writable and verb == "create" and target.kind.namespaced and not target.namespace:
        writable = False
    if not writable or (target.subresource and verb == "delete"):
        raise ApiError(405, "the server does not allow this method on the requested resource")
    return verb


def _selection(request: web.Request, target: Target) -> Matches:
    labels = label_selector(request.query.get("labelSelector", ""))
    fields = field_selector(request.query.get("fieldSelector", ""), target.kind)
    return lambda item: labels(item) and fields(item)


def _number(request: web.Request, name: str) -> float | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        return float(int(text))
    except ValueError as exc:
        raise ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax') from exc


def _dry_run(request: web.Request, verb: str) -> bool:
    value = request.query.get("dryRun", "")
    if value not in ("", "All"):
        why = f'Unsupported value: []string{{"{value}"}}: supported values: "All"'
        raise invalid("meta.k8s.io", f"{verb.capitalize()}Options", "", [("FieldValueNotSupported", "dryRun", why)])
    return value == "All"


async def _object(request: web.Request, target: Target) -> Any:
    named = request.headers.get("Content-Type", _JSON)  # what the API server takes it for, unnamed
    text = await request.read()
    try:
        match named.partition(";")[0].strip():
            case "application/json":
                return json.loads(text)
            case "application/yaml":
                return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as exc:
        raise ApiError(
            400,
            f"the object provided is unrecognized (must be of type {target.kind.name}): couldn't get version/kind; "
            f"json parse error: {exc}",
        ) from exc
    accepted = f"accepted media types include: {_JSON}, application/yaml"
    raise ApiError(415, f"the body of the request was in an unknown format - {accepted}")


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as exc:
        raise ApiError(400, f"the body cannot be read as JSON: {exc}") from exc


def _listed(target: Target, page: Page) -> Json:
    metadata: Json = {"resourceVersion": page.version}
    if page.token:
        metadata |= {"continue": page.token, "remainingItemCount": page.remaining}
    return {
        "apiVersion": target.kind.api_version,
        "kind": f"{target.kind.name}List",
        "metadata": metadata,
        "items": [{key: value for key, value in item.items() if key not in _SAID_ONCE} for item in page.items],
    }


def _discovery(path: str) -> Json | None:
    """What clients ask to learn about the server; None for other paths."""
    groups = sorted({kind.group for kind in KINDS if kind.group})
    match path.strip("/").split("/"):
        case ["version"]:
            return _VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            listed = [
                {"name": group, "versions": [version], "preferredVersion": version}
                for group in groups
                for version in [{"groupVersion": f"{group}/v1", "version": "v1"}]
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
        case ["apis", group] if group in groups:
            version = {"groupVersion": f"{group}/v1", "version": "v1"}
            told = {"name": group, "versions": [version], "preferredVersion": version}
            return {"kind": "APIGroup", "apiVersion": "v1", **told}
        case ["api", "v1"]:
            return _resources("v1")
        case ["apis", group, "v1"] if group in groups:
            return _resources(f"{group}/v1")
    return None


def _resources(group_version: str) -> Json:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    listed = [
        {"name": kind.plural, "singularName": "", "namespaced": kind.namespaced, "kind": kind.name, "verbs": verbs}
        for kind in KINDS
        if kind.api_version == group_version
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}
