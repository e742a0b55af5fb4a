"""The engine: load, decide, save with the ETag, dispatch. Nothing is decided here.

Every message is handled at least once, so every handler may be run again at any point: side effects have names that
make them idempotent, a stale command (its turn has passed) is dropped, and what a crash left unsent is sent by the
sweep from the outbox that was saved with the state.
"""

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
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
    Wait,
)
from groundswell.cascade.records import Records
from groundswell.clock import Clock
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Put, Store

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
_POOLS, _DEFAULT_POOL = "pools", "default"

type Work = Callable[[Command, Rebuild], Event | None]
"""Does a command for a rebuild, and says what happened; None: nothing yet, look again."""


class Engine:
    """Moves rebuilds. `slots` limits the builds at once, `poll` is in seconds.

    `works` makes the stages; it is called when the first of them is needed: their adapters are slow to import.
    """

    def __init__(
        self, store: Store, *, works: Callable[[], Mapping[Kind, Work]], clock: Clock, slots: int, poll: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._slots = slots
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
                self._edit_pool(lambda pool: self._released(pool, command, command.turn - 1))
            case Kind.CANCEL:
                self._works[Kind.CANCEL](command, self.records.rebuild(command.cascade, command.image).value)
            case _:
                self._work(command)

    def _work(self, command: Command) -> None:
        state = self.records.rebuild(command.cascade, command.image).value
        if state.turn != command.turn:
            logger.info("stale command dropped", extra=_fields(command))
            if command.kind is Kind.BUILD:  # the slot was granted to a turn that has passed
                self._edit_pool(lambda pool: self._released(pool, command, command.turn))
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

    # The pool of build slots.

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
        )
        self._edit_pool(lambda pool: schedule.admit(pool, entry))

    @staticmethod
    def _released(pool: schedule.Pool, command: Command, up_to: int) -> schedule.Pool:
        return schedule.release(pool, command.cascade, command.image, up_to=up_to)

    def _edit_pool(self, change: Callable[[schedule.Pool], schedule.Pool]) -> None:
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_POOLS, _POOLS, _DEFAULT_POOL)
                before = _pool(record.value) if record else schedule.Pool()
                after, granted = schedule.grant(change(before), self._slots)
                if after != before:
                    put = Put(row=_DEFAULT_POOL, value=asdict(after), etag=record.etag if record else None)
                    self._store.commit(_POOLS, _POOLS, [put])
        self.send(
            Command(kind=Kind.BUILD, cascade=entry.cascade, image=entry.image, turn=entry.turn) for entry in granted
        )

    def pool(self) -> schedule.Pool:
        """The slots as they are: who builds, who stands in line."""
        record = self._store.get(_POOLS, _POOLS, _DEFAULT_POOL)
        return _pool(record.value) if record else schedule.Pool()

    def drop_from_pool(self, entry: schedule.Entry) -> None:
        """Take out an entry whose rebuild has moved on (its release was lost), and grant what that frees."""
        self._edit_pool(lambda pool: schedule.release(pool, entry.cascade, entry.image, up_to=entry.turn))


def _pool(document: object) -> schedule.Pool:
    assert isinstance(document, dict)  # noqa: S101  # the store returns what asdict() gave it
    return schedule.Pool(
        waiting={name: schedule.Entry(**entry) for name, entry in document["waiting"].items()},
        running={name: schedule.Entry(**entry) for name, entry in document["running"].items()},
    )


def _fields(command: Command) -> dict[str, object]:
    return {"cascade": command.cascade, "image": command.image, "command": command.kind.value, "turn": command.turn}
