"""Kubernetes objects as plain JSON, and the few helpers that read them."""

import datetime as dt
import hashlib
import json
from typing import Any

type Json = dict[str, Any]

_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, as Kubernetes does, so that no words come out


def stamp(now: float) -> str:
    """A time as the API writes it: UTC, whole seconds."""
    return dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short_hash(value: object, length: int = 10) -> str:
    """A name part that depends on the value only."""
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return "".join(_SAFE[byte % len(_SAFE)] for byte in digest[:length])


def uid_of(item: Json) -> str:
    uid: str = item["metadata"]["uid"]
    return uid


def owner_uid(item: Json) -> str:
    """The uid of the controller that owns the object; empty when none does."""
    for owner in item["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            uid: str = owner.get("uid", "")
            return uid
    return ""


def owner_reference(owner: Json) -> Json:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_template(item: Json) -> Json:
    """The pod template of a workload; that of a cron job is a level deeper."""
    spec = item.get("spec") or {}
    if item.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template: Json = spec.get("template") or {}
    return template


def containers_of(pod_spec: Json) -> list[Json]:
    """Init containers and containers of a pod spec."""
    return [*(pod_spec.get("initContainers") or ()), *(pod_spec.get("containers") or ())]
