"""What time it is elsewhere: the Date of any answer, refusals included. No login is sent."""

import email.utils
from typing import Protocol

import requests

from groundswell.errors import TemporaryError, cause

_SECONDS = (5.0, 5.0)


class Dates(Protocol):
    def __call__(self, url: str) -> float:
        """Seconds since the epoch by the server of an https address. Raises TemporaryError when it does not say."""
        ...


def date_of(url: str) -> float:
    """See `Dates`. No redirect is followed."""
    try:
        with requests.get(
            url,
            timeout=_SECONDS,
            allow_redirects=False,
            stream=True,
            auth=lambda request: request,  # else requests looks into .netrc
        ) as answer:
            told = answer.headers.get("Date", "")
        return email.utils.parsedate_to_datetime(told).timestamp()
    except requests.RequestException as exc:
        raise TemporaryError(f"{url} does not answer ({cause(exc)})") from exc
    except ValueError as exc:
        raise TemporaryError(f"{url} says no date") from exc
