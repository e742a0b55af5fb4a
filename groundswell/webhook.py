"""Reads the body of an ACR webhook (one JSON object; container-registry-webhook-reference in Microsoft's docs).

Tagless pushes (children of a multi-arch push), a missing `request`, seven or nine fraction digits are all legal.
"""

import datetime as dt
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.cascade.push import Push
from groundswell.errors import InputError

MAX_BODY = 64 * 1024
"""Bytes; a real event has less than one KiB."""

_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?")


class FieldError(InputError):
    """A field of the event is wrong; `field` names it by its path."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An event that asks nothing of us. `action` is what it announced."""

    action: str


def authentic(given: str | None, secret: str) -> bool:
    """Whether the secret header holds the secret; compared in constant time. No secret set means nobody is."""
    return bool(secret) and hmac.compare_digest((given or "").encode("utf-8", "surrogateescape"), secret.encode())


def parse(body: bytes, *, registry: str | None = None) -> Push | Ignored:
    """The push in a webhook body, or what it was instead. `registry` serves when the event names no host.

    Raises FieldError with the field at fault.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise FieldError("body", "not JSON") from exc
    if not isinstance(event, dict):
        raise FieldError("body", "must be a JSON object")
    action = _text(event, "action", "action")
    if action != "push":
        return Ignored(action=action[:64])
    target = event.get("target")
    if not isinstance(target, dict):
        raise FieldError("target", "missing, or not an object")
    _check_timestamp(event.get("timestamp"))
    request = event.get("request")
    if request is not None and not isinstance(request, dict):
        raise FieldError("request", "must be an object")
    host = (request or {}).get("host")
    if host in (None, ""):
        host = registry
    if host is None:
        raise FieldError(
            "request.host", "missing, and several registries are configured; add ?registry=LOGIN_SERVER"
        )
    return Push(
        id=_text(event, "id", "id", limit=128),
        registry=_match(host, "request.host", _HOST, "a login server"),
        repository=_match(target.get("repository"), "target.repository", _REPOSITORY, "a repository name"),
        tag=_match(target["tag"], "target.tag", _TAG, "a tag") if target.get("tag") else "",
        digest=_match(target["digest"], "target.digest", _DIGEST, "a digest") if target.get("digest") else "",
        source="webhook",
    )


def _text(document: Mapping[str, Any], key: str, field: str, *, limit: int = 64) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value or len(value) > limit or not value.isprintable():
        raise FieldError(field, f"must be a text of 1 to {limit} printable characters")
    return value


def _match(value: object, field: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or len(value) > 255 or not pattern.fullmatch(value):
        raise FieldError(field, f"must be {what}")
    return value


def _check_timestamp(value: object) -> None:
    if value is None:
        return
    try:
        dt.datetime.fromisoformat(value)  # type: ignore[arg-type]  # what is no text is a TypeError
    except (TypeError, ValueError) as exc:
        raise FieldError("timestamp", "must be an ISO 8601 time") from exc
