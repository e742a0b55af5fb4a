"""The engine: load, decide, save with the ETag, dispatch. Nothing is decided here.

Every message is handled at least once, so every handler may be run again at any point: side effects have names that
make them idempotent, and a stale command (its turn has passed) is dropped. What a crash left undone is taken up
from the outbox that was saved with the state: by the next delivery of the same message, or else by the sweep.

What follows a short step (`_AT_ONCE`) is done in the same handling, in place of a message to ourselves. Each step
is saved before the next begins, so a crash between two is the same as one between saving and sending. A step may
begin on a remembered record: a stale one makes a conflict when it is saved, and is as harmless as a worker that was
paused between reading and saving. What moves tags or touches clusters reads it anew.
"""

import logging
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import batched

from groundswell.cascade import newer, schedule, unreadable
from groundswell.cascade.codec import command_from_text, command_to_text
from groundswell.cascade.decide import decide, decide_all
from groundswell.cascade.events import BaseNews, Event, Followed, RunStarted, StageFailed
from groundswell.cascade.meaning import TOLD_AT_ONCE, follow, predecessor
from groundswell.cascade.model import POISONED, Command, Kind, Outcome, Rebuild, Wait
from groundswell.cascade.observing import observer
from groundswell.cascade.polling import Polling
from groundswell.cascade.pools import Places, Pools
from groundswell.cascade.records import Records, Stored
from groundswell.cascade.rivals import came_back, goes_first, rivals
from groundswell.cascade.status import Status
from groundswell.clock import Clock
from groundswell.errors import NewerError, NotFoundError, PermanentError, TemporaryError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Store

logger = logging.getLogger(__name__)

PUSHES, REBUILDS, SCANS, ROLLOUTS = "pushes", "rebuilds", "scans", "rollouts"

QUEUE = {
    Kind.SCAN: SCANS,
    Kind.PROMOTE: SCANS,
    Kind.DEPLOY: ROLLOUTS,
    Kind.WATCH: ROLLOUTS,
    Kind.BACK: ROLLOUTS,
    Kind.BAKE: ROLLOUTS,
}
"""Where each kind of command goes; all others go to the rebuilds."""

_AT_ONCE = {Kind.RELEASE: 1000, Kind.ADMIT: 1000, Kind.PROMOTE: 1000, Kind.NEWS: 1, Kind.BUILD: 4}
"""What is done in the handling that it follows from, and how many of each kind that come of one step."""
_MOST_AT_ONCE = 20
"""Steps in one handling; what is left then gets messages, for others to share in."""
_READ_ANEW = frozenset({Kind.PROMOTE, Kind.DEPLOY, Kind.WATCH, Kind.BACK, Kind.BAKE})
"""What moves tags or touches clusters: not on a remembered record. (A run that was started on one is stopped.)"""

_NOT_BEGUN = frozenset({Status.WAITING, Status.BLOCKED})
"""Those who can be told in the commit of what they are told of."""

MAX_TRIES = 12
MAX_BACKOFF = 60.0

type Work = Callable[[Command, Rebuild], Event | None]
"""Does a command for a rebuild, and says what happened; None: nothing yet, look again."""


