"""The API at 200 requests a second over 10,000 images: how long whoever asks waits.

In this process, straight to ASGI: what is measured is the API, not a server in front of it. Requests come at their
times whether or not earlier ones are answered, and a wait counts from the time a request was due.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Scope

from bench import lineages
from bench.result import Result
from graph.impact import impact
from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from tests.support.world import World

_IMAGES = 10_000
_RATE = 200
_SECONDS = 20
_CASCADES = 20
_PREFIX = "/api/v1"

type Ask = Callable[[str], Awaitable[int]]


def answers() -> Result:
    """The 99th percentile of the answers, in seconds, against a route of FastAPI that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        world = seeded(Path(folder))
        text = world.app.tokens.create("bench", roles=[Role.READER], seconds=86_400, who="bench", why="bench")[1]
        app = create(world.app)
        value = _p99(asker(app, (b"authorization", f"Bearer {text}".encode())), list(_paths(world)))
        world.close()
    return Result(value=value, unit="s", baseline="an empty FastAPI route", baseline_value=_baseline())


def _baseline() -> float:
    app = FastAPI()

    @app.get("/empty")
    def empty() -> dict[str, str]:
        return {}

    return _p99(asker(app), ["/empty"])


def seeded(folder: Path) -> World:
    """10,000 images, and a few cascades that have ended."""
    world = World(folder, slots=32)
    world.registry.on_push = lambda *_: None
    images = list(lineages.registrations(_IMAGES))
    world.app.catalog.register(images, who="bench")
    vars(world.app)["buckets"] = Buckets(rate=1e9, burst=1e9)
    with world.app.catalog.lineage() as lineage:
        small = (base for base in lineage.bases() if 5 <= len(impact(lineage, base).images) <= 40)
        bases = list(islice(small, _CASCADES))
    world.registry.on_push = world.webhook
    for number, base in enumerate(bases):
        world.push_base(f"sha256:{number}", base)
        world.drive()
    return world


def _paths(world: World) -> Iterator[str]:
    """What people and pipelines ask for, at random, the same for each run."""
    rng = random.Random(1)  # noqa: S311  # made-up data
    cascades = world.cascades
    names = [item.name for item in world.app.catalog.registrations()]
    rebuilds = [(cascade, image) for cascade in cascades for image in world.states(cascade)]
    for _ in range(_RATE * _SECONDS):
        name, cascade, (of, image) = rng.choice(names), rng.choice(cascades), rng.choice(rebuilds)
        asked = {
            f"/lineage/images/{name}": 25,
            f"/lineage/images?limit=50&owner={name.partition('/')[0]}": 5,
            "/lineage/images?limit=50": 5,
            f"/impact?reference={quote(name)}": 10,
            "/cascades?limit=20": 15,
            f"/cascades/{cascade}": 10,
            f"/cascades/{cascade}/rebuilds": 10,
            f"/cascades/{of}/rebuilds/{image}": 10,
            "/audit?limit=50": 5,
            "/pushes?limit=50": 5,
        }
        yield _PREFIX + rng.choices(list(asked), list(asked.values()))[0]


def asker(app: ASGIApp, *more: tuple[bytes, bytes]) -> Ask:
    """Asks for an address and tells the status; `more` are headers."""
    headers = [(b"host", b"bench"), *more]

    async def ask(address: str) -> int:
        path, _, query = address.partition("?")
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("bench", 80),
        }
        status = 0

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        await app(scope, receive, send)
        return status

    return ask


def _p99(ask: Ask, addresses: Sequence[str]) -> float:
    """Raises RuntimeError when an answer is not what it should be."""
    waits, statuses = asyncio.run(_load(ask, addresses))
    if set(statuses) != {200}:
        raise RuntimeError(f"answered with {dict(statuses)}")
    return sorted(waits)[int(0.99 * len(waits))]


async def _load(ask: Ask, addresses: Sequence[str]) -> tuple[list[float], Counter[int]]:
    waits: list[float] = []
    statuses: Counter[int] = Counter()

    async def one(address: str, due: float) -> None:
        statuses[await ask(address)] += 1
        waits.append(time.perf_counter() - due)

    for address in addresses[:50]:  # what is made at first use is made now
        await ask(address)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(_RATE * _SECONDS):
            due = began + number / _RATE
            if (left := due - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            group.create_task(one(addresses[number % len(addresses)], due))
    return waits, statuses
