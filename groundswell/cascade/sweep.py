"""The sweep: what a lost message or a crash left undone is found and set going again."""

import logging
from collections.abc import Container
from dataclasses import replace

from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.deadlines import overdue
from groundswell.cascade.durations import Durations, measured
from groundswell.cascade.engine import Engine
from groundswell.cascade.events import BaseNews, Nudged, Overdue, Superseded
from groundswell.cascade.failurebook import FailureBook
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.ids import began
from groundswell.cascade.meaning import follow, news, predecessor
from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.observing import observer
from groundswell.cascade.owed import Owed
from groundswell.cascade.planning import Planner
from groundswell.cascade.records import Header, Phase, Stored
from groundswell.cascade.rollout_limit import RolloutLimit
from groundswell.cascade.status import Status
from groundswell.cascade.thaw import Thaw
from groundswell.cascade.yearbook import Yearbook
from groundswell.clock import Clock
from groundswell.errors import NewerError, NotFoundError
from groundswell.store.conflicts import retry_conflicts

logger = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds without a move after which the commands of a short stage are sent again."""
PLANNING = 600.0
"""Seconds that planning a cascade can take: the functionTimeout of host.json ends whoever would take longer."""
LONG_PATIENCE = 900.0
"""The same for scans and rollouts, which are looked at again and again without a move.

Scans that fail are begun anew under the count of tries of one message: a second one would make the count a lie.
"""


class Sweep:
    def __init__(
        self,
        *,
        engine: Engine,
        bases: BaseBook,
        durations: Durations,
        yearbook: Yearbook,
        failures: FailureBook,
        planner: Planner,
        freezes: FreezeBook,
        limit: RolloutLimit,
        owed: Owed,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._bases = bases
        self._durations = durations
        self._yearbook = yearbook
        self._failures = failures
        self._planner = planner
        self._freezes = freezes
        self._limit = limit
        self._owed = owed
        self._clock = clock

    def run(self) -> None:
        """One round over the open cascades and the build slots."""
        self.cascades()
        self.slots()

    def cascades(self) -> None:
        """Plan and send again what was left undone; tell rebuilds what they were not told, and of freezes."""
        self._planner.overdue()
        planning = self._planner.planning()
        thaw = Thaw(engine=self._engine, freezes=self._freezes, at=self._clock())
        for cascade in self._engine.records.open():
            try:
                self._cascade(cascade, planning, thaw)
            except NewerError as exc:
                logger.warning("cascade left to a newer program", extra={"cascade": cascade, "why": str(exc)})
        try:
            self._yearbook.catch_up(self._failures.enter)
        except NewerError as exc:
            logger.warning("older cascades left to a newer program", extra={"why": str(exc)})

    def _cascade(self, cascade: str, planning: Container[str], thaw: Thaw) -> None:
        try:
            stored = self._engine.records.header(cascade)
        except NotFoundError:
            stored = None
        if stored is None or stored.value.phase is Phase.PLANNING:
            if self._clock() - began(cascade) < PLANNING or cascade in planning:
                return  # its push is still being dealt with
            self._give_up(cascade, stored)
        if stored is None or stored.value.phase is not Phase.RUNNING:
            states = {state.image: state for state in self._engine.records.rebuilds(cascade)}
            ended = stored is not None and stored.value.phase is Phase.ENDED
            if ended and (self._told_late(states) or self._owed.begin(states)):
                return  # somebody may begin again: looked at once more before it is left
            self._durations.learn(cascade, measured(states.values()))
            if stored is not None and ended:
                self._failures.enter(stored.value, states)
                self._yearbook.enter(stored.value, states)
            for attempt in retry_conflicts():
                with attempt:
                    self._engine.records.delist(cascade)
            if stored is not None and ended:
                observer().ended(stored.value, states)
            return
        states = {state.image: state for state in self._engine.records.rebuilds(cascade)}
        for state in states.values():
            thaw.look(state)
            self._mend(state, states)

    def _give_up(self, cascade: str, stored: Stored[Header] | None) -> None:
        """A cascade that nobody plans, of a program before this one: what follows it must not wait for ever."""
        logger.warning("cascade was never planned", extra={"cascade": cascade})
        if stored is None:
            return
        newer = self._bases.get(stored.value.base)
        event = Superseded(at=self._clock(), by=newer.cascade if newer else "")
        for state in list(self._engine.records.rebuilds(cascade)):
            self._engine.advance(cascade, state.image, event)
        for attempt in retry_conflicts():
            with attempt:
                self._engine.records.set_phase(self._engine.records.header(cascade), Phase.ENDED)

    def _mend(self, state: Rebuild, states: dict[str, Rebuild]) -> None:
        now = self._clock()
        quiet = now - state.updated_at
        if state.status is Status.BUILDING and not overdue(state, now):
            self._engine.glance(state)  # at once: a run that fails is announced by nobody
            return
        if quiet < PATIENCE:
            return
        if state.status in (Status.WAITING, Status.HELD) or state.status.settled:
            self._tell(state, states)
            return
        state = self._engine.advance(state.cascade, state.image, Overdue(at=now))
        patience = LONG_PATIENCE if state.status in (Status.SCANNING, Status.DEPLOYING) else PATIENCE
        waits_for_slot = state.status is Status.READY and self._engine.in_line(state)
        if not state.status.settled and quiet >= patience and not waits_for_slot:
            logger.warning("rebuild nudged", extra={"cascade": state.cascade, "image": state.image})
            self._engine.advance(state.cascade, state.image, Nudged(at=now))

    def _told_late(self, states: dict[str, Rebuild]) -> bool:
        """Whether a rebuild of an ended cascade had to be told something: the news of a replayed base was lost."""
        told = [self._tell(state, states) for state in states.values()]
        return any(told)

    def _tell(self, state: Rebuild, states: dict[str, Rebuild]) -> bool:
        """Tell a rebuild what it was not told of its bases; of an older cascade only one that still waits."""
        late = False
        for base, wait in state.waits.items():
            if base not in states and state.status not in (Status.WAITING, Status.BLOCKED):
                continue
            told = self._news_of(base, state, states)
            if told is not None and told.turn > wait.turn and replace(told, turn=wait.turn) != wait:
                event = BaseNews(at=self._clock(), base=base, wait=told)
                self._engine.advance(state.cascade, state.image, event)
                late = True
        return late

    def _news_of(self, base: str, state: Rebuild, states: dict[str, Rebuild]) -> Wait | None:
        if base in states:
            return news(states[base])
        cascade, _, image = base.partition("/")
        if image != state.image or base != predecessor(cascade, image):
            return None
        try:
            older = follow(self._engine.records.rebuild(cascade, image).value)
        except NotFoundError:
            return Wait(outcome=Outcome.UNCHANGED, turn=0)
        return None if older.outcome is Outcome.PENDING else older

    def slots(self) -> None:
        """Take entries out of the pools, and out of what is rolled out, whose rebuild has moved on."""
        self._limit.sweep(self._rolls)
        for entry in self._engine.pool().running.values():
            try:
                state = self._engine.records.rebuild(entry.cascade, entry.image).value
            except NotFoundError:
                self._engine.drop_from_pool(entry)
                continue
            except NewerError:
                continue  # it builds, as far as we know
            if state.status not in (Status.READY, Status.BUILDING):
                self._engine.drop_from_pool(entry)

    def _rolls(self, cascade: str, image: str) -> bool:
        try:
            return self._engine.records.rebuild(cascade, image).value.status is Status.DEPLOYING
        except NotFoundError:
            return False
        except NewerError:
            return True  # as far as we know
