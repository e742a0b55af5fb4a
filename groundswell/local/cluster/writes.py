"""Create, replace, patch and delete: from a request's body to the stored object, checked as the API server does."""

import copy
import secrets
from typing import Any

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.json_patch import json_patch
from groundswell.local.cluster.kinds import KINDS, NAMESPACES, Kind, Target
from groundswell.local.cluster.objects import Json, short_hash
from groundswell.local.cluster.patches import merge, strategic_merge
from groundswell.local.cluster.store import Store
from groundswell.local.cluster.validation import defaulted, validate

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Writes:
    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, target: Target, body: object, *, dry_run: bool = False) -> Json:
        kind, item = target.kind, _object(target.kind, body)
        metadata = item["metadata"]
        if kind.namespaced:
            given = metadata.setdefault("namespace", target.namespace)
            if given != target.namespace:
                raise ApiError(
                    400, "the namespace of the provided object does not match the namespace sent on the request"
                )
        if metadata.get("resourceVersion"):
            raise ApiError(400, "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{short_hash(secrets.token_hex(8), 5)}"
        item.pop("status", None)
        validate(kind, defaulted(kind, item))
        return self._store.create(kind, item, dry_run=dry_run)

    def replace(self, target: Target, body: object, *, dry_run: bool = False) -> Json:
        item = _object(target.kind, body)
        with self._store.lock:
            return self._update(target, self._former(target), item, dry_run=dry_run)

    def patch(self, target: Target, media_type: str, body: object, *, dry_run: bool = False) -> Json:
        with self._store.lock:
            former = self._former(target)
            item = _object(target.kind, _patched(former, media_type, body))
            return self._update(target, former, item, dry_run=dry_run)

    def delete(self, target: Target, body: object, *, dry_run: bool = False) -> Json:
        """Delete an object; a namespace with all that is in it. What it owns goes a moment later."""
        options = body if isinstance(body, dict) else {}
        with self._store.lock:
            item = self._former(target)
            wanted = options.get("preconditions") or {}
            for field in ("uid", "resourceVersion"):
                if wanted.get(field) and wanted[field] != item["metadata"][field]:
                    raise ApiError(
                        409,
                        f"Precondition failed: {field} in precondition: {wanted[field]}, "
                        f"{field} in object meta: {item['metadata'][field]}",
                    )
            if dry_run:
                return item
            if target.kind == NAMESPACES:
                for kind in (kind for kind in KINDS if kind.namespaced):
                    for one in self._store.items(kind, target.name):
                        self._store.delete(kind, target.name, one["metadata"]["name"])
            return self._store.delete(target.kind, target.namespace, target.name)

    def _former(self, target: Target) -> Json:
        return self._store.get(target.kind, target.namespace, target.name)

    def _update(self, target: Target, former: Json, item: Json, *, dry_run: bool) -> Json:
        kind, metadata = target.kind, item["metadata"]
        for field, expected in (("name", target.name), ("namespace", target.namespace)):
            if expected and metadata.setdefault(field, expected) != expected:
                raise ApiError(
                    400,
                    f"the {field} of the object ({metadata[field]}) is not that of the URL ({expected})",
                )
        if metadata.get("uid") not in (None, "", former["metadata"]["uid"]):
            raise ApiError(409, f"Precondition failed: UID in precondition: {metadata['uid']}")
        if target.subresource == "status":
            status = item.get("status")
            item = copy.deepcopy(former)
            item["metadata"]["resourceVersion"] = metadata.get("resourceVersion")
            if status is not None:
                item["status"] = status
            write = self._store.update_status
        else:
            item.pop("status", None)
            if "status" in former:
                item["status"] = former["status"]
            validate(kind, defaulted(kind, item), former)
            write = self._store.update
        return write(kind, item, dry_run=dry_run)


def _object(kind: Kind, body: object) -> Json:
    """A body as an object of the kind; ApiError 400 when it is something else."""
    if not isinstance(body, dict):
        raise ApiError(400, f"the object provided is unrecognized: it must be a {kind.name}")
    item = copy.deepcopy(body)
    named = (item.get("apiVersion") or kind.api_version, item.get("kind") or kind.name)
    if named != (kind.api_version, kind.name):
        raise ApiError(
            400,
            f"the API version in the data ({named[0]}, {named[1]}) does not match the expected API version "
            f"({kind.api_version}, {kind.name})",
        )
    if not isinstance(item.setdefault("metadata", {}), dict):
        raise ApiError(400, f"{kind.name} cannot be handled: metadata must be an object")
    return item


def _patched(former: Json, media_type: str, body: object) -> Any:
    if media_type == JSON_PATCH:
        return json_patch(former, body)
    if media_type not in (MERGE_PATCH, STRATEGIC_PATCH):
        raise ApiError(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC_PATCH}",
        )
    if not isinstance(body, dict):
        raise ApiError(400, "error decoding patch: it must be an object")
    return merge(former, body) if media_type == MERGE_PATCH else strategic_merge(former, body)
