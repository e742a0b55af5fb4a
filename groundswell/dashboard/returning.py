"""Where to go after signing in: a page of ours and nothing else, whatever the address asks for. Pure."""

import re
from urllib.parse import quote, unquote, urlsplit

HOME = "/ui/"
SIGN_IN = "/ui/sign-in"
_OURS = re.compile(r"/ui(?:[/?][!-\[\]-~]*)?")
"""Printable ASCII without a backslash, which browsers take for a slash."""


def safe(address: str) -> str:
    """`address` when it is a page of the dashboard, else its first page."""
    if len(address) > 2000 or not _OURS.fullmatch(address) or "//" in address.partition("?")[0]:
        return HOME
    path = urlsplit(address).path
    leaves = {".", ".."} & set(unquote(path).split("/"))  # browsers take `%2e` for a dot
    return HOME if leaves or path.startswith((SIGN_IN, "/ui/sign-out")) else address


def sign_in(address: str) -> str:
    """The sign-in page that leads back to `address`."""
    back = safe(address)
    return SIGN_IN if back == HOME else f"{SIGN_IN}?next={quote(back, safe='')}"
