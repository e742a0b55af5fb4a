"""A stateful model: whatever happens, in whatever order, the invariants hold, and all comes to an end.

Lineages, pushes, messages in any order and any number of times, cut anywhere; failures, operators, changed
registrations, timers and clocks. After every step what must always hold is looked at; when a run of steps is over
everything is mended, and the cascades must come to the end that the newest bases ask for.
"""

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from groundswell.audit import entries
from groundswell.cascade.codec import command_from_text
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.model import Kind, Rebuild
from groundswell.cascade.push import Push
from groundswell.cascade.status import Stage
from groundswell.errors import InputError, NotFoundError, TemporaryError
from groundswell.lineage.model import Registration
from tests.faults.effort import SECONDS, SOAK
from tests.faults.harness import QUEUES, TOOLS, Plant
from tests.faults.report import tell
from tests.faults.tap import Killed
from tests.support.world import BASE, HOST, ref, registration, workload
from tests.support.world import image_of as content_of

FOR_EVER = 6 * 86_400.0
TRIED: Counter[str] = Counter()
NAMES = ("a", "b", "c", "d", "e", "f")
PIN = content_of(["sha256:pinned"])
PINNED = f"{HOST}/mirror/debian@{PIN.digest}"

picks = st.integers(0, 10**6)


type Recipe = tuple[str | None, list[str], bool]
"""What an image runs on, what its build takes files from, and whether a workload runs it: short to print."""


def recipes(below: Sequence[str]) -> st.SearchStrategy[Recipe]:
    """On any of the images `below`, on the bases, on a pin, or on nothing."""
    bases = ["debian", "tools", *below]
    runtime = st.sampled_from([*bases, *bases, "pinned", None])
    return st.tuples(runtime, st.lists(st.sampled_from(bases), max_size=2, unique=True), st.booleans())


def image_of(name: str, recipe: Recipe) -> Registration:
    runtime, build, deployed = recipe
    named = {"debian": BASE, "tools": TOOLS, "pinned": PINNED}
    return registration(
        name,
        named.get(runtime) or ref(runtime) if runtime else None,
        build=[named.get(each) or ref(each) for each in build if each != runtime],
        deployments=[workload(f"w{name}")] if deployed else [],
    )


@st.composite
def lineages(draw: st.DrawFn) -> dict[str, Recipe]:
    count = draw(st.integers(1, len(NAMES)))
    return {NAMES[index]: draw(recipes(NAMES[:index])) for index in range(count)}


