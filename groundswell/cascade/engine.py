"""The engine: load, decide, save with the ETag, dispatch. Nothing is decided here.

Every message is handled at least once, so every handler may be run again at any point: side effects have names that
make them idempotent, a stale command (its turn has passed) is dropped, and what a crash left unsent is sent by the
sweep from the outbox that was saved with the state.
"""

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from groundswell.cascade import schedule
from groundswell.cascade.codec import command_from_text, command_to_text
from groundswell.cascade.decide import decide
from groundswell.cascade.model import (
    BaseNews,
    Command,
    Event,
    Kind,
    Outcome,
    Rebuild,
    StageFailed,
    Status,
    Wait,
)
from groundswell.cascade.pools import Places, Pools
from groundswell.cascade.records import Records
from groundswell.clock import Clock
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Store

logger = logging.getLogger(__name__)

PUSHES, REBUILDS, SCANS, ROLLOUTS = "pushes", "rebuilds", "scans", "rollouts"

QUEUE = {
    Kind.SCAN: SCANS,
    Kind.PROMOTE: SCANS,
    Kind.DEPLOY: ROLLOUTS,
    Kind.WATCH: ROLLOUTS,
}
"""Where each kind of command goes; all others go to the rebuilds."""

MAX_TRIES = 12
MAX_BACKOFF = 60.0

type Work = Callable[[Command, Rebuild], Event | None]
"""Does a command for a rebuild, and says what happened; None: nothing yet, look again."""


