"""Signing in with an API token, and out."""

import logging

from starlette.responses import Response

from groundswell.access.principal import ThrottledError, UnauthenticatedError
from groundswell.dashboard.returning import HOME, SIGN_IN, safe
from groundswell.dashboard.routing import Asked, Pages

logger = logging.getLogger(__name__)
pages = Pages()


@pages.open("/sign-in", "GET")
def ask(asked: Asked) -> Response:
    """The form, with a way to the platform's own sign-in where that stands in front."""
    return _form(asked, asked.query.get("next", [HOME])[-1])


@pages.open("/sign-in", "POST")
def sign_in(asked: Asked) -> Response:
    """A session under a new secret: one that was planted before is worth nothing."""
    back = safe(asked.field("next"))
    try:
        principal = asked.product.tokens.principal(asked.field("token"))
    except UnauthenticatedError as exc:
        return _form(asked, back, wrong=str(exc), status=401)
    if wait := asked.product.buckets.take(principal.id):
        raise ThrottledError(f"{principal.name} sends too many requests: wait, and send fewer", delay=wait)
    if asked.browser.known:
        asked.product.sessions.end(asked.browser.secret)
    response = asked.see(back)
    asked.browser.give(response, asked.product.sessions.begin(principal))
    logger.info("signed in", extra={"principal": principal.id})
    return response


@pages.open("/sign-out", "POST")
def sign_out(asked: Asked) -> Response:
    """Works also when the session is over already."""
    asked.product.sessions.end(asked.browser.secret)
    response = asked.see("/.auth/logout" if asked.product.settings.easy_auth else SIGN_IN)
    asked.browser.take(response)
    return response


def _form(asked: Asked, back: str, *, wrong: str = "", status: int = 200) -> Response:
    easy_auth = asked.product.settings.easy_auth
    return asked.render("sign-in.html", back=safe(back), wrong=wrong, easy_auth=easy_auth, status=status)