class Cascades(RuleBasedStateMachine):
    """Rules deliver single messages. What the host holds is in `inbox`, what it has delivered in `past`."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(mkdtemp(prefix="groundswell-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        self.inbox: list[tuple[str, Any]] = []
        self.past: list[tuple[str, str]] = []
        self.cuts: set[str] = set()
        self.version = 0
        self.acts = 0
        self.unsure = 0
        self.changed: set[str] = set()
        self.stopped: set[str] = set()

    @initialize(lineage=lineages(), slots=st.integers(1, 3), static=st.sets(st.sampled_from(NAMES), max_size=2))
    def begin(self, lineage: dict[str, Recipe], slots: int, static: set[str]) -> None:
        images = [image_of(name, recipe) for name, recipe in lineage.items()]
        self.plant = Plant(self.folder, *images, slots=slots, static=static, images={PIN.digest: PIN})
        self.registered = {image.name: image for image in images}
        self.worker = self.plant.workers[0]

    def teardown(self) -> None:
        if hasattr(self, "plant"):
            try:
                self.come_to_an_end()
            finally:
                self.plant.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
        TRIED["schedules"] += 1

    # Outside.

    @rule(
        base=st.sampled_from([BASE, BASE, TOOLS]),
        again=st.sampled_from([False, False, True]),
        turns=st.sampled_from([0, 0, 10, 25, 50]),
    )
    def push(self, base: str, again: bool, turns: int) -> None:
        """A new digest or the same one again; the host goes on working, or takes its time."""
        self.version += not again
        self.plant.push(base, self.version)
        self.work(turns)

    @rule(which=picks, times=st.sampled_from([0, 1, 1, 1, 2]))
    @precondition(lambda self: self.plant.outside.webhooks)
    def event_arrives(self, which: int, times: int) -> None:
        """Or is lost, or comes twice."""
        waiting = self.plant.outside.webhooks
        reference, digest = waiting.pop(which % len(waiting))
        TRIED["faults"] += times != 1
        for _ in range(times):
            self.plant.announce(reference, digest)

    @rule(what=st.sampled_from(["broken", "vulnerable", "unhealthy"]), name=st.sampled_from(NAMES))
    def break_or_mend(self, what: str, name: str) -> None:
        known = getattr(self.plant.outside, what)
        known ^= {f"w{name}" if what == "unhealthy" else name}
        TRIED["faults"] += 1

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 70.0, 1000.0, 8000.0, -1.0, -90.0]))
    def time_passes(self, seconds: float) -> None:
        self.plant.time += seconds
        TRIED["faults"] += seconds < 0

    # The host.

    @rule(which=picks, times=st.sampled_from([1, 1, 1, 2]))
    @precondition(lambda self: self.inbox)
    def deliver_any(self, which: int, times: int) -> None:
        self.deliver(which, times)

    def deliver(self, which: int, times: int) -> None:
        self.receive()
        if not self.inbox:
            return
        queue, message = self.inbox.pop(which % len(self.inbox))
        self.worker.handle(queue, message.body, again=message.id in self.cuts)
        if times == 2:
            self.handle_again(queue, message.body)
        self.plant.store.delete(queue, message)
        self.past = [*self.past[-30:], (queue, message.body)]

    @rule(which=picks, again=st.booleans())
    @precondition(lambda self: self.past)
    def deliver_one_of_the_past(self, which: int, again: bool) -> None:
        self.handle_again(*self.past[which % len(self.past)], again=again)

    @rule(which=picks, call=st.integers(0, 14), fault=st.sampled_from(["killed", "error", "lost answer"]))
    def deliver_and_cut(self, which: int, call: int, fault: str) -> None:
        """The message stays: its lease ends, and it is delivered again."""
        self.receive()
        if not self.inbox:
            return
        queue, message = self.inbox[which % len(self.inbox)]
        self.cut(call, fault)
        try:
            again = message.id in self.cuts
            self.cuts.add(message.id)
            self.worker.survive(lambda: self.worker.handle(queue, message.body, again=again))
        except TemporaryError:
            pass
        finally:
            self.plant.fault = None

    @rule(turns=st.sampled_from([3, 10, 25, 50]))
    def work(self, turns: int) -> None:
        """As the host does, for a while."""
        for _ in range(turns):
            self.plant.deliver_webhooks()
            self.deliver(0, 1)
            self.plant.time += 2.0

    @rule(what=st.sampled_from(["sweep", "sweep", "reconcile"]), call=st.none() | st.integers(0, 30))
    def timer(self, what: str, call: int | None) -> None:
        if call is not None:
            self.cut(call, "killed")
        getattr(self.worker, what)()
        self.plant.fault = None

    # People.

    @rule(which=picks, stage=st.none() | st.sampled_from(Stage), turns=st.sampled_from([0, 0, 10, 50]))
    @precondition(lambda self: self.of(ended=True))
    def replay(self, which: int, stage: Stage | None, turns: int) -> None:
        state = self.pick(which, ended=True)
        self.act(lambda o: o.replay(state.cascade, state.image, stage=stage, who="ann", why="because"), 1)
        self.work(turns)

    @rule(which=picks, stage=st.none() | st.sampled_from(Stage))
    @precondition(lambda self: self.of(ended=True))
    def replay_many(self, which: int, stage: Stage | None) -> None:
        cascade = self.pick(which, ended=True).cascade
        if stage is None:
            self.act(lambda o: o.replay_failed(cascade, who="ann", why="because"), 0)
        else:
            self.act(lambda o: o.replay_all(cascade, stage=stage, who="ann", why="because"), 0)

    @rule(which=picks)
    @precondition(lambda self: self.of(ended=False))
    def cancel(self, which: int) -> None:
        state = self.pick(which, ended=False)
        self.stopped.add(state.image)
        self.act(lambda o: o.cancel(state.cascade, state.image, who="ann", why="because"), 1)

    def of(self, *, ended: bool) -> list[Rebuild]:
        return [state for state in self.plant.rebuilds() if state.status.settled == ended]

    def pick(self, which: int, *, ended: bool) -> Rebuild:
        states = self.of(ended=ended)
        return states[which % len(states)]

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def register(self, data: st.DataObject, name: str) -> None:
        """One more image, or another lineage of one that there is."""
        below = NAMES[: NAMES.index(name)]
        recipe = data.draw(recipes([each for each in below if each in self.registered]))
        image = image_of(name, recipe)
        self.plant.register(image)
        if self.registered.get(name) != image:
            self.changed.add(name)
        self.registered[name] = image

    def act(self, do: Any, expected: int) -> None:
        """A person's act: refused, or done and in the audit trail, one entry for each rebuild."""
        before = self.audited()
        try:
            result = do(self.plant.eye.operator)
        except (InputError, NotFoundError):
            return
        count = expected or len(result.done)
        assert self.audited() >= before + count, "a person's act is not in the audit trail"
        self.acts += count

    def audited(self) -> int:
        return sum(1 for entry in entries(self.plant.eye.store, limit=10**6) if entry["who"] == "ann")

    # How.

    def receive(self) -> None:
        for queue in QUEUES:
            while got := self.plant.store.receive(queue, limit=32, lease=FOR_EVER):
                self.inbox += [(queue, message) for message in got]

    def cut(self, call: int, fault: str) -> None:
        left = call

        def watch(worker: str, port: str, verb: str, done: bool) -> None:
            nonlocal left
            if fault == "killed" or done == (fault == "lost answer"):
                left -= 1
                if left < 0:
                    self.plant.fault = None
                    TRIED["faults"] += 1
                    raise Killed if fault == "killed" else TemporaryError(f"{port} {verb} timed out")

        self.plant.fault = watch

    def handle_again(self, queue: str, body: str, *, again: bool = False) -> None:
        """Handle a message that was acted on: nothing may change.

        One that only looked may look again, and so may one that is said to be delivered `again`.
        """
        TRIED["faults"] += 1
        acted_on = not again and (self.known(body) if queue == PUSHES else self.acted_on(body))
        before = self.picture()
        self.worker.handle(queue, body, again=again)
        if acted_on:
            after = self.picture()
            assert after == before, f"acted on twice: {body}"

    def known(self, body: str) -> bool:
        """A push is a hint: it is dealt with when what the registry says now has been."""
        push = Push.from_text(body)
        reference = f"{push.registry}/{push.repository}:{push.tag}"
        base = self.plant.eye.bases.get(reference)
        return base is not None and base.planned and base.digest == self.plant.outside.tags.get(reference)

    def acted_on(self, body: str) -> bool:
        command = command_from_text(body)
        if command.kind in (Kind.ADMIT, Kind.RELEASE, Kind.NEWS, Kind.CANCEL):
            return True
        states = {(state.cascade, state.image): state for state in self.plant.rebuilds()}
        state = states.get((command.cascade, command.image))
        return state is None or state.turn != command.turn

    def picture(self) -> dict[str, Any]:
        """All but the slots: a doubled message may give one back before the message that was sent for it does."""
        outside = self.plant.outside
        return {
            "rebuilds": self.plant.rebuilds(),
            "tags": {tag: digest for tag, digest in outside.tags.items() if ":gs-" not in tag},
            "runs": len(outside.jobs),
            "patches": list(outside.patches),
            "promotions": len(outside.promotions),
        }

    # What must hold.

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "plant"):
            TRIED["steps"] += 1
            self.plant.check()

    def come_to_an_end(self) -> None:
        plant = self.plant
        plant.heal()
        while self.inbox:
            queue, message = self.inbox.pop()
            plant.store.renew(queue, message, lease=0.0)
        plant.drive()
        plant.check_end()
        plant.check_content(excused=self.excused())
        plant.replay()
        plant.check_end()
        self.version += 1
        for base in (BASE, TOOLS):
            plant.push(base, self.version)
        plant.drive()
        plant.replay()
        plant.check_end()
        plant.check_content(excused=set(NAMES) - self.standing_on({BASE, TOOLS}))

    def excused(self) -> set[str]:
        """Images that were registered anew or stopped by a person, and what stands on them: a push builds them."""
        left = self.changed | self.stopped
        return left | self.standing_on({ref(name) for name in left})

    def standing_on(self, references: set[str]) -> set[str]:
        """Images that a push of one of these reaches."""
        found: set[str] = set()
        for name in NAMES:  # bases first
            image = self.registered.get(name)
            if image and references.intersection((image.runtime, *image.build)):
                found.add(name)
                references = references | {ref(name)}
        return found


def run(*, examples: int, steps: int) -> None:
    """Try so many runs of so many steps; in a soak they are others every time."""
    run_state_machine_as_test(
        Cascades,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=not SOAK,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate],  # shrinking takes minutes; the steps are printed as they were
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_invariants_hold_whatever_happens() -> None:
    TRIED.clear()
    end = time.monotonic() + SECONDS * 0.3
    run(examples=40, steps=40)
    while time.monotonic() < end:
        run(examples=100, steps=60)
    tell("the model", schedules=TRIED["schedules"], faults=TRIED["faults"], more=f"{TRIED['steps']} steps")
