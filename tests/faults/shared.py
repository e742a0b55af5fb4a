"""What several processes share: the outside in one file, a clock that runs fast, and a worker that may be killed.

The outside is pickled after every call and put in place by a rename, under a lock that the kernel takes away from
the dead; so a SIGKILL finds a call done or not done, as with a service across the network.
"""

import contextlib
import fcntl
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from graph.reference import Reference
from groundswell.cascade.push import Push
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.store.sqlite import SqliteStore
from tests.faults.harness import QUEUES, deliver, wire
from tests.faults.outside import Outside

LEASE = 60.0
PACE = 200.0
"""Seconds of the worker's clock in a real one."""


class Site:
    """A folder that holds a store, an outside and the time; any number of processes may work in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def found(cls, folder: Path, outside: Outside) -> "Site":
        site = cls(folder)
        (folder / "began").write_text(f"{time.time()} {outside.now}")
        (folder / "lock").touch()
        site._write(outside)
        return site

    def clock(self) -> Callable[[], float]:
        began, start = map(float, (self.folder / "began").read_text().split())
        return lambda: start + (time.time() - began) * PACE

    def store(self) -> SqliteStore:
        return SqliteStore(self.folder / "store.db", clock=self.clock())

    @contextlib.contextmanager
    def outside(self) -> Iterator[Outside]:
        """The outside for this process alone; what is changed in it is kept."""
        with (self.folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            outside: Outside = pickle.loads((self.folder / "outside").read_bytes())
            yield outside
            self._write(outside)

    def _write(self, outside: Outside) -> None:
        fresh = self.folder / f"outside-{os.getpid()}"
        fresh.write_bytes(pickle.dumps(outside))
        fresh.rename(self.folder / "outside")


def work(folder: Path, name: str, slots: int) -> None:
    """What a worker's process does until it is killed: deliver events and messages, run the timers."""
    site = Site(folder)
    store, clock = site.store(), site.clock()

    def call(port: str, verb: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        with site.outside() as outside:
            return outside.call(port, verb, args, kwargs, clock())

    app, _ = wire(name, store=store, outside=call, clock=clock, slots=slots, watch=lambda *_: None)
    (folder / f"up-{name}").touch()
    swept = reconciled = clock()
    while True:
        for reference, digest in _events(site):
            parsed = Reference.parse(reference)
            app.receive(
                Push(
                    id=f"e-{digest[-12:]}",
                    registry=parsed.registry,
                    repository=parsed.repository,
                    tag=parsed.tag or "",
                    digest=digest,
                    source="webhook",
                )
            )
        if clock() - swept > 60.0:
            swept = clock()
            with contextlib.suppress(GroundswellError):
                app.sweep.cascades()
                app.sweep.slots()
        if clock() - reconciled > 300.0:
            reconciled = clock()
            with contextlib.suppress(GroundswellError):
                app.reconcile.bases()
        if not any(_turn(app, store, queue) for queue in QUEUES):
            time.sleep(0.002)  # a worker polls; nothing is asserted here


def _events(site: Site) -> list[tuple[str, str]]:
    """Events on their way: taken, and lost when this process dies before it has queued them."""
    with site.outside() as outside:
        taken, outside.webhooks = outside.webhooks, []
    return taken


def _turn(app: Any, store: SqliteStore, queue: str) -> bool:
    for message in store.receive(queue, limit=1, lease=LEASE):
        try:
            deliver(app, queue, message.body, again=message.dequeue_count > 1)
        except GroundswellError:
            store.renew(queue, message, lease=5.0)
            return True
        with contextlib.suppress(NotFoundError):
            store.delete(queue, message)
        return True
    return False
