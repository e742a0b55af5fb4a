"""/ui/stale: what stands on an older base than there is now, since when, and why."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from starlette.responses import Response

from groundswell.api.paging import encode
from groundswell.api.problems import InvalidError
from groundswell.api.stale import Looking
from groundswell.cascade.stale import Cause, Report, StaleImage, StaleWorkload
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.stale_shelf import StaleShelf
from groundswell.dashboard.words import query_of
from groundswell.lineage.catalog import Brief

pages = Pages()

_UNREAD = 20

type Row = StaleImage | StaleWorkload


class Shown(Looking):
    """As the API's, and `kind`: images or workloads; `why`: a cause; `by`: the oldest first, or by name."""

    kind: str = ""
    why: Cause | None = None
    by: str = ""


@pages.page("/stale", "show_stale")
def show(asked: Asked) -> Response:
    query = asked.read(Shown, limit="50")
    registries = sorted(asked.product.settings.registries)
    look = asked.part(StaleShelf).look(_one_of(registries, query.registry))
    report = look.found.report if look.found else Report(images=(), workloads=(), unread=())
    everything: list[Row] = [*report.images, *report.workloads]
    briefs = asked.product.catalog.briefs()
    of_kind: Sequence[Row] = report.workloads if query.kind == "workloads" else report.images
    owned = [each for each in of_kind if query.owner in ("", _owner(each, briefs))]
    fitting = sorted((each for each in owned if query.why in (None, each.cause)), key=_key(query.by))
    rows = list(enumerate(fitting))
    after = query.after
    left = [(row, each) for row, each in rows if f"{row:06}" > after]
    shown = left[: query.limit]
    return asked.render(
        "stale.html",
        look=look,
        registries=registries,
        rows=[(each, _name(each), _owner(each, briefs), each.image in briefs) for _, each in shown],
        matching=len(fitting),
        following=encode(f"{shown[-1][0]:06}") if len(left) > len(shown) else None,
        causes=_causes(owned),
        of_kind=len(owned),
        images=sum(query.owner in ("", _owner(each, briefs)) for each in report.images),
        workloads=sum(query.owner in ("", _owner(each, briefs)) for each in report.workloads),
        unread=report.unread[:_UNREAD],
        more_unread=len(report.unread) - _UNREAD,
        owners=sorted({_owner(each, briefs) for each in everything} - {""}),
    )


@pages.act("/stale/again", "show_stale")
def again(asked: Asked) -> Response:
    """All of a registry is read: so only by a form, and not by a link that somebody sends around."""
    registry = _one_of(asked.product.settings.registries, asked.field("registry"))
    asked.part(StaleShelf).look(registry, again=True)
    return asked.see("/ui/stale" + query_of({"registry": registry}).rstrip("?"))


def _one_of(registries: Collection[str], named: str) -> str:
    """One that we build in: others are not listed. Raises InvalidError."""
    if named and named not in registries:
        there = ", ".join(sorted(registries)) or "none"
        raise InvalidError(
            [{"parameter": "registry", "detail": f"not one that images are built in; there is: {there}"}]
        )
    return named


def _name(each: Row) -> str:
    return each.workload if isinstance(each, StaleWorkload) else each.image


def _owner(each: Row, briefs: dict[str, Brief]) -> str:
    """As it is registered now; of what nobody registered, nobody."""
    brief = briefs.get(each.image)
    return brief.owner if brief else ""


def _key(by: str) -> Callable[[Row], tuple[float, str]]:
    def by_age(each: Row) -> tuple[float, str]:
        """What nobody knows the age of comes last."""
        return (each.since if each.since is not None else float("inf"), _name(each))

    def by_name(each: Row) -> tuple[float, str]:
        return (0.0, _name(each))

    return by_name if by == "name" else by_age


def _causes(found: Iterable[Row]) -> dict[str, int]:
    return {cause.value: count for cause, count in Counter(each.cause for each in found).most_common()}
