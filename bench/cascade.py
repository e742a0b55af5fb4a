"""One cascade through the real engine, in a process of its own: `python -m bench.cascade STORE IMAGES`.

The services are the tests' fakes and answer at once; builds are a simulated service, whose runs take their time
(log normal, a minute in the middle) on a virtual clock. It pushes each candidate a second before the run ends, and
the registry announces every push to the product's own webhook entry, as ACR would. Nothing is left out of the
counts but what the Functions host does, and looking whether the cascade has ended.

STORE is `sqlite` (a file, durable; the clock is virtual), or `azurite` (real time, builds end at once, sixteen
messages at a time as a Functions host does it).
"""

import heapq
import json
import math
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from graph.reference import Reference
from groundswell.build.port import BuildRequest, Run, RunStatus
from groundswell.cascade.records import Phase, Records
from groundswell.cascade.status import Status
from groundswell.lineage.model import Registration
from groundswell.local.azurite import Azurite
from groundswell.store.azure import AzureStore
from groundswell.store.port import ANY, Message, Put, Store, Write
from tests.support.artifacts import FakeArtifacts
from tests.support.world import BASE, QUEUES, FakeBuilder, World, digest_of, image_of, ref, registration

SLOTS = 64
_MEDIAN_SECONDS, _SPREAD = 60.0, 0.8
_PUSHED_BEFORE_END = 1.0
_AT_ONCE = 16
_POLL, _IDLE = 0.02, 0.1  # seconds between two looks at a queue, and at one that was empty
_CALLS = ("get", "scan", "commit", "send")


def lineage(count: int) -> list[Registration]:
    """A company's images below one base: up to six levels, few popular, a fifth of them bottoms of a diamond.

    One in a hundred stands on the base itself; the others on one of those before them, the earlier the likelier. A
    fifth copies from a second one, too, so that it waits for both.
    """
    rng = random.Random(count)  # noqa: S311  # made-up data
    depth: list[int] = []
    images = []
    for number in range(count):
        bases: list[int] = []
        if number % 100 and number:
            shallow = [min(int(number * rng.random() ** 3), number - 1) for _ in range(1 + (rng.random() < 0.2))]
            bases = sorted({base for base in shallow if depth[base] < 5})
        depth.append(1 + max((depth[base] for base in bases), default=-1))
        runtime, *build = [ref(f"team{base % 97}/i{base}") for base in bases] or [BASE]
        images.append(registration(f"team{number % 97}/i{number}", runtime, build=build))
    return images


class Builds(FakeBuilder):
    """A build service whose runs end by the clock, and whose candidates appear a moment before."""

    def __init__(self, world: World, images: list[Registration], *, seconds: float) -> None:
        super().__init__(world)
        self._runtimes = {image.repository: image.runtime or "" for image in images}
        self._seconds = seconds
        self._names: dict[str, str] = {}
        self._ends: dict[str, float] = {}
        self._pushes: list[tuple[float, str]] = []
        self._rng = random.Random(1)  # noqa: S311  # made-up data
        self._lock = threading.Lock()

    def start(self, request: BuildRequest) -> Run:
        with self._lock:
            if request.name not in self._names:
                run = self._names[request.name] = f"r{len(self._names)}"
                self.runs[run] = (request, self._runtimes[request.repository])
                took = self._seconds * math.exp(self._rng.gauss(0.0, _SPREAD))
                self._ends[run] = self.world.time + took
                heapq.heappush(self._pushes, (self._ends[run] - _PUSHED_BEFORE_END * min(1.0, self._seconds), run))
        return Run(id=self._names[request.name], status=RunStatus.QUEUED)

    def observe(self, registry: str, run_id: str) -> Run:
        del registry
        done = self.world.time >= self._ends[run_id]
        return Run(id=run_id, status=RunStatus.SUCCEEDED if done else RunStatus.RUNNING)

    @property
    def running(self) -> bool:
        return bool(self._pushes)

    def push_candidates(self) -> None:
        """What was built by now appears in the registry."""
        while True:
            with self._lock:
                if not self._pushes or self._pushes[0][0] > self.world.time:
                    return
                request, runtime = self.runs[heapq.heappop(self._pushes)[1]]
            base = self.world.registry.image(Reference.parse(runtime))
            below = base.platforms[0].diff_ids if base else ()
            image = image_of([*below, digest_of(request.repository, "1")])
            self.world.registry.put(f"{request.registry}/{request.repository}:{request.tag}", image)


class _Elsewhere(FakeArtifacts):
    """Takes what is attached and keeps none of it: a registry's memory is not the product's."""

    def upload(self, *_: object) -> None:
        pass

    def put(self, *_: object) -> bool:
        return True


class _Live(World):
    """A world that lives in real time, on a store of Azure's."""

    connection = ""

    @property  # type: ignore[override]  # a field there, the real time here
    def time(self) -> float:
        return time.time()

    @time.setter
    def time(self, _: float) -> None:
        pass


