"""The product on an outside that outlives it: workers that can be killed, paused and doubled, and a clock.

The plant plays the Functions host: it delivers messages under a lease, at least once, gives up on one after five
deliveries by way of the poison handlers, and runs the timers. Everything is driven through what the host calls
(`receive`, `intake`, `engine`, `sweep`) and what people call (`operator`, `catalog`).
"""

import contextlib
import json
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from graph.reference import Reference
from groundswell.build.port import BuildRequest
from groundswell.cascade.engine import PUSHES, REBUILDS, ROLLOUTS, SCANS
from groundswell.cascade.model import Rebuild
from groundswell.cascade.push import Push
from groundswell.cascade.reconcile import seed
from groundswell.cascade.records import Phase
from groundswell.cascade.status import Stage, Status
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.model import Registration
from groundswell.settings import Settings, parse
from groundswell.store.port import Message
from groundswell.store.sqlite import SqliteStore
from groundswell.wiring import App
from tests.faults.outside import FORMER, Outside
from tests.faults.tap import Killed, Tap
from tests.support.world import BASE, HOST, image_of, ref, registration, workload

QUEUES = (PUSHES, REBUILDS, SCANS, ROLLOUTS)
LEASE = 60.0
DELIVERIES = 5
"""maxDequeueCount of host.json."""
TOOLS = f"{HOST}/mirror/tools:1"

ACTIVE = (Status.BUILDING, Status.VERIFYING, Status.SCANNING, Status.PROMOTING, Status.DEPLOYING)
GOOD = (Status.DONE, Status.UNCHANGED)


def cascade_of_all_kinds() -> tuple[Registration, ...]:
    """A diamond with a rollout at its bottom, one that the gate rejects with one blocked by it, one unchanged."""
    return (
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")], deployments=[workload("web")]),
        registration("bad", ref("top")),
        registration("blocked", ref("bad")),
        registration("static", None, build=[ref("top")]),
        registration("page", None, build=[ref("static")]),
    )


def settings_of(slots: int) -> Settings:
    return parse(
        {
            "GROUNDSWELL_STORE": "sqlite:///unused",
            "GROUNDSWELL_SLOTS": str(slots),
            "GROUNDSWELL_POLL_SECONDS": "5",
            "GROUNDSWELL_SETTLE_SECONDS": "0",
            "GROUNDSWELL_REGISTRIES": json.dumps({HOST: {"subscription": "s", "resource_group": "g", "name": "n"}}),
        }
    )


