"""What Azure Resource Manager answers, in the words of groundswell.errors.

What may pass (throttling, a server's fault, no answer) is temporary and carries the service's own Retry-After; what
the service refuses is permanent and carries its message, cut to a readable length.
"""

import contextlib
from collections.abc import Iterator

from azure.core.exceptions import AzureError, HttpResponseError

from groundswell.errors import (
    GroundswellError,
    NotFoundError,
    PermanentError,
    TemporaryError,
    cause,
    without_logins,
)

_LONGEST = 500
_DEFAULT_DELAY = 5.0
_LONGEST_DELAY = 600.0


@contextlib.contextmanager
def translated(subject: str) -> Iterator[None]:
    """Raise what the SDK raises as our own errors; `subject` says what was asked."""
    try:
        yield
    except HttpResponseError as exc:
        raise _error(exc, subject) from exc
    except (AzureError, OSError) as exc:  # OSError: requests, of a CA file that is not there
        raise TemporaryError(f"{subject}: ACR Tasks did not answer ({cause(exc)})") from exc


def _error(exc: HttpResponseError, subject: str) -> GroundswellError:
    status, said = exc.status_code, _message(exc)
    if status is None:
        return TemporaryError(f"{subject}: no token or no answer for ACR Tasks ({cause(exc)})")
    answer = f"{subject}: ACR Tasks answered {status}{said}"
    if status in (408, 429) or status >= 500:
        return TemporaryError(answer, delay=_delay(exc))
    if status == 404:
        return NotFoundError(answer)
    if status in (401, 403):
        return PermanentError(
            f"{answer}; give the identity the role Container Registry Tasks Contributor on the registry, "
            "and check GROUNDSWELL_ARM_ENDPOINT"
        )
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
    return min(max(float(text), 1.0), _LONGEST_DELAY) if text.isdecimal() else _DEFAULT_DELAY
