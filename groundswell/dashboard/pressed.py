"""What a form asks for, done once however often it is sent; and what came of it, told on the page one goes back to.

A form is known by what it says: it names when what it is about was last seen to change, so the same form is the
same request. A doubled click, or the same page sent again, is answered with what the first one did.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import urlencode

from starlette.responses import Response

from groundswell.access import answers
from groundswell.access.answers import Answer, UnderWayError
from groundswell.api.bodies import Json
from groundswell.api.problems import InvalidError
from groundswell.cascade.operate import Bulk
from groundswell.dashboard.routing import Asked
from groundswell.dashboard.session import FIELD

_LONGEST = 1000
_NAMED = 200
"""Images that are told of by name: those that were not done come first."""


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


def once(asked: Asked, back: str, act: Callable[[], Json], **query: str) -> Response:
    """Do it unless the very same was done, and go back to where `told` tells of it."""
    key = press(asked, act)
    return asked.see(f"{back}?{urlencode({**{n: t for n, t in query.items() if t}, 'told': key})}#told")


def press(asked: Asked, act: Callable[[], Json]) -> str:
    """Do it unless the very same was done, or is being done now. The key is what `told` tells of it under."""
    said = [(name, text) for name, texts in sorted(asked.form.items()) if name != FIELD for text in texts]
    key = hashlib.sha256(f"{asked.request.url.path}?{urlencode(said)}".encode()).hexdigest()[:32]
    claim = answers.Asked(principal=asked.who.id, key=_key(key), print=key)
    book = asked.product.answers
    try:
        known = book.claim(claim)
    except UnderWayError:
        return key  # of which that is told
    if known is None:
        try:
            done = act()
        except BaseException:
            book.release(claim)
            raise
        book.keep(claim, Answer(status=200, body=done))
    return key


def told(asked: Asked, key: str) -> Json | None:
    """What a form did; None when nothing is known of it (any more)."""
    try:
        answer = asked.product.answers.find(asked.who.id, _key(key))
    except UnderWayError:
        return {"under_way": True}
    return {"under_way": False, **answer.body} if answer else None


def outcome(verb: str, why: str, bulks: list[Bulk]) -> Json:
    """What is told of what became of several: what was not done first."""
    items = [
        {
            "cascade": bulk.cascade,
            "image": item.image,
            "outcome": how,
            "stage": item.stage.value if item.stage else "",
            "why": item.why,
        }
        for how in ("failed", "left", "done")
        for bulk in bulks
        for item in getattr(bulk, how)
    ]
    done = sum(len(bulk.done) for bulk in bulks)
    return {"verb": verb, "reason": why, "done": done, "total": len(items), "items": items[:_NAMED]}


def _key(key: str) -> str:
    return f"ui:{key}"
