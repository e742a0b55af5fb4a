"""Requests to an API server as they are, without a client's own ideas."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from tests.support.cluster import eventually, workload
from tests.support.places import Place

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_OF_ITS_OWN = frozenset({"uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Any

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def fields(self) -> list[str]:
        """The fields that were refused."""
        return [cause["field"] for cause in self.body.get("details", {}).get("causes", ())]


def ask(admin: Any, method: str, path: str, body: Any = None, *, media_type: str = "application/json") -> Answer:
    """As the user of `admin`. A body that is text is sent as it is."""
    headers = {"Content-Type": media_type, "Accept": "application/json"}
    if key := admin.configuration.get_api_key_with_prefix("authorization"):
        headers["authorization"] = key
    answer = admin.call_api(method, admin.configuration.host + path, header_params=headers, body=body)
    text = answer.read()
    try:
        return Answer(status=answer.status, body=json.loads(text))
    except ValueError:
        return Answer(status=answer.status, body={"text": text.decode()})


def plain(value: Any) -> Any:
    """JSON without what every server makes for itself."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key not in _OF_ITS_OWN}
    return [plain(one) for one in value] if isinstance(value, list) else value


def path(kind: str, at: Place, name: str = "") -> str:
    groups = {"cronjobs": "/apis/batch/v1", "pods": "/api/v1"}
    return f"{groups.get(kind, '/apis/apps/v1')}/namespaces/{at.namespace}/{kind}" + (f"/{name}" if name else "")


def still(at: Place, name: str = "", **spec: Any) -> dict[str, Any]:
    """A deployment to which no controller writes for long: it is paused, and wants no pods."""
    return workload("Deployment", name or unique(), namespace=at.namespace, paused=True, replicas=0, **spec)


def unique() -> str:
    return f"w-{uuid.uuid4().hex[:8]}"


def made(at: Place, body: dict[str, Any]) -> str:
    """Its path, once the controller has seen it."""
    plural = {"CronJob": "cronjobs"}.get(body["kind"], f"{body['kind'].lower()}s")
    answer = ask(at.admin, "POST", path(plural, at), body)
    assert answer.status == 201, answer
    where = path(plural, at, body["metadata"]["name"])
    if body["kind"] != "CronJob":
        eventually(
            lambda: ask(at.admin, "GET", where).body["status"].get("observedGeneration"), seconds=at.patience
        )
    return where
