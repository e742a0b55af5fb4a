"""Killed at any call of the store or of a channel: nothing is lost, nothing told twice but by a half-saved try.

The process dies before or after a call took effect; another one goes on, with what is stored and nothing else.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from groundswell.channels import Kind
from groundswell.notify.delivery import State
from groundswell.wiring import App
from tests.faults.tap import Killed, Tap
from tests.support.notices import channel, deliver, deliveries, listen
from tests.support.world import BASE, World, ref, registration


class Calls:
    """Counts what the notices do, and dies at the given moment, once."""

    def __init__(self) -> None:
        self.count = 0
        self.die_at = -1

    def watch(self, port: str, verb: str, done: bool) -> None:
        del port, verb, done
        self.count += 1
        if self.count == self.die_at:
            raise Killed


def mortal(app: App, calls: Calls) -> None:
    """Let every call that leaves something behind, or asks, go by `calls`."""
    store, sender = app.store, app.sender

    def call(port: object) -> Callable[..., Any]:
        return lambda verb, args, kwargs: getattr(port, verb)(*args, **kwargs)

    for part, name in ((app.notices, "_store"), (app.watch, "_store"), (app.watch._box, "_store")):
        setattr(part, name, Tap("store", call(store), calls.watch))
    tapped = Tap("scanner", call(sender), calls.watch)
    app.notices._sender = lambda: tapped


def play(folder: Path, die_at: int, seed: int) -> tuple[int, World, list[tuple[str, str]]]:
    """A failure, a rejection and a healing, with one death; returns the calls made, and who got what."""
    rng = random.Random(seed)
    world = World(
        folder, registration("top", BASE), registration("web", ref("top")), registration("api", ref("top"))
    )
    world.drive()
    calls, got = Calls(), []
    calls.die_at = die_at
    channels = {"one": channel(url="https://one"), "two": channel(url="https://two")}

    def start() -> App:
        app = world.another()
        sender = listen(world, app, **channels)
        real = sender.send

        def send(*args: Any, **rest: Any) -> None:
            real(*args, **rest)
            got.append((args[0].url, args[1].id))

        sender.send = send  # type: ignore[method-assign]  # what arrives is noted for good
        mortal(app, calls)
        return app

    app = start()

    def turn() -> None:
        nonlocal app
        world.time += 60.0
        for act in rng.sample([app.watch.run, partial(deliver, app)], 2):
            try:
                act()
            except Killed:
                app = start()

    world.broken, world.vulnerable = {"web"}, {"api"}
    world.push_base()
    world.drive()
    for _ in range(2):  # the message comes again
        with suppress(Killed):
            app.watch.gave_up("pushes", "x")
    for _ in range(5):
        turn()
    world.broken = set()
    world.app.operator.replay(world.cascade, "web", who="ann", why="repaired")
    world.drive()
    for _ in range(3):
        turn()
    world.time += 3600.0
    for _ in range(3):
        turn()
    calls.die_at = -1
    for _ in range(4):
        world.time += 300.0
        app.watch.run()
        deliver(app)
    return calls.count, world, got


WANTED = [Kind.ENDED, Kind.ENDED, Kind.FAILED, Kind.HEALED, Kind.POISON, Kind.REJECTED]


def check(world: World, got: list[tuple[str, str]], *, died: bool) -> None:
    told = deliveries(world.app)
    for name in ("one", "two"):
        assert sorted(each.notice.kind for each in told if each.channel == name) == WANTED
    assert {each.state for each in told} == {State.SENT}
    assert {(f"https://{each.channel}", each.notice.id) for each in told} == set(got)
    assert len(got) <= len(told) + died  # a try that was made, and not saved, is made once more
    assert list(world.app.watch._box.waiting()) == []


def test_without_a_death(tmp_path: Path) -> None:
    count, world, got = play(tmp_path, -1, 0)
    check(world, got, died=False)
    world.close()
    assert count > DEATHS


DEATHS = 200
"""Calls at each of which it dies once, in some test; what comes later is rounds in which nothing happens."""


@pytest.mark.parametrize("part", range(5))
def test_whenever_it_dies(tmp_path: Path, part: int) -> None:
    for number, die_at in enumerate(range(1 + 3 * part, DEATHS, 15)):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, world, got = play(folder, die_at, seed=die_at)
        check(world, got, died=True)
        world.close()
