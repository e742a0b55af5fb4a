"""What a container registry answers, in the words of groundswell.errors.

What may pass (throttling, a server's fault, no answer, content damaged on its way) is temporary and carries the
registry's own Retry-After; what the registry refuses is permanent.
"""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from azure.containerregistry import DigestValidationError
from azure.core.exceptions import AzureError, HttpResponseError

from groundswell.errors import GroundswellError, NotFoundError, PermanentError, TemporaryError, cause
from groundswell.registry import retry_after

_DEFAULT_DELAY = 5.0
_LONGEST_DELAY = 600.0


@contextlib.contextmanager
def translated(subject: str, *, roles: str = "AcrPull and AcrPush") -> Iterator[None]:
    """Raise what the SDK raises as our own errors; `subject` is what was asked for. A 404 is a NotFoundError.

    `roles` are those that it takes.
    """
    try:
        yield
    except HttpResponseError as exc:
        if close := getattr(exc.response, "close", None):  # of a refused download, which the SDK leaves open
            close()
        raise _error(exc, subject, roles) from exc
    except (AzureError, OSError) as exc:  # name not found, connection refused or lost, timeout, TLS, no CA file
        raise TemporaryError(f"{subject}: the registry did not answer ({cause(exc)})") from exc
    except DigestValidationError as exc:
        raise TemporaryError(f"{subject}: what the registry sent does not have the digest it should have") from exc
    except (KeyError, ValueError) as exc:  # the SDK's own, for headers that are missing and bodies too large
        raise PermanentError(f"{subject}: the registry's answer is not what ACR gives ({exc})") from exc


def _error(exc: HttpResponseError, subject: str, roles: str) -> GroundswellError:
    status = exc.status_code
    if status is None:  # the credential found no token, or the body broke off
        return TemporaryError(f"{subject}: no token for the registry, or no whole answer ({cause(exc)})")
    answer = f"{subject}: the registry answered {status}"
    if status in (408, 429) or status >= 500:
        return TemporaryError(answer, delay=_delay(exc))
    if status in (401, 403):
        return PermanentError(f"{answer}; give the identity the roles {roles} on it")
    if status == 404:
        asked = getattr(getattr(exc.response, "request", None), "url", "")
        if urlsplit(asked).path.startswith("/oauth2/"):
            return PermanentError(f"{answer} to the exchange of a token: it is not an Azure container registry")
        return NotFoundError(answer)
    if status == 405:
        return PermanentError(f"{answer}: the tag or the repository is locked; unlock it to go on")
    return PermanentError(answer)


def _delay(exc: HttpResponseError) -> float:
    text = getattr(exc.response, "headers", {}).get("Retry-After", "")
    return retry_after.seconds(text, default=_DEFAULT_DELAY, longest=_LONGEST_DELAY)
