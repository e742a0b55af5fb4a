"""Several processes of the app on one Azure store, and one outside for all of them, which looks at what they do.

Each worker takes messages as a Functions host does, a few at a time. Services take their time: a build runs
elsewhere, a scan holds one of the worker's threads. `run` carries one cascade through, and tells what was seen.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from multiprocessing.process import BaseProcess
from typing import Any

from graph.reference import Reference
from groundswell.cascade.push import Push
from groundswell.cascade.reconcile import seed
from groundswell.cascade.records import Phase
from groundswell.cascade.status import Status
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.model import Registration
from groundswell.store.azure import AzureStore
from groundswell.store.port import Message, Store
from groundswell.wiring import App
from tests.faults.harness import deliver, settings_of
from tests.faults.outside import Outside
from tests.support.world import BASE, QUEUES, image_of, ref, registration

_PORTS = ("registry", "artifacts", "revisions", "builder", "scanner", "signer", "deployer")
_POLL, _IDLE = 0.02, 0.2
_LOOK = 0.5
_LEASE = 60.0
_SWEEP = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of a build and of a scan; `threads` are the messages that a worker has in hand."""

    slots: int
    build: float
    scan: float
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a cascade took. `most` is the most builds at once, by the build service; the others count by name."""

    seconds: float
    most: int
    started: Counter[str]
    scanned: Counter[str]
    statuses: Counter[Status]
    built: Counter[str]
    violations: list[str]

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.statuses.total() / self.seconds


@dataclass
class Site:
    """The outside of all workers, which asks it one at a time; it notes who builds, and how many at once."""

    outside: Outside = field(default_factory=Outside)
    started: Counter[str] = field(default_factory=Counter)
    scanned: Counter[str] = field(default_factory=Counter)
    most: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def call(self, worker: str, port: str, verb: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        with self._lock:
            before = len(self.outside.jobs)
            answer = self.outside.call(port, verb, args, kwargs, time.time())
            if len(self.outside.jobs) > before:
                self.started[worker] += 1
                self.most = max(self.most, len(self.outside.lively()))
            self.scanned[worker] += (port, verb) == ("scanner", "scan")
            return answer

    def begin(self, images: Sequence[Registration], build: float) -> None:
        with self._lock:
            for image in images:
                self.outside.know(image)
                self.outside.seconds[image.repository] = build
            self._push("sha256:base-0")
            for image in images:
                made = self.outside.compose(image.repository)
                assert made is not None
                self.outside.put(ref(image.name), made)
            self.outside.webhooks.clear()

    def push(self) -> None:
        with self._lock:
            self._push("sha256:base-1")

    def _push(self, layer: str) -> None:
        self.outside.put(BASE, image_of([layer]))

    def events(self) -> list[tuple[str, str]]:
        with self._lock:
            self.outside.now = max(self.outside.now, time.time())
            self.outside._work()
            taken, self.outside.webhooks = self.outside.webhooks, []
            return taken

    def seen(self) -> tuple[int, Counter[str], Counter[str], Counter[str], list[str]]:
        with self._lock:
            return self.most, self.started, self.scanned, self.outside.built(), self.outside.violations


class _Sites(BaseManager):
    pass


_Sites.register("Site", Site)


class _Port:
    """A port of the app whose calls go to the site; a scan takes its time here, and its thread."""

    def __init__(self, call: Callable[..., Any], port: str, scan: float) -> None:
        self._call, self._port, self._scan = call, port, scan

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def asked(*args: Any, **kwargs: Any) -> Any:
            if verb == "scan":
                time.sleep(self._scan)  # what the scanner takes
            return self._call(self._port, verb, args, kwargs)

        return asked


def _app(site: Any, name: str, store: Store, pace: Pace) -> App:
    def call(port: str, verb: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return site.call(name, port, verb, args, kwargs)

    app = App(replace(settings_of(pace.slots), poll_seconds=0.2))
    vars(app).update(store=store, **{port: _Port(call, port, pace.scan) for port in _PORTS})
    return app


def _work(site: Any, name: str, connection: str, pace: Pace, stop: Any) -> None:
    """A worker's process: messages until it is told to stop."""
    store = AzureStore.from_connection_string(connection)
    app = _app(site, name, store, pace)
    room = threading.Semaphore(pace.threads)

    def deal(queue: str, message: Message) -> None:
        try:
            deliver(app, queue, message.body, again=message.dequeue_count > 1)
            store.delete(queue, message)
        except NotFoundError:
            pass  # its lease was lost
        except GroundswellError:
            store.renew(queue, message, lease=1.0)
        finally:
            room.release()

    with ThreadPoolExecutor(pace.threads) as threads:
        due = dict.fromkeys(QUEUES, 0.0)
        while not stop.is_set():
            time.sleep(_POLL)
            for queue in (queue for queue in QUEUES if due[queue] <= time.monotonic()):
                room.acquire()
                room.release()  # one is free, at least
                messages = store.receive(queue, limit=1, lease=_LEASE)
                due[queue] = 0.0 if messages else time.monotonic() + _IDLE
                for message in messages:
                    room.acquire()
                    threads.submit(deal, queue, message)
    store.close()


