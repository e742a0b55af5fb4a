"""/ui/history: what the cascades of past months came to."""

import calendar
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groundswell.api.paging import encode
from groundswell.api.statistics import Looking
from groundswell.cascade.statistics import SEVERITIES, SLOWEST, UNSAID, Month, Times, rate
from groundswell.clock import inverted
from groundswell.dashboard.charts import HEIGHT, Told, counts, shares, times
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.words import lasted, month_name, percent
from groundswell.wiring import App

pages = Pages()

_SPANS = (3, 6, 12, 24, 36, 60)
_DAY = 86_400
_KINDS: Mapping[str, str] = {"CRITICAL": "bad", "HIGH": "warn"}
"""How severities are drawn; the others are one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """An image and what its build usually took, as of the last month that names it; `share` of the slowest."""

    image: str
    seconds: float
    month: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A month of the table; its cascades are listed at `kept`, and, as far as they are old, at `archived`."""

    month: Month
    kept: str
    archived: str


@pages.page("/history", "show_statistics")
def show(asked: Asked) -> Response:
    query = asked.read(Looking)
    owner = query.owner.strip()
    months = asked.product.yearbook.told(query.months, owner=owner)
    forward = months[::-1]
    ended = _sum(month.ended for month in months)
    fixed = _sum(month.fixed for month in months)
    return asked.render(
        "history.html",
        owner=owner,
        owners=asked.product.catalog.owners(),
        span=query.months,
        spans=sorted({*_SPANS, query.months}),
        cascades=sum(month.cascades for month in months),
        images=sum(ended.values()),
        rate=rate(ended),
        replays=sum(month.replays for month in months),
        latest=next((month for month in months if month.per_cascade.count), None),
        fixed={name: fixed[name] for name in (*SEVERITIES, UNSAID) if fixed[name]},
        compared=sum(month.compared for month in months),
        uncompared=sum(month.uncompared for month in months),
        height=HEIGHT,
        took=times([_took(month) for month in forward]),
        success=shares([_success(month) for month in forward]),
        mended=counts([_mended(month) for month in forward]),
        slowest=_slowest(months),
        lines=[_line(asked.product, month) for month in months if month.cascades],
    )


def _sum(some: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in some:
        total.update(each)
    return total


def _took(month: Month) -> Told:
    """Of the slowest cascades the 95th percentile, and within it the median."""
    took = month.per_cascade
    parts = (("most", took.p95 or 0.0), ("half", took.p50 or 0.0))
    return Told(month=month.month, parts=parts, told=_within(month, took))


def _within(month: Month, took: Times) -> str:
    if not took.count:
        return f"{month_name(month.month)}: nothing was rolled out"
    rolled = f"{took.count} cascade{'s' if took.count > 1 else ''}"
    return f"{month_name(month.month)}: p50 {lasted(took.p50)}, p95 {lasted(took.p95)}, of {rolled}"


def _success(month: Month) -> Told:
    name = month_name(month.month)
    if month.rate is None:
        return Told(month=month.month, parts=(), told=f"{name}: no image ended well or badly")
    parts = (("ok", month.rate), ("bad", 1 - month.rate))
    return Told(month=month.month, parts=parts, told=f"{name}: {percent(month.rate)} of {month.images} images")


def _mended(month: Month) -> Told:
    """The height is what was fixed per cascade; the parts are in proportion to the severities of the month."""
    name, total = month_name(month.month), sum(month.fixed.values())
    if month.fixed_per_cascade is None:
        return Told(month=month.month, parts=(), told=f"{name}: nothing was compared")
    drawn = Counter({"bad": 0, "warn": 0, "gone": 0})
    for severity, count in month.fixed.items():
        drawn[_KINDS.get(severity, "gone")] += count
    parts = [(kind, count * month.fixed_per_cascade / max(1, total)) for kind, count in drawn.items()]
    return Told(
        month=month.month, parts=parts, told=f"{name}: {month.fixed_per_cascade:g} per cascade, {total} in all"
    )


def _slowest(months: Sequence[Month]) -> list[Slow]:
    """Of the newest month that names an image: an older one may tell of what was made quicker since."""
    known: dict[str, tuple[float, str]] = {}
    for month in months:
        for image, seconds in month.slowest:
            known.setdefault(image, (seconds, month.month))
    first = sorted(known.items(), key=lambda item: (-item[1][0], item[0]))[:SLOWEST]
    most = max((seconds for _, (seconds, _) in first), default=0.0) or 1.0
    return [
        Slow(image=image, seconds=seconds, month=month, share=round(seconds / most, 4))
        for image, (seconds, month) in first
    ]


def _line(product: App, month: Month) -> Line:
    """With the lists of cascades that begin at the end of the month and go back from there."""
    year, _, number = month.month.partition("-")
    begins = calendar.timegm((int(year), int(number), 1, 0, 0, 0))
    ends = begins + calendar.monthrange(int(year), int(number))[1] * _DAY
    settings = product.settings
    kept_since = product.clock() - settings.keep_cascades_days * _DAY if settings.keep_cascades_days else 0.0
    address = f"/ui/?cursor={encode(inverted(ends) + '-z')}"
    return Line(
        month=month,
        kept=address if ends > kept_since else "",
        archived=f"{address}&archived=true" if settings.archive and begins < kept_since else "",
    )
