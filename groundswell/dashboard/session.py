"""A browser as we know it again: its cookie, and the token that its forms carry.

The cookie holds a random secret. With a record in the store (`access/sessions.py`) it stands for who signed in;
without one, as under Easy Auth and on the sign-in page, it does no more than bind forms to this browser. A form's
token is made of the secret, so that a page of another origin, which cannot read the cookie, cannot know it.

The cookie is Lax: who follows a link in a chat or a mail is signed in. Another site can so make a browser look at a
page of ours, and nothing else: whatever changes something is a POST, with which the cookie does not come, and needs
the token, which only our pages have.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from groundswell.access.principal import ForbiddenError
from groundswell.access.sessions import LIFETIME

FIELD, HEADER = "csrf", "X-CSRF-Token"
"""Where the token comes back: in a form, or from htmx."""
_NAME = "groundswell"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """`secure` unless the request came by plain http on loopback, where no certificate is."""

    secret: str
    known: bool
    secure: bool

    @classmethod
    def of(cls, request: Request) -> Self:
        secure = not (request.url.scheme == "http" and request.url.hostname in _LOOPBACK)
        given = request.cookies.get(_name(secure=secure), "")  # read past what other apps on this host have set
        known = _SECRET.fullmatch(given) is not None
        return cls(secret=given if known else secrets.token_urlsafe(32), known=known, secure=secure)

    @property
    def csrf(self) -> str:
        return hmac.new(self.secret.encode(), b"csrf", hashlib.sha256).hexdigest()

    def give(self, response: Response, secret: str) -> None:
        response.set_cookie(
            _name(secure=self.secure),
            secret,
            max_age=int(LIFETIME),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def take(self, response: Response) -> None:
        response.delete_cookie(
            _name(secure=self.secure), path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def check(self, request: Request, given: str) -> None:
        """Raises ForbiddenError unless one of our own pages, as this browser got it, sent the request."""
        if not _from_here(request):
            raise ForbiddenError("the request did not come from a page of this dashboard")
        if not (self.known and hmac.compare_digest(given.encode(), self.csrf.encode())):
            raise ForbiddenError("the form is not of this session; load the page again and repeat what you did")


def keeps_back(request: Request) -> bool:
    """Whether a browser that has our cookie would not send it: another site asks, and no link is followed.

    That no cookie came says nothing then, and a new one must not take the place of a session's.
    """
    site, mode, what = (request.headers.get(f"Sec-Fetch-{each}") for each in ("Site", "Mode", "Dest"))
    return site == "cross-site" and (mode, what) != ("navigate", "document")


def _name(*, secure: bool) -> str:
    """With the prefix no other host of the domain can set it."""
    return f"__Host-{_NAME}" if secure else _NAME


def _from_here(request: Request) -> bool:
    """As the browser says. Of the origin, the scheme may be another: a proxy in front may end TLS."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None and site != "same-origin":
        return False
    try:
        same = origin is not None and urlsplit(origin).netloc == request.url.netloc
    except ValueError:
        return False
    return same or (origin is None and site == "same-origin")