def measure(store: str, count: int) -> dict[str, float]:
    """What the cascade cost, by name: seconds, transitions, operations (each call by itself too), peak MiB."""
    images = lineage(count)
    with tempfile.TemporaryDirectory() as folder:
        if store == "sqlite":
            world = World(Path(folder), *images, slots=SLOTS)
            return _measured(world, images, seconds=_MEDIAN_SECONDS, drive=_drive)
        with Azurite() as azurite:
            live = AzureStore.from_connection_string(azurite.connection_string)
            commits = _record_sizes(live)
            world = _Live(Path(folder), *images, slots=SLOTS, poll=0.2, store=live)
            world.connection = azurite.connection_string
            run = _measured(world, images, seconds=0.0, drive=_drive_live)
            with ThreadPoolExecutor(_AT_ONCE) as threads:
                bare = AzureStore.from_connection_string(azurite.connection_string)
                run["bare_seconds"] = _bare(bare, threads, run, list(commits))
                bare.close()
            return run


def _measured(
    world: World, images: list[Registration], *, seconds: float, drive: Callable[[World, Builds], None]
) -> dict[str, float]:
    builds = Builds(world, images, seconds=seconds)
    vars(world.app).update(builder=builds, artifacts=_Elsewhere(images=bool))
    before = _peak()
    calls = count_calls(world.app.store)
    start = time.perf_counter()
    world.push_base()
    drive(world, builds)
    world.app.sweep.cascades()
    took = time.perf_counter() - start
    peak, counted = _peak(), dict(calls)  # looking at the end is not the product's
    states = world.states()
    world.close()
    if any(state.status is not Status.DONE for state in states.values()) or len(states) != len(images):
        raise RuntimeError("the cascade did not end as it should: the figures would mean nothing")
    return {
        "seconds": took,
        "transitions": float(sum(len(state.history) for state in states.values())),
        "operations": float(sum(counted.values())),
        "peak": peak,
        "before": before,
        **{call: float(counted.get(call, 0)) for call in _CALLS},
    }


def _drive(world: World, builds: Builds) -> None:
    """Deliver messages one by one; when there is none, turn the clock."""
    while True:
        builds.push_candidates()
        pairs = [(name, m) for name in QUEUES for m in world.app.store.receive(name, limit=32, lease=600)]
        for name, message in pairs:
            world.deliver(name, message.body)
            world.app.store.delete(name, message)
        if not pairs:
            if not builds.running and not any(world.app.store.depth(name) for name in QUEUES):
                return
            world.time += 1.0


def _drive_live(world: World, builds: Builds) -> None:
    """Deliver messages, some at a time as a Functions host does it, until the cascade has ended."""
    store = AzureStore.from_connection_string(world.connection)  # to look with, uncounted
    room = threading.Semaphore(_AT_ONCE)

    def deal(name: str, message: Message) -> None:
        try:
            world.deliver(name, message.body)
            world.app.store.delete(name, message)
            builds.push_candidates()
        finally:
            room.release()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        dealt: list[Future[None]] = []
        due = dict.fromkeys(QUEUES, 0.0)
        while not dealt or not _ended(store):
            time.sleep(_POLL)
            for name in (name for name in QUEUES if due[name] <= time.monotonic()):
                messages = world.app.store.receive(name, limit=_AT_ONCE)
                due[name] = 0.0 if messages else time.monotonic() + _IDLE
                for message in messages:
                    room.acquire()
                    dealt.append(threads.submit(deal, name, message))
        for each in dealt:
            each.result()
    store.close()


def _record_sizes(store: AzureStore) -> list[int]:
    """How many rows each commit writes, from now on."""
    sizes: list[int] = []
    commit = store.commit

    def recorded(table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        sizes.append(len(writes))
        return commit(table, partition, writes)

    store.commit = recorded  # type: ignore[method-assign]  # as count_calls does
    return sizes


def _bare(store: AzureStore, threads: ThreadPoolExecutor, run: dict[str, float], commits: list[int]) -> float:
    """Seconds of the same reads, commits, sends and deliveries with nothing between them, as many at a time."""
    value = {"text": "x" * 1500}

    def commit(part: int, size: int) -> None:
        store.commit("bench", f"p{part}", [Put(row=f"r{row}", value=value, etag=ANY) for row in range(size)])

    def deal(_: int) -> None:
        store.send("bench", "x" * 300)
        for message in store.receive("bench", limit=1):
            store.delete("bench", message)

    commit(0, 1)
    start = time.perf_counter()
    done: list[Future[Any]] = [threads.submit(commit, part, size) for part, size in enumerate(commits)]
    done += [threads.submit(store.get, "bench", "p0", "r0") for _ in range(int(run["get"]))]
    done += [threads.submit(deal, number) for number in range(int(run["send"]))]
    for each in done:
        each.result()
    return time.perf_counter() - start


def _ended(store: Store) -> bool:
    newest = next(iter(Records(store).recent(1)), None)
    return newest is not None and newest.phase is Phase.ENDED


def count_calls(store: Any) -> Counter[str]:
    """Counts the store's calls from now on."""
    calls: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return call(*args, **kwargs)

        return wrapper

    for name in _CALLS:
        setattr(store, name, counted(name, getattr(store, name)))
    return calls


def _peak() -> float:
    """MiB that this process has held at most. VmHWM, not ru_maxrss, which begins with what the parent used."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(found[1]) / 1024 if found else math.nan


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
