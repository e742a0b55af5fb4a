"""Forms on the page of a cascade that are about all of it: replay what failed, approve, release, hold, cancel.

Each is done once however often it is sent, and the page tells what became of each image. What is refused is said
on the page too, and what was entered stays.
"""

from collections.abc import Callable
from dataclasses import replace

from starlette.responses import Response

from groundswell.api.bodies import Json
from groundswell.api.problems import InvalidError, kind_of
from groundswell.cascade.operate import Bulk, Item
from groundswell.cascade.status import Stage
from groundswell.dashboard.cascades import address, table
from groundswell.dashboard.image import stage_of
from groundswell.dashboard.offered import awaits, moved
from groundswell.dashboard.outcome import fates, outcome
from groundswell.dashboard.pressed import number, once, reason
from groundswell.dashboard.routing import Asked, Pages
from groundswell.errors import InputError, TemporaryError

pages = Pages()


def _act(verb: str, done: str, deed: Callable[[Asked, str, str], Bulk]) -> None:
    def act(asked: Asked) -> Response:
        cascade = asked.path["cascade"]
        try:
            why = reason(asked)
            return once(asked, address(cascade), lambda: _told(done, why, deed(asked, cascade, why)))
        except (InputError, TemporaryError) as exc:
            return table(asked, wrong=str(exc), act=verb, status=kind_of(exc).status.value)

    pages.act(f"/cascades/{{cascade}}/{verb}", verb)(act)


def _told(done: str, why: str, bulk: Bulk) -> Json:
    return outcome(done, why, fates([bulk]), nothing="no image is as it would have to be")


def _replay(asked: Asked, cascade: str, why: str) -> Bulk:
    stage, force = stage_of(asked), asked.field("force") == "true"
    if force and stage not in (None, Stage.BUILD):
        raise InvalidError([{"parameter": "from", "detail": "what is built in any case begins with build"}])
    return asked.product.operator.replay_failed(cascade, stage=stage, force=force, who=asked.who.who, why=why)


def _approve(asked: Asked, cascade: str, why: str) -> Bulk:
    """What waited when the page was made, of the digests of then; what moved since, nobody has looked at."""
    until, despite = number(asked, "until"), asked.field("despite_freeze") == "true"
    waiting = [s for s in asked.product.engine.records.rebuilds(cascade) if awaits(s, despite_freeze=despite)]
    known = [state.image for state in waiting if moved(state) <= until]
    later = tuple(
        Item(image=state.image, status=state.status, why="waits since the page was shown: look at it again")
        for state in waiting
        if moved(state) > until
    )
    if not known:
        asked.product.engine.records.header(cascade)  # says so when there is no such cascade
        return Bulk(cascade=cascade, done=(), left=later, failed=())
    said = asked.product.operator.approve(cascade, known, despite_freeze=despite, who=asked.who.who, why=why)
    return replace(said, left=(*said.left, *later))


def _release(asked: Asked, cascade: str, why: str) -> Bulk:
    return asked.product.operator.release_all(cascade, who=asked.who.who, why=why)


def _hold(asked: Asked, cascade: str, why: str) -> Bulk:
    return asked.product.operator.hold_all(cascade, who=asked.who.who, why=why)


def _cancel(asked: Asked, cascade: str, why: str) -> Bulk:
    """It cannot be taken back, and stops what many wait for: so the id is written out by hand."""
    if asked.field("confirm") != cascade:
        raise InvalidError([{"parameter": "confirm", "detail": f"write {cascade} to cancel all of it"}])
    return asked.product.operator.cancel_all(cascade, who=asked.who.who, why=why)


_act("replay", "replayed", _replay)
_act("approve", "approved", _approve)
_act("release", "released", _release)
_act("hold", "held", _hold)
_act("cancel", "cancelled", _cancel)
