"""A year that is over: cascades that ended in past months, which only the yearbook knows."""

import calendar
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

from groundswell.cascade.archive import Archive, months
from groundswell.cascade.durations import Durations
from groundswell.cascade.ids import new_id
from groundswell.cascade.model import Moment, Move, Rebuild, Rollout
from groundswell.cascade.records import Header, Phase, Records
from groundswell.cascade.status import Status
from groundswell.cascade.yearbook import Yearbook
from groundswell.lineage.catalog import Catalog
from groundswell.store.port import Store
from tests.support.world import HOST

IMAGES = {
    "data/warehouse": 1260.0,
    "data/notebooks": 940.0,
    "ml/trainer": 2310.0,
    "ml/serving": 480.0,
    "shop/storefront": 95.0,
    "shop/search": 132.0,
    "payments/gateway": 210.0,
    "payments/ledger": 75.0,
}
"""What is rebuilt in them, with what its build takes as a rule."""
_SEVERITIES = ("CRITICAL", "HIGH", "HIGH", "MEDIUM", "LOW", "LOW")
_DAY = 86_400.0


class _Known(Durations):
    def usual(self, images: Iterable[str]) -> dict[str, float]:
        return {image: IMAGES[image] for image in images}


def enter(store: Store, *, now: float, count: int = 12) -> int:
    """The last `count` months but the third, in which nothing happened; returns how many cascades there were."""
    yearbook = Yearbook(
        store=store,
        records=Records(store),
        archive=Archive(store),
        catalog=Catalog(store, lambda: now),
        durations=_Known(store),
        pushes=lambda _: iter(()),
        clock=lambda: now,
    )
    entered = 0
    for header, states in _cascades(now, count):
        yearbook.enter(header, states)
        entered += 1
    return entered


def _cascades(now: float, count: int) -> Iterator[tuple[Header, dict[str, Rebuild]]]:
    """Slower and less certain the longer ago."""
    rng = random.Random(1)
    for ago, month in zip(range(count), months(now), strict=False):
        if ago == 2:
            continue
        year, number = (int(part) for part in month.split("-"))
        first = float(calendar.timegm((year, number, 1, 0, 0, 0)))
        for _ in range(1 if ago == 0 else rng.randint(3, 7)):
            started = max(first, min(first + rng.random() * 27 * _DAY, now - 7200.0))
            header = Header(
                id=new_id(started),
                base=f"{HOST}/mirror/debian:12",
                digest="sha256:base",
                source="webhook",
                started_at=started,
                total=len(IMAGES),
                open=0,
                phase=Phase.ENDED,
            )
            yield header, {image: _rebuild(rng, header, image, ago / count) for image in IMAGES}


def _rebuild(rng: random.Random, header: Header, image: str, worse: float) -> Rebuild:
    at = header.started_at + IMAGES[image] * rng.uniform(0.7, 1.2) * (1 + worse) + rng.expovariate(1 / 200)
    state = Rebuild(
        cascade=header.id,
        image=image,
        status=Status.DONE,
        waits={},
        run="r1",
        spec={"owner": image.partition("/")[0]},
        promoted="sha256:new",
        history=(Moment(status=Status.DONE, at=at),),
    )
    if rng.random() < 0.02 + 0.1 * worse:
        return replace(state, status=rng.choice((Status.FAILED, Status.REJECTED, Status.BLOCKED)), promoted="")
    fixed = [{"severity": severity} for severity in _SEVERITIES if rng.random() < 0.25]
    moved = Rollout(workload="w", former="x", image="y", move=Move.HEALTHY, at=at)
    return replace(state, rollouts=(moved,), verdict={"compared": "sha256:old", "fixed": fixed})
