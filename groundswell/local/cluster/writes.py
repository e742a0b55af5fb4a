"""Create, replace, patch and delete: from a request's body to the stored object, checked as the API server does."""

import copy
import json
import secrets

from groundswell.local.cluster.causes import bad, unsupported
from groundswell.local.cluster.defaults import defaulted, misshapen
from groundswell.local.cluster.errors import ApiError, invalid
from groundswell.local.cluster.json_patch import json_patch
from groundswell.local.cluster.kinds import DEPLOYMENTS, KINDS, NAMESPACES, Kind, Target
from groundswell.local.cluster.objects import Json, short_hash
from groundswell.local.cluster.patches import merge, strategic_merge
from groundswell.local.cluster.store import Store
from groundswell.local.cluster.validation import validate

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_PROPAGATION = ("Foreground", "Background", "Orphan")


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
            raise ApiError(500, "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{short_hash(secrets.token_hex(8), 5)}"
        item.pop("status", None)
        validate(kind, defaulted(kind, item))
        return self._store.create(kind, item, dry_run=dry_run)

    def replace(self, target: Target, body: object, *, dry_run: bool = False) -> Json:
        item = _object(target.kind, body)
        metadata = item["metadata"]
        _check_name(target, metadata)
        with self._store.lock:
            former = self._former(target)
            if metadata.get("uid") not in (None, "", former["metadata"]["uid"]):
                wanted, found = metadata["uid"], former["metadata"]["uid"]
                why = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}"
                raise _conflict(target, target.kind.plural, why)
            return self._update(target, former, item, dry_run=dry_run)

    def patch(self, target: Target, media_type: str, body: object, *, dry_run: bool = False) -> Json:
        with self._store.lock:
            former = self._former(target)
            item = _patched(former, media_type, body)
            why = misshapen(item)
            for field in ("apiVersion", "kind"):
                if media_type == STRATEGIC_PATCH:  # which does not look at these
                    item[field] = former[field]
                elif item.get(field) != former[field]:
                    why = f"{field} cannot be changed"
            if why:
                raise invalid("", "", "", [bad("patch", json.dumps(body), why)])
            metadata = item["metadata"] = item.get("metadata") or {}
            _check_name(target, metadata)
            if metadata.setdefault("uid", former["metadata"]["uid"]) != former["metadata"]["uid"]:
                causes = [bad("metadata.uid", metadata["uid"], "field is immutable")]
                raise invalid(target.kind.group, target.kind.name, target.name, causes)
            return self._update(target, former, item, dry_run=dry_run)

    def delete(self, target: Target, body: object, *, dry_run: bool = False) -> Json:
        """Delete an object; a namespace with all that is in it. What it owns goes a moment later."""
        options = body if isinstance(body, dict) else {}
        if (policy := options.get("propagationPolicy")) not in (None, *_PROPAGATION):
            why = unsupported("propagationPolicy", policy, (*_PROPAGATION, "nil"))
            raise invalid("meta.k8s.io", "DeleteOptions", "", [why])
        with self._store.lock:
            item = self._former(target)
            wanted = options.get("preconditions") or {}
            for field, name in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
                asked, found = wanted.get(field), item["metadata"][field]
                if asked and asked != found:
                    told = f"the {name} in the precondition ({asked}) does not match the {name} in record ({found})"
                    raise _conflict(target, target.kind.name, f"{told}. The object might have been modified")
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
        here = target.namespace
        if here and (given := metadata.setdefault("namespace", here)) != here:
            raise ApiError(
                400, f"the namespace of the object ({given}) does not match the namespace on the request ({here})"
            )
        if not (version := metadata.get("resourceVersion") or "0").isdecimal():
            raise ApiError(500, f'strconv.ParseUint: parsing "{version}": invalid syntax')
        if target.subresource == "status":
            item = {**copy.deepcopy(former), "metadata": metadata, "status": item.get("status") or {}}
            if kind == DEPLOYMENTS:  # the one kind whose labels cannot be changed together with its status
                metadata["labels"] = former["metadata"].get("labels")
            validate(kind, defaulted(kind, item, former), former)
            write = self._store.update_status
        else:
            item.pop("status", None)
            if "status" in former:
                item["status"] = former["status"]
            validate(kind, defaulted(kind, item, former), former)
            write = self._store.update
        return write(kind, item, dry_run=dry_run)


def _check_name(target: Target, metadata: Json) -> None:
    """ApiError 400 unless the object has the name of the URL."""
    name, asked = metadata.get("name"), target.name
    if not name:
        raise ApiError(
            400, f"the name of the object ({asked} based on URL) was undeterminable: name must be provided"
        )
    if name != asked:
        raise ApiError(400, f"the name of the object ({name}) does not match the name on the URL ({asked})")


def _conflict(target: Target, kind: str, why: str) -> ApiError:
    group = target.kind.group
    return ApiError(
        409,
        f'Operation cannot be fulfilled on {kind}{"." + group if group else ""} "{target.name}": {why}',
        details={"name": target.name, "group": group, "kind": kind},
    )


def _object(kind: Kind, body: object) -> Json:
    """A body as an object of the kind; ApiError 400 when it is something else."""
    if not isinstance(body, dict):
        raise ApiError(400, f"the object provided is unrecognized (must be of type {kind.name}): it is no object")
    item = copy.deepcopy(body)
    api_version, name = item.get("apiVersion") or kind.api_version, item.get("kind") or kind.name
    why = misshapen({**item, "kind": kind.name})
    if (api_version, name) != (kind.api_version, kind.name):
        why = f'no kind "{name}" is registered for version "{api_version}" at this path'
    if why:
        version = str(api_version).rpartition("/")[2]
        raise ApiError(400, f'{name} in version "{version}" cannot be handled as a {kind.name}: {why}')
    item["metadata"] = item.get("metadata") or {}
    return item


def _patched(former: Json, media_type: str, body: object) -> Json:
    if media_type == JSON_PATCH:
        return json_patch(former, body)
    if media_type not in (MERGE_PATCH, STRATEGIC_PATCH):
        raise ApiError(
            415,
            "the body of the request was in an unknown format - accepted media types include: "
            f"{JSON_PATCH}, {MERGE_PATCH}, {STRATEGIC_PATCH}",
        )
    if media_type == MERGE_PATCH and isinstance(body, list):
        raise invalid("", "", "", [bad("patch", json.dumps(body), "it is no object")])
    if not isinstance(body, dict):
        if media_type == MERGE_PATCH:
            raise ApiError(500, "Invalid JSON Patch")
        raise ApiError(400, f"json: cannot unmarshal {type(body).__name__} into Go value of type map")
    patched: Json = merge(former, body) if media_type == MERGE_PATCH else strategic_merge(former, body)
    return patched
