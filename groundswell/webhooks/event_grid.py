"""Reads what Azure Event Grid delivers, in its own schema and in that of CloudEvents 1.0, one event or several.

"Azure Container Registry as an Event Grid source" says what `data` holds: the body of ACR's webhook. Types come
with and without `Microsoft.ContainerRegistry.` in front.
"""

import re
from collections.abc import Mapping
from typing import Any

from groundswell.cascade.push import Push
from groundswell.settings import AcrRegistry
from groundswell.webhooks.events import Delivery, FieldError, decode, push

MAX_BODY = 4 * 1024 * 1024
"""Bytes; Event Grid delivers 1 MiB at most, and what is answered 413 it gives up."""
SOURCE = "event grid"

_LARGEST_HANDSHAKE = 64 * 1024
_MOST = 5000
"""Events in one delivery, which Event Grid's batches do not exceed."""
_PUSHED, _VALIDATION = "imagepushed", "subscriptionvalidationevent"
_RESOURCE = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.ContainerRegistry/registries/([^/]+)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Za-z0-9-]{1,128}")
_ORIGIN = re.compile(r"(?:[a-z0-9-]+\.)*eventgrid\.azure\.(?:net|us|cn)", re.IGNORECASE)


def allowed_origin(header: str | None) -> str | None:
    """Who asks whether it may send, if that is Event Grid (CloudEvents' "HTTP 1.1 Web Hooks", section 4)."""
    return header if header and _ORIGIN.fullmatch(header) else None


def handshake(body: bytes, registries: Mapping[str, AcrRegistry], *, trusted: bool) -> str | None:
    """The code that a new subscription is validated by; None when it is no such event, or not for us.

    Event Grid does not say whether it sends our secret already. So one that is not `trusted` by it must be for
    events of a registry in our settings; it opens nothing, for what comes then needs the secret.
    """
    try:
        document = decode(body[:_LARGEST_HANDSHAKE])
    except FieldError:
        return None
    events = document if isinstance(document, list) else [document]
    if len(events) != 1 or not isinstance(events[0], dict) or _type(events[0]) != _VALIDATION:
        return None
    data = events[0].get("data")
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None
    return code if trusted or _registry(events[0], registries) else None


def parse(body: bytes, registries: Mapping[str, AcrRegistry]) -> Delivery:
    """What a delivery brings; one bad event does not spoil the others.

    Raises FieldError when the body is no delivery at all.
    """
    document = decode(body)
    events = document if isinstance(document, list) else [document]
    if len(events) > _MOST:
        raise FieldError("body", f"more than {_MOST} events")
    pushes: list[Push] = []
    refused: list[FieldError] = []
    ignored = 0
    for number, event in enumerate(events):
        try:
            found = _push(event, registries, f"[{number}]." if isinstance(document, list) else "")
        except FieldError as exc:
            refused.append(exc)
            continue
        if found is None:
            ignored += 1
        else:
            pushes.append(found)
    return Delivery(pushes=tuple(pushes), ignored=ignored, refused=tuple(refused))


def _push(event: Any, registries: Mapping[str, AcrRegistry], place: str) -> Push | None:
    """The push, or None when the event is of something else. Raises FieldError."""
    if not isinstance(event, dict):
        raise FieldError(place.rstrip(".") or "body", "must be an event, which is a JSON object")
    if not (kind := _type(event)):
        raise FieldError(f"{place}eventType", "missing; CloudEvents have `type`")
    if kind != _PUSHED:
        return None
    data = event.get("data")
    if not isinstance(data, dict):
        raise FieldError(f"{place}data", "missing, or not an object")
    return push(data, source=SOURCE, registry=_registry(event, registries), place=f"{place}data.")


def _type(event: Mapping[str, Any]) -> str:
    """The last word of the type, in lower case; empty when there is none."""
    value = event.get("eventType", event.get("type"))
    return value.rpartition(".")[2].lower() if isinstance(value, str) else ""


def _registry(event: Mapping[str, Any], registries: Mapping[str, AcrRegistry]) -> str | None:
    """The login server of the resource that the event is from, if it is in the settings."""
    resource = event.get("topic", event.get("source"))
    found = _RESOURCE.fullmatch(resource) if isinstance(resource, str) else None
    if found is None:
        return None
    wanted = tuple(part.lower() for part in found.groups())
    for server, entry in registries.items():
        if wanted == (entry.subscription.lower(), entry.resource_group.lower(), entry.name.lower()):
            return server
    return None
