"""AKS in Azure Resource Manager: the client of one cluster, and what it raises in the words of groundswell.errors.

What may pass (throttling, a server's fault, no answer) is temporary and carries the service's own Retry-After; what
the service refuses is permanent and carries its message. Retries are the caller's: the client makes none.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.mgmt.containerservice import ContainerServiceClient

from groundswell.errors import (
    GroundswellError,
    NotFoundError,
    PermanentError,
    TemporaryError,
    cause,
    without_logins,
)

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_LONGEST = 500
_DELAY, _LONGEST_DELAY = 5.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One managed cluster in Azure, and what asks for it."""

    client: ContainerServiceClient
    group: str
    name: str


def place(resource_id: str, credential: TokenCredential, endpoint: str) -> Place:
    """`resource_id` as the settings have checked it, `endpoint` the address of Azure Resource Manager."""
    endpoint = endpoint.rstrip("/")
    _, _, subscription, _, group, _, _, _, name = resource_id.split("/")
    client = ContainerServiceClient(
        credential,
        subscription,
        base_url=endpoint,
        credential_scopes=[f"{endpoint}/.default"],
        retry_total=0,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
    )
    return Place(client=client, group=group, name=name)


@contextlib.contextmanager
def translated(subject: str, need: str) -> Iterator[None]:
    """Raise what the SDK raises as our own errors; `subject` says what was asked, `need` the role that it takes."""
    try:
        yield
    except HttpResponseError as exc:
        raise _error(exc, subject, need) from exc
    except (AzureError, OSError) as exc:  # OSError: requests, of a CA file that is not there
        raise TemporaryError(f"{subject}: Azure did not answer, or gave no token ({cause(exc)})") from exc


def _error(exc: HttpResponseError, subject: str, need: str) -> GroundswellError:
    status = exc.status_code
    if status is None:
        return TemporaryError(f"{subject}: Azure did not answer, or gave no token ({cause(exc)})")
    answer = f"{subject}: Azure Resource Manager answered {status}{_message(exc)}"
    if status in (408, 429) or status >= 500:
        return TemporaryError(answer, delay=_delay(exc))
    if status == 404:
        return NotFoundError(f"{answer}; check aks in GROUNDSWELL_CLUSTERS")
    if status in (401, 403):
        return PermanentError(f"{answer}; give the identity the role {need} on the cluster")
    return PermanentError(answer)


def _message(exc: HttpResponseError) -> str:
    """` Code: message` of an ARM error body, nothing when it has none."""
    if exc.error is None:
        return ""
    text = ": ".join(part for part in (exc.error.code, exc.error.message) if part)
    return f" {without_logins(text)[:_LONGEST]}" if text else ""


def _delay(exc: HttpResponseError) -> float:
    """Retry-After in seconds; ARM sends no dates there."""
    text = getattr(exc.response, "headers", {}).get("Retry-After", "")
    return min(max(float(text), 1.0), _LONGEST_DELAY) if text.isdecimal() else _DELAY
