"""Reads the body of an ACR webhook (one JSON object; container-registry-webhook-reference in Microsoft's docs)."""

from dataclasses import dataclass

from groundswell.cascade.push import Push
from groundswell.webhooks.events import FieldError, decode, push, text

MAX_BODY = 64 * 1024
"""Bytes; a real event has less than one KiB."""
SOURCE = "webhook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An event that asks nothing of us. `action` is what it announced."""

    action: str


def parse(body: bytes, *, registry: str | None = None) -> Push | Ignored:
    """The push in a webhook body, or what it was instead. `registry` serves when the event names no host.

    Raises FieldError with the field at fault.
    """
    event = decode(body)
    if not isinstance(event, dict):
        raise FieldError("body", "must be a JSON object")
    action = text(event, "action", "action")
    if action != "push":
        return Ignored(action=action[:64])
    return push(event, source=SOURCE, registry=registry)
