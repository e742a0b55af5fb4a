"""What the sources of pushes have in common: the event itself, field by field, and the secret that proves a sender.

ACR's webhook, Event Grid's `data` and Distribution's notifications are one shape (Distribution's "Work with
notifications", which ACR took over). Tagless pushes (children of a multi-arch push), a missing `request`, seven or
nine fraction digits are all legal.
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
class Delivery:
    """What one request brought: pushes, how many events ask nothing of us, and what is wrong with others."""

    pushes: tuple[Push, ...]
    ignored: int = 0
    refused: tuple[FieldError, ...] = ()


def authentic(given: str | None, secret: str) -> bool:
    """Whether what was given is the secret; compared in constant time. No secret set means nobody is."""
    return bool(secret) and hmac.compare_digest((given or "").encode("utf-8", "surrogateescape"), secret.encode())


def decode(body: bytes) -> Any:
    """Raises FieldError when the body is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise FieldError("body", "not JSON") from exc


def push(event: Mapping[str, Any], *, source: str, registry: str | None, place: str = "") -> Push:
    """The push that an event announces. `registry` serves when it names no host; `place` is where it stands.

    Raises FieldError with the field at fault.
    """
    target = event.get("target")
    if not isinstance(target, dict):
        raise FieldError(f"{place}target", "missing, or not an object")
    _check_timestamp(event.get("timestamp"), f"{place}timestamp")
    return Push(
        id=text(event, "id", f"{place}id", limit=128),
        registry=_match(_host(event, registry, place), f"{place}request.host", _HOST, "a login server"),
        repository=_match(target.get("repository"), f"{place}target.repository", _REPOSITORY, "a repository name"),
        tag=_match(target["tag"], f"{place}target.tag", _TAG, "a tag") if target.get("tag") else "",
        digest=_match(target["digest"], f"{place}target.digest", _DIGEST, "a digest")
        if target.get("digest")
        else "",
        source=source,
    )


def text(document: Mapping[str, Any], key: str, field: str, *, limit: int = 64) -> str:
    """A printable text in a document. Raises FieldError."""
    value = document.get(key)
    if not isinstance(value, str) or not value or len(value) > limit or not value.isprintable():
        raise FieldError(field, f"must be a text of 1 to {limit} printable characters")
    return value


def _host(event: Mapping[str, Any], registry: str | None, place: str) -> object:
    request = event.get("request")
    if request is not None and not isinstance(request, dict):
        raise FieldError(f"{place}request", "must be an object")
    host = (request or {}).get("host")
    if host in (None, ""):
        host = registry
    if host is None:
        raise FieldError(
            f"{place}request.host",
            "missing, and it is not known which registry is meant; add ?registry=LOGIN_SERVER",
        )
    return host


def _match(value: object, field: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or len(value) > 255 or not pattern.fullmatch(value):
        raise FieldError(field, f"must be {what}")
    return value


def _check_timestamp(value: object, field: str) -> None:
    if value is None:
        return
    try:
        dt.datetime.fromisoformat(value)  # type: ignore[arg-type]  # what is no text is a TypeError
    except (TypeError, ValueError) as exc:
        raise FieldError(field, "must be an ISO 8601 time") from exc
