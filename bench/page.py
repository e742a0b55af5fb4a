"""The pages of the dashboard over 10,000 images and 1,000 cascades: how long whoever opens one waits.

In this process, straight to ASGI, signed in, one request after another; one of the cascades is under way with about
2,000 images. Each time it is opened on a dashboard that was started for it, so that nothing is shown as it was read
a moment before; what is stale, which no page waits for, was looked up once. What is measured is told by
page, with the seconds of CPU: a busy machine makes people wait, and CPU no longer.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench import api
from bench.result import Result
from graph.impact import impact
from groundswell import heap
from groundswell.access.principal import Role
from groundswell.api.surveys import Surveys
from groundswell.cascade.ids import new_id
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.status import Status
from groundswell.dashboard import app as dashboard
from groundswell.dashboard.stale_shelf import StaleShelf
from tests.support.world import World

LIMIT = 0.2
"""Seconds."""
_CASCADES = 1_000
_LARGE = 2_000
_RUNS = 40
_APART = 9 * 3600.0
"""Seconds between two cascades: they reach back a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """`large` is the cascade under way of a push of `base`, `within` an image of it, `failed` one that failed.

    `image` is one of `ended`.
    """

    world: World
    stale: StaleShelf
    base: str
    large: str
    ended: str
    image: str
    within: str
    failed: str


PARAMETERS: Mapping[str, Callable[[Seed], Sequence[str]]] = {
    "/ui/cascades/{cascade}": lambda seed: [
        f"/ui/cascades/{seed.large}",
        f"/ui/cascades/{seed.large}?limit=500",
        f"/ui/cascades/{seed.large}?q=team1",
        f"/ui/cascades/{seed.ended}",
    ],
    "/ui/cascades/{cascade}/images/{image:path}": lambda seed: [
        f"/ui/cascades/{seed.large}/images/{seed.within}",
        f"/ui/cascades/{seed.ended}/images/{seed.image}",
    ],
    "/ui/cascades/{cascade}/logs/{image:path}": lambda seed: [f"/ui/cascades/{seed.large}/logs/{seed.failed}"],
    "/ui/cascades/{cascade}/timeline": lambda seed: [
        f"/ui/cascades/{seed.large}/timeline",
        f"/ui/cascades/{seed.ended}/timeline",
    ],
    "/ui/cascades/{cascade}/graph": lambda seed: [
        f"/ui/cascades/{seed.large}/graph",
        f"/ui/cascades/{seed.ended}/graph",
    ],
    "/ui/cascades/{cascade}/graph.json": lambda seed: [f"/ui/cascades/{seed.large}/graph.json"],
    "/ui/lineage/{image:path}": lambda seed: [f"/ui/lineage/{seed.image}"],
    "/ui/on-call/log/{cascade}/{image:path}": lambda seed: [f"/ui/on-call/log/{seed.large}/{seed.failed}"],
    "/ui/on-call/compare/{cascade}/{image:path}": lambda seed: [f"/ui/on-call/compare/{seed.large}/{seed.failed}"],
}
"""The addresses to open of a page that has parameters in its path."""
MORE: Mapping[str, Callable[[Seed], Sequence[str]]] = {
    "/ui/": lambda _: ["/ui/?phase=ended&limit=100"],
    "/ui/audit": lambda _: ["/ui/audit?who=nobody"],
    "/ui/lineage": lambda _: ["/ui/lineage?q=team1", "/ui/lineage?owner=team1"],
    "/ui/on-call": lambda _: ["/ui/on-call?owner=team1"],
    "/ui/history": lambda _: ["/ui/history?months=60", "/ui/history?owner=team1"],
    "/ui/impact": lambda seed: [f"/ui/impact?{urlencode({'reference': seed.base})}"],
}
"""Other questions of a page without, which may take longer."""


_FAULTS = (b'class="wrong"', b"cannot be read", b"cannot be shown")
"""How a page says that it could not find out what it is to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds of each time a page was opened, on the clock and of CPU."""

    wall: Sequence[float]
    cpu: Sequence[float]

    @property
    def p50(self) -> float:
        return median(self.wall)

    @property
    def p99(self) -> float:
        return sorted(self.wall)[int(0.99 * len(self.wall))]


def slowest() -> Result:
    """The 99th percentile of the page that takes longest, in seconds; the sign-in page is a frame alone."""
    heap.settle()
    with tempfile.TemporaryDirectory() as folder:
        seed = seeded(Path(folder))
        waits = {address: _open(seed, address) for address in addresses(seed)}
        seed.world.close()
    table = Table(box=None, pad_edge=False)
    for heading in ("page", "p50 ms", "p99 ms", "p50 CPU ms", f"of {LIMIT * 1000:.0f} ms"):
        table.add_column(heading)
    for address, wait in waits.items():
        told = address.replace(seed.large, "LARGE").replace(seed.ended, "ENDED")
        figures = (f"{seconds * 1000:.0f}" for seconds in (wait.p50, wait.p99, median(wait.cpu)))
        table.add_row(told, *figures, f"{wait.p99 / LIMIT:.0%}")
    Console().print(table)
    return Result(
        value=max(wait.p99 for wait in waits.values()),
        unit="s",
        baseline="the sign-in page",
        baseline_value=waits["/ui/sign-in"].p99,
    )


