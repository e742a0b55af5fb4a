"""Forms for what stands wrong beside cascades: a drifted workload is released, a notice is sent again.

Of what the page showed, and only as it showed it: what changed since is left alone, and said so.
"""

import json

from starlette.responses import Response

from groundswell.api.bodies import Json, checked
from groundswell.api.shapes.notices import RESENDING
from groundswell.api.shapes.running import RELEASE
from groundswell.dashboard.oncall import PLACE
from groundswell.dashboard.outcome import Fate, One, outcome
from groundswell.dashboard.pressed import number, once, reason
from groundswell.dashboard.registered import address
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.troubles import milliseconds
from groundswell.errors import InputError, NotFoundError

pages = Pages()

_SINCE = "since it was shown: look at it again"


@pages.act("/on-call/release-workload", "release_workload")
def release(asked: Asked) -> Response:
    why, seen = reason(asked), number(asked, "seen")
    workload = _named(asked, RELEASE, "workload")["workload"]

    def one() -> One:
        known = asked.product.workloads.find(workload)
        if known is None or known.drift is None:
            return One(name=workload, fate=Fate.LEFT, why="no change by somebody else keeps it back any more")
        if milliseconds(known.drift.at) != seen:
            return One(name=workload, fate=Fate.LEFT, why=f"it was found changed once more {_SINCE}")
        asked.product.workloads.release(workload, who=asked.who.who, why=why)
        then = f"the next rollout of {known.image} moves it; to move it now, replay a rebuild from deploy"
        return One(name=workload, fate=Fate.DONE, place=address(known.image), why=then)

    return once(
        asked, PLACE, lambda: outcome("released", why, [one()], noun="workload"), owner=asked.field("owner")
    )


@pages.act("/on-call/resend-notice", "resend_notice")
def resend(asked: Asked) -> Response:
    why, seen = reason(asked), number(asked, "seen")
    wanted = _named(asked, RESENDING, "notice", "channel")
    notice, channel = wanted["notice"], wanted["channel"]

    def one() -> One:
        name, notices = f"{notice}, to {channel}", asked.product.notices
        try:
            known = notices.find(notice, channel).value
            name = f"{known.notice.title}, to {channel}"
            if milliseconds(known.changed_at) != seen:
                return One(name=name, fate=Fate.LEFT, why=f"it is {known.state} {_SINCE}")
            notices.resend(notice, channel, who=asked.who.who, why=why)
        except (InputError, NotFoundError) as exc:
            return One(name=name, fate=Fate.FAILED, why=str(exc))
        return One(name=name, fate=Fate.DONE, why="it is listed here again if it does not arrive")

    return once(asked, PLACE, lambda: outcome("queued", why, [one()], noun="notice"))


def _named(asked: Asked, schema: Json, *names: str) -> Json:
    """What a form says, held against what the API takes. Raises InvalidError."""
    return checked(json.dumps({name: asked.field(name) for name in (*names, "reason")}).encode(), schema)