class Engine:
    """Moves rebuilds. `poll` is in seconds: between two looks at a rollout, and before the first at a run.

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
        self._polling = Polling(poll=poll, clock=clock)
        self._make_works = works
        self.records = Records(store)

    @cached_property
    def _works(self) -> Mapping[Kind, Work]:
        return self._make_works()

    # Deciding.

    def advance(self, cascade: str, image: str, event: Event) -> Rebuild:
        """Let `event` happen to a rebuild, and send what follows; again from the start when somebody was faster."""
        state, commands = self._save(self.records.rebuild(cascade, image), [event])
        self.send(commands)
        return state

    def _save(
        self, stored: Stored[Rebuild], events: Sequence[Event], *, attempt: int | None = None
    ) -> tuple[Rebuild, tuple[Command, ...]]:
        """Decide and save; on the state as it is now, when that is another than the one that was loaded.

        What happened to one `attempt` does not happen to another.
        """
        known: Stored[Rebuild] | None = stored
        for tried in retry_conflicts():
            with tried:
                old = known or self.records.rebuild(stored.value.cascade, stored.value.image)
                known = None
                if attempt not in (None, old.value.attempt):
                    return old.value, _orphaned(old.value, events)
                state, commands = decide_all(old.value, events)
                moves = [(old, state)] if state is not old.value else []
                if tried.retry_state.attempt_number == 1:
                    told, commands = self._told(state.cascade, commands)
                    moves += told
                self._write(state.cascade, moves, at=events[-1].at)
        return state, commands

    def _write(self, cascade: str, moves: Sequence[tuple[Stored[Rebuild], Rebuild]], *, at: float) -> None:
        self.records.save(cascade, moves, at=at)
        for old, new in moves:
            self._log(old.value, new)
            observer().moved(old.value, new)

    def _told(
        self, cascade: str, commands: tuple[Command, ...]
    ) -> tuple[list[tuple[Stored[Rebuild], Rebuild]], tuple[Command, ...]]:
        """What the first news among `commands` makes of those told, to be saved with the teller; then what is left.

        Only of dependants that this process remembers, and that have nothing to show yet, so that all fit into one
        commit; for others the news goes its way.
        """
        news = next((each for each in commands if each.kind is Kind.NEWS and each.cascade == cascade), None)
        if news is None:
            return [], commands
        found = [self.records.remembered(cascade, image) for image in news.images]
        known = [each for each in found if each and each.value.status in _NOT_BEGUN and not each.value.verdict]
        if len(known) < len(found):
            return [], commands
        decided = [(stored, *decide(stored.value, _base_news(news, self._clock()))) for stored in known]
        moves = [(stored, state) for stored, state, _ in decided if state is not stored.value]
        left = [command for command in commands if command is not news]
        return moves, (*left, *(then for _, _, commands in decided for then in commands))

    def send(self, commands: Iterable[Command]) -> None:
        for command in commands:
            delay = self._polling.first(command)
            if delay is not None:
                self._store.send(QUEUE.get(command.kind, REBUILDS), command_to_text(command), delay=delay)

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

    def handle(self, text: str, *, again: bool = False) -> None:
        """Carry out one message. Raises only what another delivery of the same message may mend.

        `again` says that an earlier delivery did not end: where it got to nobody knows, so what the rebuild's state
        asks for is done once more.
        """
        try:
            command = command_from_text(text)
        except NewerError as exc:
            newer.leave(self._store, newer.queue_of(text, QUEUE, REBUILDS), text, why=exc)
            return
        self._carry_on(self._carry_out([command], again=again), again=again)

    def _carry_on(self, commands: Iterable[Command], *, again: bool = False) -> None:
        """Do at once what may be done at once, and send the rest."""
        todo = deque(self._sent(commands))
        for _ in range(_MOST_AT_ONCE):
            if not todo:
                return
            step = [todo.popleft()]
            while step[0].kind is Kind.ADMIT and todo and todo[0].kind is Kind.ADMIT and len(step) < TOLD_AT_ONCE:
                step.append(todo.popleft())  # who are ready together get in line together
            try:
                todo.extend(self._sent(self._carry_out(step, again=again, follows=True)))
            except Exception:  # a message takes its place, whose own failing ends in the poison queue
                logger.exception("step failed", extra=_fields(step[0]))
                self.send(step)
        self.send(todo)

    def _sent(self, commands: Iterable[Command]) -> list[Command]:
        """Send what has its turn later, or elsewhere; returns the rest."""
        at_once: list[Command] = []
        for command in commands:
            like_it = sum(command.kind is other.kind for other in at_once)
            if command.delay == 0 and like_it < _AT_ONCE.get(command.kind, 0):
                at_once.append(command)
            else:
                self.send([command])
        return at_once

    def _carry_out(self, step: Sequence[Command], *, again: bool, follows: bool = False) -> Iterable[Command]:
        """Carry out one command, or several ADMITs; returns what comes of it.

        `follows` says that it comes of a step before it in this same handling.
        """
        command = step[0]
        try:
            match command.kind:
                case Kind.NEWS:
                    return self._news(command, again=again)
                case Kind.ADMIT:
                    return self._admit(step)
                case Kind.RELEASE:
                    return self._release(command, command.turn - 1)
                case Kind.CANCEL:
                    self._works[Kind.CANCEL](command, self._stored(command).value)
                    return ()
                case _:
                    return self._work(command, again=again, follows=follows)
        except NewerError as exc:
            self._leave(step, exc)
            return ()
        except TemporaryError as exc:
            return [then for each in step for then in self._later(each, exc)]
        except PermanentError as exc:
            if len(parts := _parts(step)) > 1:  # one of them is at fault: each by itself
                return [then for each in parts for then in self._carry_out([each], again=again)]
            if isinstance(exc, NotFoundError) and not self._known(command):
                logger.warning("command for a rebuild that is gone", extra=_fields(command))
                return ()
            return self._failed(command, str(exc))

    def poisoned(self, text: str) -> None:
        """A message that could not be handled after all its deliveries: its rebuild fails, visibly."""
        try:
            command = command_from_text(text)
        except NewerError as exc:
            newer.leave(self._store, newer.queue_of(text, QUEUE, REBUILDS), text, why=exc)
            return
        except PermanentError as exc:
            unreadable.record(self._store, text, what="a command", why=exc, clock=self._clock)
            return
        logger.error("message gave up", extra=_fields(command))
        observer().gave_up(QUEUE.get(command.kind, REBUILDS))
        reason = f"the message to {command.kind} {POISONED}"
        try:
            self.send(self._failed(command, reason))
        except NewerError as exc:
            self._leave([command], exc)
        except NotFoundError:
            logger.warning("command for a rebuild that is gone", extra=_fields(command))

    def _leave(self, step: Iterable[Command], why: NewerError) -> None:
        """These meet what a newer program wrote: they come again later, to that one, or to this one upgraded."""
        for command in step:
            newer.leave(self._store, QUEUE.get(command.kind, REBUILDS), command_to_text(command), why=why)

    def _stored(self, command: Command, *, anew: bool = False) -> Stored[Rebuild]:
        """The command's rebuild: as remembered, when that is of the command's turn, or else as it is now."""
        remembered = None if anew else self.records.remembered(command.cascade, command.image)
        if remembered is not None and remembered.value.turn == command.turn:
            return remembered
        return self.records.rebuild(command.cascade, command.image)

    def _seen(self, cascade: str, image: str) -> Stored[Rebuild]:
        """A rebuild as remembered, or else as it is now."""
        return self.records.remembered(cascade, image) or self.records.rebuild(cascade, image)

    def _work(self, command: Command, *, again: bool, follows: bool) -> Iterable[Command]:
        if (
            command.kind is Kind.OBSERVE
            and not again
            and self.records.passed(command.cascade, command.image, command.turn)
        ):
            return ()  # the usual end of the regular looks: the run's end was announced
        # A promotion that follows at once was saved a moment ago: there is nothing newer to read.
        just_saved = follows and command.kind is Kind.PROMOTE
        anew = command.tries > 0 or (command.kind in _READ_ANEW and not just_saved)
        stored = self._stored(command, anew=anew)
        state = stored.value
        if state.turn != command.turn:
            logger.info("stale command dropped", extra=_fields(command))
            # The slot was granted to a turn that has passed; a doubled message must not free the one in use.
            if command.kind is Kind.BUILD and state.status is not Status.BUILDING:
                return self._release(command, command.turn)
            return state.outbox if again else ()
        with observer().working(state):
            event = self._works[command.kind](command, state)
        if event is None:
            return self._look_again(command)
        events = [event, *self._verified(state, event)]
        return self._save(stored, events, attempt=state.attempt)[1]

    def _look_again(self, command: Command) -> list[Command]:
        later = self._polling.next(command)
        self.send([later] if later else [])
        return []

    def _verified(self, state: Rebuild, event: Event) -> Iterator[Event]:
        """What comes of verifying, when `event` asks for that: it only reads, so it needs no message of its own."""
        after, commands = decide(state, event)
        for command in (command for command in commands if command.kind is Kind.VERIFY):
            try:
                with observer().working(after):
                    found = self._works[Kind.VERIFY](command, after)
            except TemporaryError as exc:
                logger.warning("verifying put off", extra={**_fields(command), "why": str(exc)})
            except PermanentError as exc:
                yield StageFailed(at=self._clock(), reason=str(exc))
            else:
                yield from filter(None, [found])

    def _news(self, command: Command, *, again: bool) -> list[Command]:
        """Tell dependants, in one commit; again from the start when somebody was faster."""
        event = _base_news(command, self._clock())
        for tried in retry_conflicts():
            with tried:
                load = self._seen if tried.retry_state.attempt_number == 1 else self.records.rebuild
                found = [load(command.cascade, image) for image in command.images]
                told = [(stored, *decide(stored.value, event)) for stored in found]
                moves = [(stored, state) for stored, state, _ in told if state is not stored.value]
                self._write(command.cascade, moves, at=event.at)
        commands = [then for _, _, commands in told for then in commands]
        if again:  # told by the delivery that did not end, which may not have got to what follows
            commands += [
                then
                for stored, state, _ in told
                if state is stored.value and (state.status is Status.READY or state.status.settled)
                for then in state.outbox
            ]
        return commands

    def _later(self, command: Command, error: TemporaryError) -> Iterable[Command]:
        tries = command.tries + 1
        if tries >= MAX_TRIES:
            return self._failed(command, f"gave up after {tries} tries: {error}")
        delay = max(error.delay, min(MAX_BACKOFF, 0.5 * 2**tries)) * random.uniform(1.0, 1.3)  # noqa: S311  # jitter
        logger.warning(
            "command put off",
            extra={**_fields(command), "tries": tries, "delay": round(delay, 1), "why": str(error)},
        )
        self.send([replace(command, tries=tries, delay=delay)])
        return ()

    def _failed(self, command: Command, reason: str) -> list[Command]:
        """The command's rebuilds fail; returns what follows."""
        if command.kind in (Kind.RELEASE, Kind.CANCEL):
            logger.error("command failed", extra={**_fields(command), "why": reason})
            return []
        commands: list[Command] = []
        for image in command.images:
            stored = self.records.rebuild(command.cascade, image)
            if command.kind is Kind.NEWS or stored.value.turn == command.turn:
                commands += self._save(stored, [StageFailed(at=self._clock(), reason=reason)])[1]
        return commands

    def _known(self, command: Command) -> bool:
        try:
            self.records.rebuild(command.cascade, command.image)
        except NotFoundError:
            return False
        return True

    # The build slots: one pool each for the registries' own machines and for every agent pool with a limit.

    def admit(self, commands: Iterable[Command]) -> None:
        """Carry out many ADMITs, those of a new cascade, as they come: the first in line first."""
        for step in batched(commands, TOLD_AT_ONCE, strict=False):
            self.send(self._carry_out(step, again=False))

    def _admit(self, step: Sequence[Command]) -> list[Command]:
        entries = []
        for command in step:
            state = self._stored(command).value
            if state.turn != command.turn:
                logger.info("stale command dropped", extra=_fields(command))
            elif not (came_back(state) and self._gives_way(state)):
                entries.append(self._entry(state))
        return _builds(self._pools.admit(entries))

    def _gives_way(self, state: Rebuild) -> bool:
        """Let one of a rebuild and its rivals in other cascades wait for the other; whether it is this one."""
        at, gives_way = self._clock(), False
        for other in rivals(self.records, state):
            first, then = (state, other) if goes_first(state, other) else (other, state)
            wait = follow(self.advance(first.cascade, first.image, Followed(at=at, by=then.cascade)))
            if wait.outcome is Outcome.PENDING:
                self.advance(
                    then.cascade,
                    then.image,
                    BaseNews(at=at, base=predecessor(first.cascade, first.image), wait=wait),
                )
                gives_way = gives_way or then is state
        return gives_way

    def _entry(self, state: Rebuild) -> schedule.Entry:
        return schedule.Entry(
            cascade=state.cascade,
            image=state.image,
            turn=state.turn,
            priority=state.priority,
            since=state.updated_at,
            urgent=state.urgent,
            pool=self._pools.name(self._agent_pool(state.image)) if self._pools.named else schedule.DEFAULT,
        )

    def _release(self, command: Command, up_to: int) -> list[Command]:
        """Out of the slot, or else out of the line, with every turn up to `up_to`."""
        granted = self._pools.release(command.cascade, command.image, up_to=up_to)
        if granted is None:
            state = self._seen(command.cascade, command.image).value  # its priority never changes
            self._pools.leave(state.cascade, state.image, priority=state.priority, up_to=up_to)
        return _builds(granted or ())

    def look(self, cascade: str, image: str, tag: str) -> bool:
        """Somebody saw the candidate `tag` of a rebuild: if that is what it builds now, look at its run.

        A few looks follow if the run has not ended; the regular ones go on, and may be fewer from now on.
        """
        for load in (self.records.remembered, self.records.rebuild):
            try:
                stored = load(cascade, image)
            except NotFoundError:
                return False  # its cascade is gone, and its slot will be
            if stored and stored.value.status is Status.BUILDING and stored.value.candidate_tag == tag:
                self._carry_on(self._carry_out([self._polling.announced(stored.value)], again=False))
                return True
        return False

    def glance(self, state: Rebuild) -> None:
        """Look at a rebuild's run once, whatever else looks at it."""
        command = self._polling.once(state)
        try:
            self._carry_on(self._work(command, again=False, follows=False))
        except TemporaryError as exc:
            logger.warning("run not seen", extra={**_fields(command), "why": str(exc)})
        except PermanentError as exc:
            self._carry_on(self._failed(command, str(exc)))

    def building(self, *, anew: bool = False) -> Iterator[schedule.Entry]:
        """Who has a slot: as this process knows it, or, `anew`, as it is."""
        return self._pools.running(anew=anew)

    def pool(self) -> Places:
        """The slots as they are: who builds, who stands in line."""
        return self._pools.places()

    def room(self, image: str) -> bool:
        """Whether an image could be built at once, in nobody's way. Raises NotFoundError when there is none."""
        return self._pools.room(self._pools.name(self._agent_pool(image)))

    def in_line(self, state: Rebuild) -> bool:
        """Whether a rebuild stands in line for a slot."""
        return self._pools.in_line(state.cascade, state.image, priority=state.priority)

    def drop_from_pool(self, entry: schedule.Entry) -> None:
        """Take out an entry whose rebuild has moved on (its release was lost), and grant what that frees."""
        self.send(_builds(self._pools.release(entry.cascade, entry.image, up_to=entry.turn) or ()))


