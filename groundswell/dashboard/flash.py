"""What happened, said on the page that one comes back to after an act.

It travels in a cookie for a minute, for that page alone, and with a mark made of the browser's secret: an address
that somebody sends around makes no page say anything.
"""

import base64
import binascii
import hashlib
import hmac

from starlette.responses import Response

from groundswell.dashboard.routing import Asked

COOKIE = "groundswell-said"
_LONGEST = 1500
"""Characters: with the mark, a cookie of 4 KB holds them in any script."""
_MOST_BYTES = 2400
_SECONDS = 60


def back(asked: Asked, address: str, text: str) -> Response:
    """Go to `address`, a path, where `text` is to be said."""
    response = asked.see(address)
    told = text[:_LONGEST].encode()[:_MOST_BYTES].decode(errors="ignore")
    payload = base64.urlsafe_b64encode(told.encode()).decode()
    response.set_cookie(
        COOKIE,
        f"{payload}.{_mark(asked, address, payload)}",
        max_age=_SECONDS,
        path=address,
        secure=asked.browser.secure,
        httponly=True,
        samesite="strict",
    )
    return response


def said(asked: Asked, address: str) -> str:
    """What is to be said on the page at `address`; empty when nothing is, and for a page that refreshes itself."""
    payload, _, mark = asked.request.cookies.get(COOKIE, "").partition(".")
    if not payload or asked.request.headers.get("HX-Request"):
        return ""
    if not hmac.compare_digest(mark.encode(), _mark(asked, address, payload).encode()):
        return ""
    try:
        return base64.urlsafe_b64decode(payload).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def heard(response: Response, asked: Asked, address: str) -> Response:
    """The page at `address`, after which it is said no more."""
    if COOKIE in asked.request.cookies and not asked.request.headers.get("HX-Request"):
        response.delete_cookie(COOKIE, path=address, secure=asked.browser.secure, httponly=True, samesite="strict")
    return response


def _mark(asked: Asked, address: str, payload: str) -> str:
    text = f"said\n{address}\n{payload}".encode()
    return hmac.new(asked.browser.secret.encode(), text, hashlib.sha256).hexdigest()
