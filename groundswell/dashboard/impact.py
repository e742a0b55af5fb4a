"""/ui/impact: what a push of a base or an image would do, before anybody pushes it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groundswell.api.impact import Asking
from groundswell.api.paging import Paged, encode
from groundswell.api.parameters import read
from groundswell.api.problems import InvalidError
from groundswell.cascade.basebook import Base
from groundswell.cascade.freezes import Freeze, local
from groundswell.cascade.freezes import told as frozen
from groundswell.cascade.preview import Line, Preview
from groundswell.dashboard.foresight import Foresight
from groundswell.dashboard.routing import Asked, Pages
from groundswell.errors import InputError
from groundswell.lineage.catalog import Brief
from groundswell.lineage.model import Registration

pages = Pages()

_A_PAGE = "50"
_TEAMS = 12
_NONE = Brief(owner="", workloads=())


class Shown(Paged):
    """As the API's impact, which images of it, and from where on."""

    reference: str = ""
    slots: str = ""
    owner: str = ""
    wave: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An image in the order of the builds, from 1; 0 for one that is held. `why` keeps its rollouts waiting."""

    number: int
    line: Line
    owner: str
    workloads: int
    waits: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """The whole of a preview in numbers: by wave, and by team the most first."""

    rebuilt: int
    held: int
    waves: Mapping[int, int]
    teams: Sequence[tuple[str, int]]
    other_teams: int
    workloads: int


@pages.page("/impact", "show_impact")
def show(asked: Asked) -> Response:
    """The numbers are of all that would be rebuilt; registrations are read for the rows of one page only."""
    query = asked.read(Shown, limit=_A_PAGE)
    if not query.reference:
        return _page(asked)
    try:
        wanted = read(Asking, {name: asked.query[name] for name in ("reference", "slots") if name in asked.query})
        slots = wanted.slots or asked.product.settings.slots
        found = asked.part(Foresight).preview(wanted.reference.strip(), slots)
    except InputError as exc:
        at = exc.errors[0].get("parameter") if isinstance(exc, InvalidError) else "reference"
        return _page(asked, wrong={at: str(exc).removeprefix(f"{at}: ")}, status=422)
    briefs = asked.product.catalog.briefs(age=1.0)
    numbered = [(0 if line.held else number, line) for number, line in enumerate(found.lines, 1)]
    fitting = [
        (row, number, line)
        for row, (number, line) in enumerate(numbered)
        if query.owner in ("", briefs.get(line.image, _NONE).owner)
        and query.wave in (None, 0 if line.held else line.depth)
        and (line.held or not query.held)
    ]
    after = query.after
    left = [each for each in fitting if f"{each[0]:06}" > after]
    shown = left[: query.limit]
    return _page(
        asked,
        found=found,
        total=_sum(found, briefs),
        base=asked.product.bases.get(found.base),
        publisher=_publisher(asked, found.base),
        places=_places(asked, [(number, line) for _, number, line in shown]),
        matching=len(fitting),
        following=encode(f"{shown[-1][0]:06}") if len(left) > len(shown) else None,
        slots=slots,
        frozen=_frozen(asked),
        filtered=bool(query.owner or query.wave is not None or query.held),
    )


def _page(
    asked: Asked,
    *,
    wrong: Mapping[object, str] | None = None,
    found: Preview | None = None,
    total: Sum | None = None,
    base: Base | None = None,
    publisher: str = "",
    places: Sequence[Place] = (),
    matching: int = 0,
    following: str | None = None,
    slots: int = 0,
    frozen: Sequence[tuple[Freeze, str]] = (),
    filtered: bool = False,
    status: int = 200,
) -> Response:
    return asked.render(
        "impact.html",
        wrong=wrong or {},
        found=found,
        total=total,
        base=base,
        publisher=publisher,
        places=places,
        matching=matching,
        following=following,
        slots=slots,
        frozen=frozen,
        filtered=filtered,
        status=status,
    )


def _sum(found: Preview, briefs: Mapping[str, Brief]) -> Sum:
    rebuilt = [line for line in found.lines if not line.held]
    teams = Counter(briefs.get(line.image, _NONE).owner for line in rebuilt)
    return Sum(
        rebuilt=len(rebuilt),
        held=len({line.image for line in found.lines if line.held}),
        waves=dict(sorted(Counter(line.depth for line in rebuilt).items())),
        teams=teams.most_common(_TEAMS),
        other_teams=max(0, len(teams) - _TEAMS),
        workloads=sum(len(briefs.get(line.image, _NONE).workloads) for line in rebuilt),
    )


def _publisher(asked: Asked, base: str) -> str:
    with asked.product.catalog.lineage(age=1.0) as lineage:
        return lineage.publisher(base) or ""


def _places(asked: Asked, lines: Sequence[tuple[int, Line]]) -> list[Place]:
    product = asked.product
    known = {item.name: item for item in product.catalog.registrations({line.image for _, line in lines})}
    rules, now = product.freezes.rules(), product.clock()

    def waits(item: Registration) -> list[str]:
        """What keeps its rollouts from following at once, as far as it is known beforehand."""
        found = ["needs an approval"] if item.approval or any(ring.get("approval") for ring in item.rings) else []
        return [*found, *filter(None, (frozen(rules, place, now) for place in sorted(item.environments)))]

    return [
        Place(
            number=number,
            line=line,
            owner=item.owner if item else "",
            workloads=len(item.deployments) if item else 0,
            waits=waits(item) if item and not line.held else (),
        )
        for number, line in lines
        for item in [known.get(line.image)]
    ]


def _frozen(asked: Asked) -> list[tuple[Freeze, str]]:
    """The freezes in force now, and until when in the words of their zone."""
    now = asked.product.clock()
    open_now = ((rule, rule.until(now)) for rule in asked.product.freezes.rules())
    return [(rule, local(end, rule.zone)) for rule, end in open_now if end is not None]
