"""What a form asks for, done once however often it is sent; and what came of it, told on the page one goes back to.

A form is known by what it says, and it says when its page was made: the same form is the same request. A doubled
click, or the same page sent again, is answered with what the first one did. What that was is told for a day, to who
did it alone: an address that somebody sends around makes no page say anything.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.responses import Response

from groundswell.access import answers
from groundswell.access.answers import Answer, UnderWayError
from groundswell.api.bodies import Json
from groundswell.api.parameters import Parameters
from groundswell.api.problems import InvalidError
from groundswell.dashboard.outcome import sentence
from groundswell.dashboard.routing import Asked
from groundswell.dashboard.session import FIELD

_LONGEST = 1000


class Telling(Parameters):
    """What the query of a page says that tells what a form did."""

    told: str = ""


def reason(asked: Asked) -> str:
    """Why, for the audit trail. Raises InvalidError without one."""
    text = asked.field("reason")
    if not text:
        raise InvalidError([{"parameter": "reason", "detail": "say in a few words why, for the audit trail"}])
    if len(text) > _LONGEST:
        raise InvalidError([{"parameter": "reason", "detail": f"{_LONGEST} characters at most"}])
    return text


def number(asked: Asked, name: str) -> int:
    """A whole number that the page put into its form. Raises InvalidError."""
    text = asked.field(name)
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise InvalidError([{"parameter": name, "detail": "not as the page had it"}])
    return int(text)


def once(
    asked: Asked, back: str, act: Callable[[], Json], *, onward: Callable[[Json], str] | None = None, **query: str
) -> Response:
    """Do it unless the very same was done, or is being done now, and go back to where `told` tells of it.

    `act` returns what is told, as `outcome.py` has it. Where it leads elsewhere than back, `onward` says.
    """
    said = [(name, text) for name, texts in sorted(asked.form.items()) if name != FIELD for text in texts]
    key = hashlib.sha256(f"{asked.request.url.path}?{urlencode(said)}".encode()).hexdigest()[:32]
    done = _done(asked, key, act)
    place = onward(done) if onward and done is not None else back
    return asked.see(f"{place}?{urlencode({**{n: t for n, t in query.items() if t}, 'told': key})}#told")


def told(asked: Asked, key: str) -> Json | None:
    """What a form did; None when nothing is known of it (any more)."""
    if not key:
        return None
    try:
        answer = asked.product.answers.find(asked.who.id, _key(key))
    except UnderWayError:
        return sentence("It is being done: load the page again in a moment", good=False)
    return answer.body if answer else None


def _done(asked: Asked, key: str, act: Callable[[], Json]) -> Json | None:
    """What it did, or what the same did before; None while that is under way."""
    claim = answers.Asked(principal=asked.who.id, key=_key(key), print=key)
    book = asked.product.answers
    try:
        known = book.claim(claim)
    except UnderWayError:
        return None
    if known is None:
        try:
            known = Answer(status=200, body=act())
        except BaseException:
            book.release(claim)
            raise
        book.keep(claim, known)
    done: Json = known.body
    return done


def _key(key: str) -> str:
    return f"ui:{key}"
