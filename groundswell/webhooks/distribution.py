"""Reads the notifications of a Distribution registry (its documentation, "Work with notifications").

It sends everything: pulls, layers, mounts, deletions. What is answered by anything but 2xx or 3xx it sends again,
and nothing else in between; so an event that is wrong is told, and accepted.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from groundswell.cascade.push import Push
from groundswell.webhooks.events import Delivery, FieldError, decode, push

MAX_BODY = 4 * 1024 * 1024
"""Bytes; events may have been saved up while we were away."""
SOURCE = "notification"

_MANIFESTS = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    }
)


def parse(body: bytes, *, registry: str | None = None) -> Delivery:
    """What the envelope brings. `registry` serves for events that name no host.

    Raises FieldError when the body is no envelope of events.
    """
    document = decode(body)
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise FieldError("events", "missing, or not a list")
    pushes: list[Push] = []
    refused: list[FieldError] = []
    ignored = 0
    for number, event in enumerate(events):
        place = f"events[{number}]"
        if not isinstance(event, dict):
            refused.append(FieldError(place, "must be an object"))
        elif not _announces(event):
            ignored += 1
        else:
            try:
                host = _host_of(event) or registry
                pushes.append(push(event, source=SOURCE, registry=host, place=f"{place}."))
            except FieldError as exc:
                refused.append(exc)
    return Delivery(pushes=tuple(pushes), ignored=ignored, refused=tuple(refused))


def _announces(event: Mapping[str, Any]) -> bool:
    """Whether it is of a tag that was pushed."""
    target = event.get("target")
    if event.get("action") != "push" or not isinstance(target, dict):
        return False
    kind = target.get("mediaType")
    return bool(target.get("tag")) and isinstance(kind, str) and kind in _MANIFESTS


def _host_of(event: Mapping[str, Any]) -> str | None:
    """The registry's host, from the address of what was pushed."""
    url = event["target"].get("url")
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or None if isinstance(url, str) else None
    except ValueError:
        return None
