"""Microsoft Defender for Containers as a scanner: its findings are asked of Azure Resource Graph.

Nothing is started here, for Defender scans what is pushed by itself. Resource Graph answers in pages; half of an
answer is none. Retries are the caller's, with the delay that the service asks for.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, DeserializationError, HttpResponseError
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError, TemporaryError, cause, without_logins
from groundswell.scan.defender import query, report
from groundswell.scan.port import Report

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

MAX_PAGES = 50
PAGE = 1000
"""Rows of a page, the most that Resource Graph gives."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_DELAY, _LONGEST_DELAY = 10.0, 600.0
_LONGEST = 300
_log = logging.getLogger(__name__)

type Subscriptions = Callable[[str], Sequence[str]]
"""The subscriptions to ask about a registry, by its login server."""


class DefenderScanner:
    """The scanner that policies call `name`. Safe to share between threads."""

    def __init__(
        self,
        name: str,
        credential: "TokenCredential",
        arm_endpoint: str,
        subscriptions: Subscriptions,
        *,
        page: int = PAGE,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._name = name
        self._subscriptions = subscriptions
        self._page = page
        endpoint = arm_endpoint.rstrip("/")
        self._client = ResourceGraphClient(
            credential,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            retry_total=0,
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=read_seconds,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def scan(self, reference: Reference) -> Report:
        """See `Scanner.scan`. NotYetError also where Defender is not switched on: there it never gets to it."""
        digest = reference.digest or ""
        asked = query(digest)
        subscriptions = list(self._subscriptions(reference.registry))
        if not subscriptions:
            raise PermanentError(
                f"{self._name} has no subscription to ask about {reference.registry}: "
                "give `subscriptions`, or its entry in GROUNDSWELL_REGISTRIES"
            )
        try:
            rows = self._rows(asked, subscriptions)
        except HttpResponseError as exc:
            raise self._error(exc) from exc
        except (AzureError, DeserializationError, OSError) as exc:
            raise TemporaryError(f"{self._name}: Azure Resource Graph gave no answer ({cause(exc)})") from exc
        _log.info("asked defender", extra={"image": str(reference), "rows": len(rows)})
        return report(rows, scanner=self._name, digest=digest)

    def _rows(self, asked: str, subscriptions: Sequence[str]) -> list[Any]:
        rows: list[Any] = []
        token: str | None = None
        for _ in range(MAX_PAGES):
            options = QueryRequestOptions(top=self._page, skip_token=token, result_format="objectArray")
            answer = self._client.resources(
                QueryRequest(query=asked, subscriptions=list(subscriptions), options=options)
            )
            data: Any = answer.data  # the SDK names a type that it does not hold itself to
            if not isinstance(data, list):
                raise TemporaryError(f"{self._name}: Azure Resource Graph answered with no list of rows")
            rows += data
            token = answer.skip_token
            if token:
                continue
            if answer.result_truncated == "true" or len(rows) < answer.total_records:
                raise TemporaryError(
                    f"{self._name}: Azure Resource Graph gave {len(rows)} of {answer.total_records} rows"
                )
            return rows
        raise PermanentError(f"{self._name}: more than {MAX_PAGES * self._page} findings on one image")

    def _error(self, exc: HttpResponseError) -> GroundswellError:
        status = exc.status_code
        if status is None:
            return TemporaryError(f"{self._name}: no token or no answer for Azure Resource Graph ({cause(exc)})")
        said = exc.error.message if exc.error and exc.error.message else ""
        answer = f"{self._name}: Azure Resource Graph answered {status} {without_logins(said)[:_LONGEST]}".strip()
        if status in (408, 429) or status >= 500:
            return TemporaryError(answer, delay=_delay(exc))
        if status in (401, 403):
            return PermanentError(f"{answer}; give the identity the role Security Reader on the subscriptions")
        return PermanentError(answer)


def _delay(exc: HttpResponseError) -> float:
    """Retry-After in seconds; Resource Graph sends no dates there."""
    asked = getattr(exc.response, "headers", {}).get("Retry-After", "")
    return min(max(float(asked), 1.0), _LONGEST_DELAY) if asked.isdecimal() else _DELAY
