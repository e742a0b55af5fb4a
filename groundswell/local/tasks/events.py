"""A registry's record of the webhooks that it sent, as Azure Resource Manager's `listEvents` answers it.

Shapes are those of Microsoft's REST reference, "Webhooks - List Events"; the values of custom headers are not
shown. A receiver that does not answer within ACR's five seconds is recorded as a 504.
"""

from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from groundswell.local.acr import Delivery
from groundswell.local.tasks.arm import Call, page
from groundswell.local.tasks.errors import ArmError
from groundswell.local.tasks.model import Json

type Sent = Callable[[], Sequence[Delivery]]
"""Gives the deliveries of one webhook, oldest first."""

_TIMED_OUT = 504


class Events:
    """The record of each webhook, by its name."""

    def __init__(self, webhooks: Mapping[str, Sent]) -> None:
        self._webhooks = webhooks

    async def list(self, call: Call) -> web.Response:
        sent = self._webhooks.get(call.name())
        if sent is None:
            raise ArmError(404, "ResourceNotFound", f"The webhook '{call.name()}' was not found.")
        return page(call, [_document(delivery) for delivery in reversed(sent())])


def _document(delivery: Delivery) -> Json:
    status = delivery.status or _TIMED_OUT
    return {
        "id": delivery.id,
        "eventRequestMessage": {
            "content": dict(delivery.event),
            "headers": {"Content-Type": "application/json; charset=utf-8", delivery.header: "******"},
            "method": "POST",
            "requestUri": delivery.url,
            "version": "1.1",
        },
        "eventResponseMessage": {
            "content": "",
            "headers": {},
            "reasonPhrase": delivery.error,
            "statusCode": str(status),
            "version": "1.1",
        },
    }
