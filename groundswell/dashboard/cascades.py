"""/ui/cascades/ID: one cascade, with the table of its images, and what may be done to all of them."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from groundswell.api.cascades import Rows
from groundswell.api.paging import encode
from groundswell.cascade.kept import Kept
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import Phase
from groundswell.cascade.rows import rows
from groundswell.cascade.status import Stage
from groundswell.cascade.view import Row
from groundswell.dashboard.offered import offers
from groundswell.dashboard.pressed import Telling, told
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.dashboard.tally import tally

pages = Pages()


class Shown(Rows, Telling):
    """As the API's list of rebuilds, and `q`: only images with this in the name, the reason or a digest."""

    q: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    row: Row
    at: float


@pages.page("/cascades/{cascade}", "list_rebuilds")
def show(asked: Asked) -> Response:
    return table(asked)


def address(cascade: str) -> str:
    return f"/ui/cascades/{quote(cascade)}"


def table(asked: Asked, *, wrong: str = "", act: str = "", status: int = 200) -> Response:
    """All records are looked at, for the counts; those of a page are decoded.

    `wrong` says why the act `act` was not done: what was entered is still there then.
    """
    query, now = asked.read(Shown), asked.product.clock()
    text, after = query.q.lower(), query.after
    kept = Kept(asked.product.engine.records, asked.product.archive, asked.path["cascade"])
    header = kept.header()
    everything = asked.part(RebuildShelf).outlines(kept, header, anew=bool(query.told or act))
    wanted = [each for each in everything if (not query.status or each.status in query.status) and _has(each, text)]
    left = [each for each in wanted if each.image > after]
    shown = [each.rebuild() for each in left[: query.limit]]
    return asked.render(
        "cascade.html",
        status=status,
        header=header,
        archived=kept.archived,
        tally=tally(everything),
        lines=[Line(row=row, at=state.updated_at) for state in shown for row in rows([state], now=now)],
        matching=len(wanted),
        following=encode(shown[-1].image) if len(left) > len(shown) else None,
        chosen=query.status[0].value if len(query.status) == 1 else "",
        live=header.phase is not Phase.ENDED,
        offers=None if kept.archived or header.phase is Phase.PLANNING else offers(everything),
        stages=[stage.value for stage in Stage],
        here=address(header.id),
        told=told(asked, query.told),
        wrong=wrong,
        act=act,
        reason=asked.field("reason"),
        begin=asked.field("from"),
    )


def _has(outline: Outline, text: str) -> bool:
    texts = (outline.image, outline.reason, *outline.digests)
    return not text or any(text in each.lower() for each in texts)