def paths() -> list[str]:
    """The pages that the dashboard has, as its routes spell them."""
    routes = (route for pages in dashboard._SUBJECTS for route in pages.routes)
    return sorted(route.path for route in routes if "GET" in (route.methods or ()))


def addresses(seed: Seed) -> list[str]:
    """What is opened: every page. Raises KeyError when one has parameters that nothing here fills in."""
    found: list[str] = []
    for path in paths():
        found += PARAMETERS[path](seed) if "{" in path else [path, *(MORE[path](seed) if path in MORE else ())]
    return found


def seeded(folder: Path) -> Seed:
    """10,000 images, of which some 2,000 are being rebuilt, and a year of cascades like those of the engine."""
    world = api.seeded(folder)
    records = world.app.engine.records
    known = [(records.header(cascade).value, list(records.rebuilds(cascade))) for cascade in world.cascades]
    for number in range(_CASCADES - 1 - len(known)):
        _again(world, *known[number % len(known)], at=world.time - (_CASCADES - number) * _APART)
    world.app.sweep.cascades()
    ended = known[0]
    with world.app.catalog.lineage() as lineage:
        sizes = {base: len(impact(lineage, base).images) for base in lineage.bases()}
    base = min(sizes, key=lambda each: abs(sizes[each] - _LARGE))
    names = sorted(item.name for item in world.app.catalog.registrations())
    world.broken, world.vulnerable = set(names[::23]), set(names[5::37])
    world.push_base("sha256:large", base)
    world.drive(until=60.0)
    gc.freeze()  # what the services of this world keep is no part of the product
    states = list(records.outlines(world.cascade))
    return Seed(
        world=world,
        stale=looked_up(world),
        base=base,
        large=world.cascade,
        ended=ended[0].id,
        image=ended[1][0].image,
        within=states[0].image,
        failed=next(each.image for each in states if each.status is Status.FAILED),
    )


def looked_up(world: World) -> StaleShelf:
    """What is stale, looked up once. Raises RuntimeError when that does not work."""
    surveys = Surveys(world.app, time.monotonic)
    shelf = StaleShelf(surveys.stale, world.app.clock, begin=lambda work: work())
    shelf.look()
    if trouble := shelf.look().trouble:
        raise RuntimeError(f"what is stale could not be looked up: {trouble}")
    return shelf


def _again(world: World, header: Header, states: Sequence[Rebuild], *, at: float) -> None:
    """A cascade like another, that began at another time."""
    later = at - header.started_at
    cascade = new_id(at)
    records = world.app.engine.records
    new = replace(header, id=cascade, started_at=at, phase=Phase.PLANNING, ended_at=None, pushes=())
    records.enlist(cascade)
    records.create(new, [])
    moved = [
        replace(
            state,
            cascade=cascade,
            history=tuple(replace(moment, at=moment.at + later) for moment in state.history),
        )
        for state in states
    ]
    records.extend(cascade, moved, at=max(state.updated_at for state in moved))


def _kept(app: ASGIApp, told: list[bytes]) -> ASGIApp:
    """The application; what it answers is kept in `told`."""

    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        async def keep(message: Message) -> None:
            told.append(message.get("body", b""))
            await send(message)

        await app(scope, receive, keep)

    return kept


def _open(seed: Seed, address: str) -> Waits:
    """Raises RuntimeError when the page is not shown, or tells of a fault."""
    text = seed.world.app.tokens.create("bench", roles=[Role.ADMIN], seconds=86_400, who="bench", why="bench")[1]
    secret = seed.world.app.sessions.begin(seed.world.app.tokens.principal(text))
    cookie = (b"cookie", f"__Host-groundswell={secret}".encode())

    async def opened() -> Waits:
        wall, cpu = [], []
        for number in range(_RUNS + 1):
            app = dashboard.create(seed.world.app)
            app.state.parts[StaleShelf] = seed.stale
            told: list[bytes] = []
            ask = api.asker(_kept(app, told), cookie)
            gc.collect()  # the dashboard before, which nobody would have thrown away
            began, used = time.perf_counter(), time.process_time()
            status = await ask(address)
            took, busy = time.perf_counter() - began, time.process_time() - used
            if status != HTTPStatus.OK:
                raise RuntimeError(f"{address} is answered with {status}")
            if fault := next((each for each in _FAULTS if each in b"".join(told)), None):
                raise RuntimeError(f"{address} tells of a fault: {fault.decode()}")
            if number:  # what is made at first use is made now
                wall.append(took)
                cpu.append(busy)
        return Waits(wall=wall, cpu=cpu)

    return asyncio.run(opened())