class Engine:
    """Moves rebuilds. `poll` is in seconds.

    `slots` limits the builds at once on the registries' own machines, `agent_pools` those in the agent pools that
    it names; `agent_pool` says where an image is built (None: on the registry's own).
    `works` makes the stages; it is called when the first of them is needed: their adapters are slow to import.
    """

    def __init__(
        self,
        store: Store,
        *,
        works: Callable[[], Mapping[Kind, Work]],
        clock: Clock,
        slots: int,
        poll: float,
        agent_pools: Mapping[str, int],
        agent_pool: Callable[[str], str | None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._pools = Pools(store, slots=slots, agent_pools=agent_pools, clock=clock)
        self._agent_pool = agent_pool
        self._poll = poll
        self._make_works = works
        self.records = Records(store)

    @cached_property
    def _works(self) -> Mapping[Kind, Work]:
        return self._make_works()

    # Deciding.

    def advance(self, cascade: str, image: str, event: Event) -> Rebuild:
        """Let `event` happen to a rebuild, and send what follows; again from the start when somebody was faster."""
        for attempt in retry_conflicts():
            with attempt:
                stored = self.records.rebuild(cascade, image)
                state, commands = decide(stored.value, event)
                if state is not stored.value:
                    self.records.save(stored, state, at=event.at)
                    self._log(stored.value, state)
        self.send(commands)
        return state

    def send(self, commands: Iterable[Command]) -> None:
        for command in commands:
            queue = QUEUE.get(command.kind, REBUILDS)
            self._store.send(queue, command_to_text(command), delay=command.delay)

    def _log(self, old: Rebuild, new: Rebuild) -> None:
        if new.status is not old.status:
            logger.info(
                "rebuild moved",
                extra={
                    "cascade": new.cascade,
                    "image": new.image,
                    "attempt": new.attempt,
                    "from_status": old.status.value,
                    "to_status": new.status.value,
                    "reason": new.reason,
                },
            )

    # Handling.

    def handle(self, text: str) -> None:
        """Carry out one message. Raises only what another delivery of the same message may mend."""
        command = command_from_text(text)
        try:
            self._handle(command)
        except TemporaryError as exc:
            self._later(command, exc)
        except NotFoundError as exc:
            if self._known(command):
                self._failed(command, str(exc))
            else:
                logger.warning("command for a rebuild that is gone", extra=_fields(command))
        except PermanentError as exc:
            self._failed(command, str(exc))

    def poisoned(self, text: str) -> None:
        """A message that could not be handled after all its deliveries: its rebuild fails, visibly."""
        try:
            command = command_from_text(text)
            logger.error("message gave up", extra=_fields(command))
            self._failed(
                command, f"the message to {command.kind} it failed again and again; see the log, then replay"
            )
        except PermanentError:
            logger.exception("poisoned message dropped")  # no command, or for a rebuild that is gone

    def _handle(self, command: Command) -> None:
        match command.kind:
            case Kind.NEWS:
                self._news(command)
            case Kind.ADMIT:
                self._admit(command)
            case Kind.RELEASE:
                self._release(command, command.turn - 1)
            case Kind.CANCEL:
                self._works[Kind.CANCEL](command, self.records.rebuild(command.cascade, command.image).value)
            case _:
                self._work(command)

    def _work(self, command: Command) -> None:
        state = self.records.rebuild(command.cascade, command.image).value
        if state.turn != command.turn:
            logger.info("stale command dropped", extra=_fields(command))
            # The slot was granted to a turn that has passed; a doubled message must not free the one in use.
            if command.kind is Kind.BUILD and state.status is not Status.BUILDING:
                self._release(command, command.turn)
            return
        event = self._works[command.kind](command, state)
        if event is None:
            self.send([replace(command, tries=0, delay=self._poll)])
        else:
            self.advance(command.cascade, command.image, event)

    def _news(self, command: Command) -> None:
        data = command.data
        wait = Wait(outcome=Outcome(data["outcome"]), digest=data["digest"], turn=data["turn"], cause=data["cause"])
        event = BaseNews(at=self._clock(), base=data["base"], wait=wait)
        self.advance(command.cascade, command.image, event)

    def _later(self, command: Command, error: TemporaryError) -> None:
        tries = command.tries + 1
        if tries >= MAX_TRIES:
            self._failed(command, f"gave up after {tries} tries: {error}")
            return
        delay = max(error.delay, min(MAX_BACKOFF, 0.5 * 2**tries)) * random.uniform(0.8, 1.2)  # noqa: S311  # jitter
        logger.warning(
            "command put off",
            extra={**_fields(command), "tries": tries, "delay": round(delay, 1), "why": str(error)},
        )
        self.send([replace(command, tries=tries, delay=delay)])

    def _failed(self, command: Command, reason: str) -> None:
        if command.kind in (Kind.RELEASE, Kind.CANCEL):
            logger.error("command failed", extra={**_fields(command), "why": reason})
            return
        stored = self.records.rebuild(command.cascade, command.image)
        if command.kind is Kind.NEWS or stored.value.turn == command.turn:
            self.advance(command.cascade, command.image, StageFailed(at=self._clock(), reason=reason))

    def _known(self, command: Command) -> bool:
        try:
            self.records.rebuild(command.cascade, command.image)
        except NotFoundError:
            return False
        return True

    # The build slots: one pool each for the registries' own machines and for every agent pool with a limit.

    def _admit(self, command: Command) -> None:
        state = self.records.rebuild(command.cascade, command.image).value
        if state.turn != command.turn:
            logger.info("stale command dropped", extra=_fields(command))
            return
        entry = schedule.Entry(
            cascade=state.cascade,
            image=state.image,
            turn=state.turn,
            priority=state.priority,
            since=state.updated_at,
            urgent=state.urgent,
            pool=self._pools.name(self._agent_pool(state.image)) if self._pools.named else schedule.DEFAULT,
        )
        self._granted(self._pools.admit(entry))

    def _release(self, command: Command, up_to: int) -> None:
        """Out of the slot, or else out of the line, with every turn up to `up_to`."""
        granted = self._pools.release(command.cascade, command.image, up_to=up_to)
        if granted is None:
            state = self.records.rebuild(command.cascade, command.image).value
            self._pools.leave(state.cascade, state.image, priority=state.priority, up_to=up_to)
        self._granted(granted or ())

    def _granted(self, entries: Iterable[schedule.Entry]) -> None:
        self.send(Command(kind=Kind.BUILD, cascade=e.cascade, image=e.image, turn=e.turn) for e in entries)

    def pool(self) -> Places:
        """The slots as they are: who builds, who stands in line."""
        return self._pools.places()

    def in_line(self, state: Rebuild) -> bool:
        """Whether a rebuild stands in line for a slot."""
        return self._pools.in_line(state.cascade, state.image, priority=state.priority)

    def drop_from_pool(self, entry: schedule.Entry) -> None:
        """Take out an entry whose rebuild has moved on (its release was lost), and grant what that frees."""
        self._granted(self._pools.release(entry.cascade, entry.image, up_to=entry.turn) or ())


def _fields(command: Command) -> dict[str, object]:
    return {"cascade": command.cascade, "image": command.image, "command": command.kind.value, "turn": command.turn}
