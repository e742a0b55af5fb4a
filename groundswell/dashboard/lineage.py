"""/ui/lineage: the registered images, searched by name, owner and base."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched, islice

from starlette.responses import Response

from graph.lineage import Lineage
from groundswell.api import lineage as api
from groundswell.api.paging import take
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.standing import Base, bases, dependants
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration

pages = Pages()

_AT_ONCE = 50
_TOLD = 20
"""Images whose last change is told at the head of the list."""


class Shown(api.Listing):
    """As the API's list of images, and `q`: with this in the name; `base`: standing on it; `told`: just changed."""

    q: str = ""
    base: str = ""
    told: list[str] = []  # noqa: RUF012  # pydantic copies it


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    image: Registration
    bases: Sequence[Base]
    dependants: int


@pages.page("/lineage", "list_images")
def show(asked: Asked) -> Response:
    """The names are found in the loaded lineage; only what is on the page is read."""
    query = asked.read(Shown, limit="50")
    catalog = asked.product.catalog
    briefs = catalog.briefs()
    labels = api.labelled(query.label)
    with catalog.lineage(age=1.0) as lineage:
        fitting = list(_fitting(lineage, query.q.lower(), query.base))
    names = sorted(name for name in fitting if name in briefs and query.owner in ("", briefs[name].owner))
    left = names[bisect_right(names, query.after) :]
    found, following = take(_read(catalog, left, labels), query.limit)
    with catalog.lineage(age=1.0) as lineage:
        lines = [_line(lineage, image) for image in found]
    return asked.render(
        "lineage.html",
        lines=lines,
        following=following,
        matching=None if labels else len(names),
        total=len(briefs),
        owners=sorted({brief.owner for brief in briefs.values()} - {""}),
        told=[(name, line) for name in query.told[:_TOLD] for line in islice(catalog.history(name, limit=1), 1)],
    )


def _fitting(lineage: Lineage, text: str, base: str) -> Iterator[str]:
    """By name those with `text`, of those that stand on `base`: an image, a base, or a part of such a reference."""
    for name in _standing_on(lineage, base) if base else (node.name for node in lineage):
        if text in name:
            yield name


def _standing_on(lineage: Lineage, base: str) -> Iterator[str]:
    if node := lineage.node(base):
        return (each.image for each in dependants(lineage, node))
    if edges := lineage.dependants(base):
        return iter({edge.image for edge in edges})
    return (node.name for node in lineage if any(base in each for each in (node.runtime or "", *node.build)))


def _read(
    catalog: Catalog, names: Sequence[str], labels: Mapping[str, str]
) -> Iterator[tuple[str, Registration | None]]:
    for some in batched(names, _AT_ONCE, strict=False):
        for image in catalog.registrations(some):
            yield image.name, image if labels.items() <= image.labels.items() else None


def _line(lineage: Lineage, image: Registration) -> Line:
    node = lineage.node(image.name) or image.node
    return Line(image=image, bases=bases(lineage, image.name), dependants=len(dependants(lineage, node)))
