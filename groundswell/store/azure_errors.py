"""What Azure Storage answers, in the words of groundswell.errors."""

import contextlib
from collections.abc import Iterator

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from groundswell.errors import GroundswellError, PermanentError, TemporaryError, cause

BEING_DELETED = frozenset({"TableBeingDeleted", "QueueBeingDeleted"})
_NOT_READY = frozenset({"TableNotFound", "QueueNotFound"})  # although it was just made
_TOO_LARGE = frozenset({"EntityTooLarge", "PropertyValueTooLarge", "RequestBodyTooLarge", "ContentLengthExceeded"})
_BEING_DELETED_SECONDS = 30.0  # what Azure says a deleted table or queue blocks its name for


def code(exc: HttpResponseError) -> str:
    """The storage error code, such as `TableNotFound`; empty when there is none."""
    found = getattr(exc, "error_code", None)  # an enum or a string, set by both storage SDKs
    return str(getattr(found, "value", found) or "")


def present[T](value: T | None, what: str) -> T:
    """`value`, which the SDK types as optional and the service always gives."""
    if value is None:
        raise TemporaryError(f"Azure Storage answered without {what}")
    return value


def _translate(exc: HttpResponseError, subject: str) -> GroundswellError:
    status, reason = exc.status_code, code(exc)
    answer = f"Azure Storage answered {status} {reason}".rstrip()
    if isinstance(exc, ClientAuthenticationError) or status in (401, 403):
        return PermanentError(
            f"{subject}: {answer}; check the connection string, or give the identity the roles "
            "Storage Table Data Contributor and Storage Queue Data Contributor"
        )
    if status == 413 or reason in _TOO_LARGE:
        return PermanentError(f"{subject}: {answer}: too large")
    if reason in BEING_DELETED:
        return TemporaryError(f"{subject}: {answer}", delay=_BEING_DELETED_SECONDS)
    if status is None or status in (408, 429) or status >= 500 or reason in _NOT_READY:
        return TemporaryError(f"{subject}: {answer}")
    return PermanentError(f"{subject}: {answer}")


@contextlib.contextmanager
def translated(subject: str) -> Iterator[None]:
    """Raise what the SDK raises as our own errors; `subject` names what was being done."""
    try:
        yield
    except HttpResponseError as exc:
        raise _translate(exc, subject) from exc
    except (AzureError, OSError) as exc:  # name not found, connection refused or lost, timeout, no CA file
        raise TemporaryError(f"{subject}: Azure Storage did not answer ({cause(exc)})") from exc