def _base_news(command: Command, at: float) -> BaseNews:
    data = command.data
    wait = Wait(outcome=Outcome(data["outcome"]), digest=data["digest"], turn=data["turn"], cause=data["cause"])
    return BaseNews(at=at, base=data["base"], wait=wait)


def _builds(granted: Iterable[schedule.Entry]) -> list[Command]:
    return [Command(kind=Kind.BUILD, cascade=e.cascade, image=e.image, turn=e.turn) for e in granted]


def _parts(step: Sequence[Command]) -> list[Command]:
    """The same commands, each for one rebuild."""
    if step[0].kind is not Kind.NEWS:
        return list(step)
    return [replace(each, image=i, data={**each.data, "images": [i]}) for each in step for i in each.images]


def _orphaned(state: Rebuild, events: Sequence[Event]) -> tuple[Command, ...]:
    """A run that was started for an attempt that has passed is nobody's."""
    return tuple(
        Command(
            kind=Kind.CANCEL,
            cascade=state.cascade,
            image=state.image,
            turn=state.turn,
            data={"run": event.run, "registry": event.spec["registry"]},
        )
        for event in events
        if isinstance(event, RunStarted)
    )


def _fields(command: Command) -> dict[str, object]:
    return {"cascade": command.cascade, "image": command.image, "command": command.kind.value, "turn": command.turn}
