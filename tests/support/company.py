"""A company whose cascades are as one would find them on a busy day: done, with failures, and under way.

Its records are made by the real engine over the services of `world.py`, in a SQLite store that a Functions host may
then be started on: no message is left in it, so that nothing moves on by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groundswell.access.principal import Role
from tests.support.world import HOST, QUEUES, World, ref, registration, workload

DEBIAN, PYTHON, NODE = (f"{HOST}/mirror/{name}" for name in ("debian:12", "python:3.13", "node:22"))
SERVICES: Mapping[str, tuple[str, ...]] = {
    "shop": ("storefront", "cart", "checkout", "catalogue"),
    "search": ("indexer", "query", "suggest"),
    "payments": ("gateway", "ledger", "refunds"),
    "backoffice": ("invoices", "reports"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """`store` is the setting for a host; `tokens` are texts of API tokens by role.

    `done`, `failed` and `running` are cascades: one without a fault, one in which an image failed, one was rejected
    and others are blocked by them, and one under way, in which a person holds an image.
    """

    store: str
    tokens: Mapping[Role, str]
    done: str
    failed: str
    running: str
    images: tuple[str, ...]


def seed(folder: Path, *, now: float, more: int = 0) -> Company:
    """Make the company in `folder`, as it is at `now`, with `more` images that stand on node."""
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder, slots=6)
    world.time = now - 3 * 3600.0
    try:
        return _seed(world, folder, now, more)
    finally:
        world.close()


def _seed(world: World, folder: Path, now: float, more: int) -> Company:
    world.registry.on_push = lambda *_: None
    for reference in (PYTHON, NODE):
        world.push_base("sha256:base0", reference)
    images = [
        registration("platform/runtime", DEBIAN, owner="platform"),
        registration("platform/python", PYTHON, owner="platform"),
    ]
    for team, services in SERVICES.items():
        for number, service in enumerate(services):
            base = ref("platform/python") if number % 2 else ref("platform/runtime")
            name = f"{team}/{service}"
            images.append(registration(name, base, owner=team, deployments=[workload(service)]))
    images.append(registration("shop/cart-admin", ref("shop/cart"), owner="shop"))
    images += [registration(f"edge/site-{number:04d}", NODE, owner="edge") for number in range(max(more, 4))]
    world.register(*images)
    world.registry.on_push = world.webhook
    done = _push(world, DEBIAN)
    world.drive()

    world.time = max(world.time, now - 5000.0)
    world.broken, world.vulnerable = {"shop/cart"}, {"search/query"}
    failed = _push(world, PYTHON)
    world.drive()
    world.app.operator.replay(failed, "shop/cart", who="ann (entra:ann)", why="its source was <b>repaired</b>")
    world.drive()

    world.time = max(world.time, now - 240.0)
    for service in ("edge/site-0001", "edge/site-0002"):
        world.takes[service] = 10**6
    running = _push(world, NODE)
    world.app.operator.hold(running, "edge/site-0003", who="ben (entra:ben)", why="the launch is tonight")
    world.drive(until=60.0)
    _silence(world)
    create = world.app.tokens.create
    tokens = {
        role: create(
            f"{role} token",
            roles=[role],
            teams=["shop"] if role is Role.REGISTRAR else [],
            seconds=86_400.0,
            who="seed",
            why="tests",
        )[1]
        for role in Role
    }
    return Company(
        store=f"sqlite:///{folder / 'store.db'}",
        tokens=tokens,
        done=done,
        failed=failed,
        running=running,
        images=tuple(image.name for image in images),
    )


def _push(world: World, base: str) -> str:
    """Push a base and take the push in; returns the cascade that began."""
    world.push_base(f"sha256:{world.time:.0f}", base)
    (message,) = world.app.store.receive(QUEUES[0], limit=1, lease=600)
    world.app.intake.handle(message.body)
    world.app.store.delete(QUEUES[0], message)
    return world.cascade


def _silence(world: World) -> None:
    """Take every message away, those that are not due yet as well."""
    at, world.time = world.time, world.time + 3600.0
    for name in QUEUES:
        while messages := world.app.store.receive(name, limit=32):
            for message in messages:
                world.app.store.delete(name, message)
    world.time = at
