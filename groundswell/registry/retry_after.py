"""Reads a Retry-After header: seconds, or a date (RFC 9110, section 10.2.3). Pure but for the clock of a date."""

import datetime as dt
import email.utils


def seconds(text: str, *, default: float, longest: float) -> float:
    """The pause asked for, between 1 and `longest`; `default` where the header is absent or says neither."""
    if text.isdecimal():
        asked = float(text)
    else:
        try:
            asked = (email.utils.parsedate_to_datetime(text) - dt.datetime.now(dt.UTC)).total_seconds()
        except (TypeError, ValueError):  # TypeError is a date without a zone
            return default
    return min(max(asked, 1.0), longest)