def lineage(count: int) -> list[Registration]:
    """One in ten stands on the base, and nine on each of those."""
    return [
        registration(f"i{number:04}", BASE if number % 10 == 0 else ref(f"i{number - number % 10:04}"))
        for number in range(count)
    ]


def run(connection: str, *, images: int, workers: int, pace: Pace, patience: float) -> Seen:
    """A push of the base until its cascade has ended, by so many workers, on an empty store."""
    registrations = lineage(images)
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    manager = _Sites(ctx=context)
    manager.start()
    crew: list[BaseProcess] = []
    stop = context.Event()
    store = AzureStore.from_connection_string(connection)
    try:
        site: Any = manager.Site()  # type: ignore[attr-defined]  # registered above
        site.begin(registrations, pace.build)
        eye = _app(site, "eye", store, pace)
        eye.catalog.register(registrations, who="test")
        seed(eye.bases, eye.catalog, eye.registry, [image.name for image in registrations])
        for number in range(workers):
            arguments = (site, f"w{number}", connection, pace, stop)
            crew.append(context.Process(target=_work, args=arguments, daemon=True))
            crew[-1].start()
        site.push()
        start = time.monotonic()
        _follow(eye, site, start, patience)
        seconds = time.monotonic() - start
        stop.set()
        for each in crew:
            each.join(10.0)
        most, started, scanned, built, violations = site.seen()
        states = eye.engine.records.rebuilds(next(iter(eye.engine.records.recent(1))).id)
        statuses = Counter(state.status for state in states)
        return Seen(
            seconds=seconds,
            most=most,
            started=started,
            scanned=scanned,
            statuses=statuses,
            built=built,
            violations=violations,
        )
    finally:
        for each in crew:
            each.kill()
            each.join()
        manager.shutdown()
        store.close()


def _follow(eye: App, site: Any, start: float, patience: float) -> None:
    """Announce what appears in the registry, and sweep, until the cascade has ended."""
    swept = looked = start
    while True:
        for reference, digest in site.events():
            parsed = Reference.parse(reference)
            push = Push(
                id=f"e-{digest[-12:]}",
                registry=parsed.registry,
                repository=parsed.repository,
                tag=parsed.tag or "",
                digest=digest,
                source="webhook",
            )
            if not push.tag.startswith("gs-former-"):
                eye.receive(push)
        if time.monotonic() - looked > _LOOK:
            looked = time.monotonic()
            newest = next(iter(eye.engine.records.recent(1)), None)
            if newest is not None and newest.phase is Phase.ENDED:
                return
            if looked - start > patience:
                raise TimeoutError(f"the cascade has not ended after {patience:.0f} s: {newest}")
        if time.monotonic() - swept > _SWEEP:
            swept = time.monotonic()
            eye.sweep.run()
        time.sleep(0.1)
