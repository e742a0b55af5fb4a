"""Reads a WWW-Authenticate header (RFC 9110, section 11.6.1). Pure."""

import re
from collections.abc import Mapping

# gcr.io leaves the quotes out where the value is a token.
_PAIR = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_COMMA = re.compile(r"[ \t]*,[ \t]*")


def parse(header: str) -> tuple[str, Mapping[str, str]]:
    """The scheme and the names of its parameters in small letters; of several challenges the first."""
    scheme, _, rest = header.strip().partition(" ")
    found: dict[str, str] = {}
    at = len(rest) - len(rest.lstrip())
    while match := _PAIR.match(rest, at):
        quoted = match[2]
        found.setdefault(match[1].lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[3])
        comma = _COMMA.match(rest, match.end())
        if comma is None:
            break
        at = comma.end()
    return scheme.lower(), found