def wire(
    worker: str,
    *,
    store: Any,
    outside: Callable[[str, str, Sequence[Any], dict[str, Any]], Any],
    clock: Callable[[], float],
    slots: int,
    watch: Callable[[str, str, str, bool], None],
) -> tuple[App, Tap]:
    """An App whose every call passes a tap, and the host's own view of the store's queues."""

    def tap(port: str, call: Callable[..., Any]) -> Tap:
        return Tap(port, call, lambda port, verb, done: watch(worker, port, verb, done))

    def on_store(verb: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        return getattr(store, verb)(*args, **kwargs)

    def on(port: str) -> Callable[..., Any]:
        return lambda verb, args, kwargs: outside(port, verb, args, kwargs)

    app = App(settings_of(slots), clock)
    outer = ("registry", "artifacts", "revisions", "builder", "scanner", "signer", "deployer")
    ports = {port: tap(port, on(port)) for port in outer}
    vars(app).update(store=tap("store", on_store), **ports)
    return app, tap("host", on_store)


def deliver(app: App, queue: str, body: str, *, again: bool) -> None:
    """What the queue triggers do; `again` when an earlier delivery did not end."""
    if queue == PUSHES:
        app.intake.handle(body)
    else:
        app.engine.handle(body, again=again)


class Worker:
    """One process of the app. `skew` is how far its clock is off, in seconds."""

    def __init__(self, plant: "Plant", name: str, skew: float = 0.0) -> None:
        self.plant = plant
        self.name = name
        self.skew = skew
        self.deaths = 0
        self.boot()

    def boot(self) -> None:
        """A new process: nothing of the former one is left but what is stored."""
        self.app, self.host = wire(
            self.name,
            store=self.plant.store,
            outside=self.plant.called,
            clock=lambda: self.plant.time + self.skew,
            slots=self.plant.slots,
            watch=self.plant.watched,
        )

    def survive(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Killed:
            self.deaths += 1
            self.boot()

    def turn(self, rng: random.Random | None = None) -> bool:
        """Take one message and deal with it; False when there is none."""
        if self.plant.time < self.plant.store_back:
            return False
        queues = rng.sample(QUEUES, len(QUEUES)) if rng else QUEUES
        for queue in queues:
            taken: list[Message] = []

            def take(queue: str = queue, taken: list[Message] = taken) -> None:
                taken += self.plant.store.receive(queue, limit=1, lease=LEASE)
                if taken and self.plant.lose():
                    self.plant.store.delete(queue, taken[0])
                elif taken:
                    self.plant.watched(self.name, "host", "receive", True)
                    self.deal(queue, taken[0])

            self.survive(take)
            if taken:
                return True
        return False

    def deal(self, queue: str, message: Message) -> None:
        """Deliver as the host does: an error shows the message again in five seconds, the fifth gives it up."""
        try:
            if message.dequeue_count > self.plant.deliveries:
                self.give_up(queue, message.body)
            else:
                for _ in range(2 if self.plant.twice else 1):
                    self.handle(queue, message.body, again=message.dequeue_count > 1)
        except GroundswellError as exc:
            self.plant.refused.append(f"{queue}: {exc}")
            lost = message.dequeue_count >= self.plant.deliveries + DELIVERIES
            self.plant.store.renew(queue, message, lease=0.0 if lost else 5.0)
            if not lost:
                return
        with contextlib.suppress(NotFoundError):  # the lease was lost: the message is another's now
            self.host.delete(queue, message)

    def handle(self, queue: str, body: str, *, again: bool = False) -> None:
        deliver(self.app, queue, body, again=again)

    def give_up(self, queue: str, body: str) -> None:
        (self.app.intake if queue == PUSHES else self.app.engine).poisoned(body)

    def timer(self, act: Callable[[], None]) -> None:
        """A timer that fails is run again at its next time."""
        try:
            self.survive(act)
        except GroundswellError as exc:
            self.plant.refused.append(f"timer: {exc}")

    def sweep(self) -> None:
        self.timer(self.app.sweep.cascades)
        self.timer(self.app.sweep.slots)

    def reconcile(self) -> None:
        self.timer(self.app.reconcile.bases)

    def stop_orphans(self) -> None:
        self.timer(self.app.orphans.stop)


class Plant:
    """`fault` is told of every call of a worker: (worker, port, verb, whether it took effect)."""

    def __init__(
        self, folder: Path, *images: Registration, slots: int = 2, workers: Sequence[str] = ("a",), **rest: Any
    ) -> None:
        self.time = 1_800_000_000.0
        self.folder = folder
        self.slots = slots
        self.deliveries = rest.pop("deliveries", DELIVERIES)
        self.fault: Callable[[str, str, str, bool], None] | None = None
        self.post: Callable[[str, str], Iterable[float]] = lambda reference, digest: [0.0]
        self.lose: Callable[[], bool] = lambda: False
        self.twice = False
        self.calls = 0
        self.faults = 0
        self.pushes = 0
        self.changed: set[str] = set()  # images that were registered anew, so that their lineage is another now
        self.refused: list[str] = []
        self.store_back = 0.0  # when the store answers the host again
        self.outside = Outside(now=self.time, **rest)
        self.elsewhere: Callable[..., Any] | None = None  # where the outside is shared with other processes
        self.store = SqliteStore(folder / "store.db", clock=lambda: self.time)
        self.eye, _ = wire(
            "eye",
            store=self.store,
            outside=self.called,
            clock=lambda: self.time,
            slots=slots,
            watch=lambda *_: None,
        )
        for base in (BASE, TOOLS):
            self.push(base, 0)
        self.register(*images)
        self.outside.webhooks.clear()
        self.workers = [Worker(self, name) for name in workers]
        self._swept = self._reconciled = self._stopped = self.time

    def close(self) -> None:
        self.store.close()

    def called(self, port: str, verb: str, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        if (port, verb) == ("builder", "start"):
            self.check_turn(args[0])
        if self.elsewhere is not None:
            return self.elsewhere(port, verb, args, kwargs)
        return self.outside.call(port, verb, args, kwargs, self.time)

    def watched(self, worker: str, port: str, verb: str, done: bool) -> None:
        self.calls += 1
        if self.fault is not None:
            self.fault(worker, port, verb, done)

    def check_turn(self, request: BuildRequest) -> None:
        """Nothing is built before the bases that it stands on in its cascade are promoted, or found unchanged."""
        cascade = request.tag.split("-")[1]  # gs-CASCADE-...
        states = {state.image: state for state in self.eye.engine.records.rebuilds(cascade)}
        below = set(states[request.repository].waits)
        if request.repository not in self.changed:
            runtime, build = self.outside.recipes[request.repository]
            below |= {name for name in states if ref(name) in (runtime, *build)}
        for base in below.intersection(states):
            seen = {moment.status for moment in states[base].history}
            if not states[base].promoted and Status.UNCHANGED not in seen:
                self.outside.violations.append(f"{request.repository} built before {base}, {states[base].status}")

    # What people and registries do.

    def register(self, *images: Registration) -> None:
        """Register images, bases first; one that is new is in the registry, and runs, as it was before."""
        self.eye.catalog.register(images, who="test")
        for image in images:
            if image.repository in self.outside.recipes:
                self.changed.add(image.repository)
            self.outside.know(image)
            if ref(image.name) not in self.outside.tags:
                made = self.outside.compose(image.repository)
                assert made is not None
                self.outside.put(ref(image.name), made)
            for target in image.deployments:
                self.outside.running.setdefault(str(target), FORMER)
        seed(self.eye.bases, self.eye.catalog, self.eye.registry, [image.name for image in images])

    def push(self, base: str = BASE, version: int = 1) -> str:
        self.time += 1.0
        return self.outside.put(base, image_of([f"sha256:{base}-{version}"]))

    def deliver_webhooks(self) -> None:
        """Each event reaches the app after the delays that `post` names: none, one, or several."""
        due, self.outside.webhooks = self.outside.webhooks, []
        for reference, digest in due:
            for delay in self.post(reference, digest):
                self.announce(reference, digest, delay)

    def announce(self, reference: str, digest: str, delay: float = 0.0) -> None:
        parsed = Reference.parse(reference)
        self.pushes += 1
        push = Push(
            id=f"e-{self.pushes}",
            registry=parsed.registry,
            repository=parsed.repository,
            tag=parsed.tag or "",
            digest=digest,
            source="webhook",
        )
        if delay:
            self.store.send(PUSHES, push.to_text(), delay=delay)
        else:
            self.eye.receive(push)

    # Going on.

    def timers(self, worker: Worker) -> None:
        if self.time < min(self._swept, self._reconciled):  # the clock went back
            self._swept = self._reconciled = self._stopped = self.time
        if self.time - self._swept >= 60.0:
            self._swept = self.time
            worker.sweep()
        if self.time - self._reconciled >= 300.0:
            self._reconciled = self.time
            worker.reconcile()
        if self.time - self._stopped >= 3600.0:
            self._stopped = self.time
            worker.stop_orphans()

    def drive(
        self, *, rng: random.Random | None = None, worker: Worker | None = None, until: float = 172_800.0
    ) -> None:
        """Deliver, wait and sweep until nothing is left to do, or `until` seconds have passed.

        By `worker` alone, by any of them as chance has it, or else by the first.
        """
        alone = worker or self.workers[0]
        end, step = self.time + until, 1.0
        while self.time < end:
            self.deliver_webhooks()
            now = rng.choice(self.workers) if rng and worker is None else alone
            self.timers(now)
            if now.turn(rng):
                step = 1.0
                self.check()
                continue
            if self.idle():
                now.sweep()
                now.reconcile()
                if self.idle():
                    return
            self.time += step
            step = min(20.0, step * 1.5)

    def idle(self) -> bool:
        waiting = any(self.store.depth(queue) for queue in QUEUES)
        return not waiting and not self.outside.webhooks and not self.unsettled()

    def run_for(self, worker: Worker, turns: int) -> None:
        """Some turns of one worker, without waiting."""
        for _ in range(turns):
            self.deliver_webhooks()
            if not worker.turn():
                return

    # Looking.

    def rebuilds(self) -> list[Rebuild]:
        """All there are, the newest cascades first."""
        records = self.eye.engine.records
        return [state for header in records.recent(1000) for state in records.rebuilds(header.id)]

    def unsettled(self) -> list[str]:
        records = self.eye.engine.records
        ids = dict.fromkeys([*records.open(), *(header.id for header in records.recent(1000))])
        states = (state for cascade in ids for state in records.rebuilds(cascade))
        return [f"{s.cascade}/{s.image} {s.status}" for s in states if not s.status.settled]

    def newest(self) -> dict[str, Rebuild]:
        """The last rebuild of each image."""
        found: dict[str, Rebuild] = {}
        for state in self.rebuilds():
            found.setdefault(state.image, state)
        return found

    def check(self) -> None:
        """What must hold at every moment."""
        states = self.rebuilds()
        building = [state for state in states if state.status is Status.BUILDING]
        assert len(building) <= self.slots, f"{len(building)} builds at once on {self.slots} slots"
        taken = self.eye.engine.pool().running
        assert len(taken) <= self.slots, f"{len(taken)} of {self.slots} slots given"
        active: dict[str, Rebuild] = {}
        for state in states:
            if state.status in ACTIVE:
                other = active.setdefault(state.image, state)
                assert other is state, f"{state.image} is active twice:\n{_told(state)}\n{_told(other)}"
        assert not self.outside.violations, self.outside.violations

    def check_end(self) -> None:
        """Nothing is left over: no work, no slots, no place in line, no open cascade."""
        self.check()
        assert not self.unsettled()
        places = self.eye.engine.pool()
        assert not places.running, places.running
        assert not places.waiting, places.waiting
        records = self.eye.engine.records
        for header in records.recent(1000):
            assert (header.phase, header.open) == (Phase.ENDED, 0), header
        for state in self.rebuilds():
            assert state.reason or state.status in GOOD, f"{state.image} is {state.status} and nobody knows why"

    def check_content(self, excused: Iterable[str] = ()) -> None:
        """Every image stands on what its bases are now, unless its last rebuild ended otherwise, with a reason."""
        newest = self.newest()
        for repository in self.outside.recipes:
            state = newest.get(repository)
            deployed = state is not None and state.status is Status.FAILED and state.failed_stage is Stage.DEPLOY
            if repository in excused or (state is not None and state.status not in GOOD and not deployed):
                continue
            made = self.outside.compose(repository)
            assert made is not None
            there = self.outside.tags[ref(repository)]
            assert there == made.digest, (
                f"{repository} is not on its newest bases: {state and (state.cascade, state.status, state.reason)}"
            )

    def end(self) -> dict[str, Any]:
        """The end of it all, to be compared with another's."""
        newest = self.newest()
        return {
            "statuses": {image: str(state.status) for image, state in sorted(newest.items())},
            "tags": {tag: digest for tag, digest in self.outside.tags.items() if ":gs-" not in tag},
            "running": dict(self.outside.running),
        }

    def replay(self) -> int:
        """What ended badly is replayed by a person until all is well; returns how many replays it took."""
        count = 0
        for _ in range(5):
            bad = [s for s in self.newest().values() if s.status in (Status.FAILED, Status.CANCELLED)]
            if not bad:
                break
            for cascade in sorted({state.cascade for state in bad}):
                count += len(self.eye.operator.replay_failed(cascade, who="ann", why="mended").done)
            self.drive()
        return count

    def heal_services(self) -> None:
        """No more faults come."""
        self.fault = None
        self.post = lambda reference, digest: [0.0]
        self.lose = lambda: False
        self.store_back = 0.0
        for worker in self.workers:
            worker.skew = 0.0

    def heal(self) -> None:
        """No more faults come, and what builds, scans and rollouts met is mended."""
        self.heal_services()
        for broken in (self.outside.broken, self.outside.vulnerable, self.outside.unhealthy):
            broken.clear()


def _told(state: Rebuild) -> str:
    """A rebuild's history, for people who look for a fault."""
    began = state.history[0].at if state.history else 0.0
    lines = [f"  {moment.at - began:8.1f} {moment.status} {moment.reason}" for moment in state.history]
    return "\n".join([f"{state.cascade}/{state.image}, from {began:.1f}:", *lines])
