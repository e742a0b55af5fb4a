"""Registered tasks and task runs: the two kinds of ARM resources that clients create here."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping

from groundswell.local.tasks.errors import ArmError, bad_request
from groundswell.local.tasks.fields import Fields
from groundswell.local.tasks.model import Json, Run
from groundswell.local.tasks.shelf import Shelf

_NAME = re.compile(r"[A-Za-z0-9_-]{5,50}")
_PROVIDER = "Microsoft.ContainerRegistry/registries"
_SECRETS = ("arguments", "values")


def check_name(kind: str, name: str) -> None:
    """ArmError 400 when ARM would not take the name."""
    if not _NAME.fullmatch(name):
        raise bad_request(
            f"{kind} name '{name}' must have 5 to 50 of the characters a-z, A-Z, 0-9, - and _", "InvalidName"
        )


def merged(old: Json, new: Mapping[str, object]) -> Json:
    """A merge patch: objects are merged, null removes, anything else replaces."""
    result = dict(old)
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = value
    return result


class Resources:
    """Resources of one kind, by their ARM id."""

    def __init__(self, kind: str, shelf: Shelf) -> None:
        self._kind = kind
        self._shelf = shelf

    def get(self, resource: str, name: str) -> Json:
        """The document; ArmError 404 when there is none."""
        found = self.find(resource, name)
        if found is None:
            raise ArmError(
                404, "ResourceNotFound", f"The Resource '{_PROVIDER}/{self._kind}/{name}' was not found."
            )
        return found

    def find(self, resource: str, name: str) -> Json | None:
        return self._shelf.get(_key(resource, name))

    def list(self, resource: str) -> list[Json]:
        prefix = f"{resource}/{self._kind}/".lower()
        return [document for _, document in self._shelf if document["id"].lower().startswith(prefix)]

    def put(self, resource: str, name: str, document: Json) -> Json:
        check_name(self._kind, name)
        full = {
            **document,
            "id": f"{resource}/{self._kind}/{name}",
            "name": name,
            "type": f"{_PROVIDER}/{self._kind}",
        }
        self._shelf.put(_key(resource, name), full)
        return full

    def delete(self, resource: str, name: str) -> bool:
        return self._shelf.delete(_key(resource, name))


def task_document(body: object, old: Json | None) -> Json:
    """A task as it is kept, from the body of its PUT."""
    fields = Fields(body)
    properties = fields.child("properties")
    properties.child("step").text("type")
    properties.child("platform").text("os")
    given = dict(_object(body)["properties"])
    created = old["properties"]["creationDate"] if old else dt.datetime.now(dt.UTC).isoformat()
    given |= {"provisioningState": "Succeeded", "creationDate": created, "status": given.get("status", "Enabled")}
    return {"location": fields.text("location"), "tags": _object(body).get("tags") or {}, "properties": given}


def without_secrets(document: Json) -> Json:
    """The task as it is shown: values marked secret are left out."""
    step = dict(document["properties"].get("step") or {})
    for name in _SECRETS:
        if step.get(name):
            step[name] = [{**one, "value": ""} if one.get("isSecret") else one for one in step[name]]
    return {**document, "properties": {**document["properties"], "step": step}}


def same_request(document: Json, body: Json) -> bool:
    """Whether a task run was already asked for just so; then it is not run again."""
    return bool(document["properties"]["_asked"] == _asked(body))


def task_run_document(body: Json, run: Run) -> Json:
    """A task run as it is kept: what was asked (a hash, for it may hold secrets) and the run that came of it."""
    given = body.get("properties") or {}
    request = given.get("runRequest") or {}
    shown = {name: value for name, value in request.items() if name not in (*_SECRETS, "credentials")}
    properties = {"runRequest": shown, "_asked": _asked(body), "_run": run.id}
    if tag := given.get("forceUpdateTag"):
        properties["forceUpdateTag"] = tag
    return {"location": body.get("location"), "properties": properties}


def task_run_answer(document: Json, run: Run | None) -> Json:
    """The task run as ARM shows it, with its run as it is now."""
    properties = {name: value for name, value in document["properties"].items() if not name.startswith("_")}
    if run:
        properties |= {"runResult": run.document(), "provisioningState": run.provisioning_state}
    return {**document, "properties": properties}


def _asked(body: Json) -> str:
    given = body.get("properties") or {}
    asked = [given.get("runRequest"), given.get("forceUpdateTag")]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _object(body: object) -> Json:
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    return body


def _key(resource: str, name: str) -> str:
    return hashlib.sha256(f"{resource}/{name}".lower().encode()).hexdigest()
