"""/ui/: what is under way now, and what was lately."""

from collections.abc import Sequence

from starlette.responses import Response

from groundswell.api.cascades import Listing, page_of
from groundswell.cascade.records import Header, Phase
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.tally import Tallies
from groundswell.errors import NotFoundError
from groundswell.wiring import App

pages = Pages()

_MOST_OPEN = 50
_A_PAGE = "25"


@pages.page("", "list_cascades")
@pages.page("/", "list_cascades")
def show(asked: Asked) -> Response:
    """The cascades under way stand on the first page, all others below, the newest first."""
    query = asked.read(Listing, limit=_A_PAGE)
    headers, following = page_of(asked.product, query)
    first = not (query.cursor or query.phase or query.base or query.archived)
    under_way = _under_way(asked.product) if first else []
    shown = under_way[:_MOST_OPEN]
    known = {header.id for header in shown}
    recent = [header for header in headers if header.id not in known]
    tallies = asked.part(Tallies)
    return asked.render(
        "now.html",
        first=first,
        under_way=shown,
        more=len(under_way) - len(shown),
        recent=recent,
        tallies=tallies.of([*shown, *recent]),
        following=following,
        archived=query.archived,
        phases=[phase.value for phase in Phase],
        live=any(header.phase is not Phase.ENDED for header in [*shown, *recent]),
    )


def _under_way(product: App) -> Sequence[Header]:
    """The newest first; one that ended a moment ago may still be on the list."""
    found = []
    for cascade in reversed(product.engine.records.open()):
        try:
            header = product.engine.records.header(cascade).value
        except NotFoundError:
            continue  # listed, and its first records are not written yet
        if header.phase is not Phase.ENDED:
            found.append(header)
    return found
