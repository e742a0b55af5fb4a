"""What the engine itself costs: a cascade of 10,000 images on SQLite, one of 1,000 on Azurite, and a single hop.

Each cascade runs in a process of its own (`bench/cascade.py` says what is simulated and what is counted).
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.result import Result
from groundswell.lineage.model import Registration
from groundswell.store.port import ANY, Put
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, QUEUES, World, ref, registration, workload

_SERIES = (1_000, 3_000, 10_000)
_ON_AZURITE = 1_000
_STAGES = 5
_CHAINS = 40


def transitions() -> Result:
    """State transitions a second with 10,000 images, against bare commits of records of that size."""
    _print_series()
    run = _cascade("sqlite", _SERIES[-1])
    return Result(
        value=run["transitions"] / run["seconds"],
        unit="1/s",
        baseline="bare store commits",
        baseline_value=_bare_commits(),
    )


def operations() -> Result:
    """Store operations a rebuild with 10,000 images, against a read and a write for each of five stages."""
    return Result(
        value=_cascade("sqlite", _SERIES[-1])["operations"] / _SERIES[-1],
        unit="operations",
        baseline="a read and a write a stage",
        baseline_value=2.0 * _STAGES,
    )


def memory() -> Result:
    """The most memory of the process with 10,000 images (the fakes and their registry in it), against the start."""
    run = _cascade("sqlite", _SERIES[-1])
    return Result(value=run["peak"], unit="MiB", baseline="before the push", baseline_value=run["before"])


def linear() -> Result:
    """Seconds an image with 10,000 images, against 1,000: 1 is linear."""
    large, small = (_cascade("sqlite", count)["seconds"] / count for count in (_SERIES[-1], _SERIES[0]))
    return Result(value=large, unit="s", baseline=f"the same with {_SERIES[0]:,}", baseline_value=small)


def azurite() -> Result:
    """State transitions a second with 1,000 images on Azurite, against the same operations with no engine."""
    run = _cascade("azurite", _ON_AZURITE)
    return Result(
        value=run["transitions"] / run["seconds"],
        unit="1/s",
        baseline="the SDK's calls alone",
        baseline_value=run["transitions"] / run["bare_seconds"],
    )


def azurite_operations() -> Result:
    """Store operations a rebuild with 1,000 images on Azurite, against SQLite."""
    run, same = (_cascade(store, _ON_AZURITE)["operations"] / _ON_AZURITE for store in ("azurite", "sqlite"))
    return Result(value=run, unit="operations", baseline="the same on SQLite", baseline_value=same)


def hop() -> Result:
    """Seconds of engine and store in the worst kind of hop, its 95th percentile, against one bare commit."""
    hops = _hops()
    table = Table(title="hops, from what happened to the next request made, in ms", box=None)
    for heading in ("hop", "mean", "95th", "worst"):
        table.add_column(heading, justify="right" if heading != "hop" else "left")
    for name, seconds in hops.items():
        figures = (statistics.mean(seconds), _high(seconds), max(seconds))
        table.add_row(name, *(f"{1000 * figure:.1f}" for figure in figures))
    Console().print(table)
    return Result(
        value=max(_high(seconds) for seconds in hops.values()),
        unit="s",
        baseline="one bare store commit",
        baseline_value=1.0 / _bare_commits(),
    )


@cache
def _cascade(store: str, count: int) -> dict[str, float]:
    output = subprocess.run(
        [sys.executable, "-m", "bench.cascade", store, str(count)], capture_output=True, check=True, text=True
    ).stdout
    measured: dict[str, float] = json.loads(output)
    return measured


def _print_series() -> None:
    table = Table(title="cascades on SQLite, 64 slots", box=None)
    for heading in ("images", "seconds", "ms an image", "transitions/s", "operations an image", "peak MiB"):
        table.add_column(heading, justify="right")
    for count in _SERIES:
        run = _cascade("sqlite", count)
        table.add_row(
            f"{count:,}",
            f"{run['seconds']:.1f}",
            f"{1000 * run['seconds'] / count:.2f}",
            f"{run['transitions'] / run['seconds']:.0f}",
            f"{run['operations'] / count:.2f}",
            f"{run['peak']:.0f}",
        )
    Console().print(table)


# Hops.


def _chain() -> list[Registration]:
    return [
        registration("bottom", BASE, deployments=[workload("bottom")]),
        registration("top", ref("bottom"), deployments=[workload("top")]),
    ]


def _hops() -> dict[str, list[float]]:
    """Seconds of handling between two requests to the outside, by kind, of a chain of two images."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), *_chain())
        watch = _Watch(world)
        for number in range(_CHAINS):
            world.push_base(f"sha256:layer{number}")
            watch.last = "push"
            while world.app.store.depth("pushes") or any(map(world.app.store.depth, QUEUES)):
                watch.deliver_all()
                world.time += 1.0
        world.close()
    return watch.hops


class _Watch:
    """Times the handling of messages, and takes note of it at every request that is made outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since = self._busy = 0.0
        self.last = ""
        self.hops: dict[str, list[float]] = {}
        for service, name, request in (
            (world.builder, "start", "build"),
            (world.scanner, "scan", "scan"),
            (world.registry, "promote", "promote"),
            (world.deployer, "patch", "rollout"),
        ):
            setattr(service, name, self._noted(request, getattr(service, name)))

    def _noted[**P, R](self, request: str, call: Callable[P, R]) -> Callable[P, R]:
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            now = time.perf_counter()
            self.hops.setdefault(f"{self.last} to {request}", []).append(self._busy + now - self._since)
            result = call(*args, **kwargs)
            self.last, self._busy, self._since = request, 0.0, time.perf_counter()
            return result

        return wrapper

    def deliver_all(self) -> None:
        for name in QUEUES:
            for message in self._world.app.store.receive(name, limit=32):
                self._since = time.perf_counter()
                self._world.deliver(name, message.body)
                self._world.app.store.delete(name, message)
                self._busy += time.perf_counter() - self._since


def _high(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


@cache
def _bare_commits() -> float:
    """Durable commits a second of a record about as large as a rebuild."""
    value, count = {"text": "x" * 1500}, 500
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "store.db")
        start = time.perf_counter()
        for number in range(count):
            store.commit("bench", "bench", [Put(row=f"r{number}", value=value, etag=ANY)])
        seconds = time.perf_counter() - start
        store.close()
    return count / seconds
