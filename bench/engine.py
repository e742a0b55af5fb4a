"""The engine on the SQLite store, with services that answer at once: what the product itself costs."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from bench.result import Result
from groundswell.lineage.model import Registration
from groundswell.store.port import ANY, Put
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, World, ref, registration

_IMAGES = 300
_DOCUMENT_CALLS = ("get", "scan", "commit", "send")


def transitions() -> Result:
    """State transitions a second, against bare commits of the same records."""
    run = _cascade()
    return Result(
        value=run["transitions"] / run["seconds"],
        unit="1/s",
        baseline="bare store commits",
        baseline_value=_bare_commits(),
    )


def store_operations() -> Result:
    """Store and queue operations a rebuild, against the least that five stages could need (a read and a write)."""
    run = _cascade()
    return Result(
        value=run["operations"] / _IMAGES,
        unit="operations",
        baseline="a read and a write a stage",
        baseline_value=10.0,
    )


def hop() -> Result:
    """Seconds of engine and store for one hop (message in, state saved, message out), against one bare commit."""
    run = _cascade()
    return Result(
        value=run["seconds"] / run["messages"],
        unit="s",
        baseline="one bare store commit",
        baseline_value=1.0 / _bare_commits(),
    )


def _lineage() -> list[Registration]:
    """A tree in which the k-th image stands on the k/3-th: a few levels, a realistic spread."""
    return [
        registration(f"i{number}", BASE if number == 0 else ref(f"i{(number - 1) // 3}"))
        for number in range(_IMAGES)
    ]


@cache
def _cascade() -> dict[str, float]:
    """Drive one cascade to its end, once for all the figures that come from it."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), *_lineage(), slots=16)
        calls = _count(world.app.store)
        world.push_base()
        start = time.perf_counter()
        world.drive()
        seconds = time.perf_counter() - start
        states = world.states()
        world.close()
    if any(state.status.value != "done" for state in states.values()):
        raise RuntimeError("the cascade did not end as it should: the figures would mean nothing")
    return {
        "seconds": seconds,
        "transitions": float(sum(len(state.history) for state in states.values())),
        "messages": float(calls["send"]),
        "operations": float(sum(calls.values())),
    }


def _count(store: Any) -> Counter[str]:
    calls: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return call(*args, **kwargs)

        return wrapper

    for name in _DOCUMENT_CALLS:
        setattr(store, name, counted(name, getattr(store, name)))
    return calls


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
