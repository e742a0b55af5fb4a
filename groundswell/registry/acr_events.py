"""ACR's record of the webhooks that it sent: `listEvents` of the webhook in Azure Resource Manager.

Shapes are those of Microsoft's REST reference, "Webhooks - List Events". ACR tries each webhook once, so what is
recorded without a success has not reached us. The SDK with this operation (azure-mgmt-containerregistry) holds
nothing else that we need: the pipeline of azure-core does it, as everywhere with retries left to the caller.
"""

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest, HttpResponse

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import GroundswellError, PermanentError, TemporaryError, cause
from groundswell.registry import retry_after
from groundswell.registry.deliveries import Delivery
from groundswell.registry.manifests import json_object
from groundswell.settings import AcrRegistry

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_logger = logging.getLogger(__name__)

API_VERSION = "2023-07-01"
MAX_PAGES = 50
_PATH = (
    "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerRegistry/registries/{}/webhooks/{}/listEvents"
)
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_LONGEST_ID = 128
_DELAY, _LONGEST_DELAY = 5.0, 600.0


class AcrEvents:
    """The Deliveries port, for the registries whose settings name a webhook. Safe to share between threads."""

    def __init__(
        self, credential: "TokenCredential", arm_endpoint: str, registries: Mapping[str, AcrRegistry]
    ) -> None:
        self._endpoint = arm_endpoint.rstrip("/")
        self._registries = {host: ids for host, ids in registries.items() if ids.webhook}
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            self._endpoint,
            policies=[BearerTokenCredentialPolicy(credential, f"{self._endpoint}/.default")],
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def registries(self) -> tuple[str, ...]:
        """See `Deliveries.registries`."""
        return tuple(self._registries)

    def failed(self, registry: str) -> tuple[Delivery, ...]:
        """See `Deliveries.failed`."""
        found = (_failed(event, registry) for event in self._events(registry))
        return tuple(delivery for delivery in found if delivery is not None)

    def _events(self, registry: str) -> Iterator[Mapping[str, Any]]:
        ids = self._registries[registry]
        subject = f"{registry}, the deliveries of its webhook {ids.webhook}"
        names = (quote(name, safe="") for name in (ids.subscription, ids.resource_group, ids.name, ids.webhook))
        url = f"{self._endpoint}{_PATH.format(*names)}?api-version={API_VERSION}"
        request = HttpRequest("POST", url)
        for _ in range(MAX_PAGES):
            document = json_object(self._send(request, subject), subject)
            events = document.get("value")
            if not isinstance(events, list):
                raise PermanentError(f"{subject}: the answer holds no list")
            yield from (event for event in events if isinstance(event, dict))
            link = document.get("nextLink")
            if not link:
                return
            if urlsplit(str(link))[:2] != urlsplit(self._endpoint)[:2]:
                raise PermanentError(f"{subject}: its next page is on another host, which is not asked")
            request = HttpRequest("GET", str(link))
        _logger.warning("deliveries not read to their end", extra={"registry": registry, "pages": MAX_PAGES})

    def _send(self, request: HttpRequest, subject: str) -> bytes:
        try:
            with self._client.send_request(request) as response:
                status, headers, body = response.status_code, response.headers, response.read()
        except (AzureError, OSError) as exc:
            raise TemporaryError(f"{subject}: Azure did not answer, or gave no token ({cause(exc)})") from exc
        if status != 200:
            raise _refusal(status, headers.get("Retry-After", ""), subject)
        return body


def _refusal(status: int, pause: str, subject: str) -> GroundswellError:
    said = f"{subject}: Azure Resource Manager answered {status}"
    if status in (408, 429) or status >= 500:
        delay = retry_after.seconds(pause, default=_DELAY, longest=_LONGEST_DELAY)
        return TemporaryError(said, delay=delay)
    if status == 404:
        return PermanentError(f"{said}: see `webhook` and the ids in GROUNDSWELL_REGISTRIES")
    if status in (401, 403):
        action = "Microsoft.ContainerRegistry/registries/webhooks/listEvents/action"
        return PermanentError(f"{said}: give the identity a role with {action}")
    return PermanentError(said)


def _failed(event: Mapping[str, Any], registry: str) -> Delivery | None:
    """The delivery, where it was in vain and is of a tagged push; what cannot be read is nobody's push."""
    content, answer = _at(event, "eventRequestMessage", "content"), _at(event, "eventResponseMessage")
    if content.get("action") != "push" or str(answer.get("statusCode", "")).startswith("2"):
        return None
    target = _at(content, "target")
    event_id, at = _text(content.get("id")), _time(content.get("timestamp"))
    repository, tag = _text(target.get("repository")), _text(target.get("tag"))
    if not event_id or len(event_id) > _LONGEST_ID or at is None or not tag:
        return None
    try:
        reference = Reference.parse(f"{registry}/{repository}:{tag}")
    except InvalidReferenceError:
        return None
    return Delivery(id=event_id, reference=reference, digest=_text(target.get("digest")), at=at)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _at(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        value = document.get(key)
        document = value if isinstance(value, dict) else {}
    return document


def _time(text: object) -> float | None:
    """Seconds since the epoch; a time without a zone is in UTC, as ACR's are."""
    try:
        at = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()
