"""What operators do to cascades: each with a name and a reason, each in the audit trail.

A whole cascade is dealt with rebuild by rebuild: each has an audit entry of its own, one that cannot be touched is
named with the reason, and what goes wrong with one does not keep the others from being done.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from typing import Any

from groundswell import audit
from groundswell.cascade.decide import decide
from groundswell.cascade.engine import Engine
from groundswell.cascade.events import Approved, Cancelled, Held, Released, Replayed
from groundswell.cascade.holds import marked
from groundswell.cascade.meaning import follow
from groundswell.cascade.model import Hold, Outcome, Rebuild
from groundswell.cascade.records import Phase
from groundswell.cascade.rules.candidate import stands_elsewhere
from groundswell.cascade.status import ACTIVE_STAGE, Stage, Status
from groundswell.clock import Clock
from groundswell.errors import GroundswellError, InputError, NotFoundError, TemporaryError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Documents

_FAILED = (Status.FAILED, Status.REJECTED, Status.CANCELLED)
_ENDED = (*_FAILED, Status.DONE, Status.UNCHANGED)
_TOO_LATE = (Status.PROMOTING, Status.DEPLOYING)
_SAME = 0.001
"""Seconds: a time that went through a page is as exact as this."""
_BEGUN = (Status.BUILDING, Status.VERIFYING, Status.SCANNING)

type Act = Replayed | Cancelled | Held | Released | Approved
"""What a person does to a rebuild."""

_ACTIONS: Mapping[type[Act], str] = {
    Replayed: "replay",
    Cancelled: "cancel",
    Held: "hold",
    Released: "release",
    Approved: "approve",
}
"""As the audit trail calls them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What became of one rebuild: its status now, the stage it was replayed from, and why (or why not)."""

    image: str
    status: Status
    stage: Stage | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A failure as a person was shown it: where to begin again, and when it had come to its end."""

    begin: Stage
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """What became of the rebuilds of a cascade: `done` as asked, `left` alone, and `failed` when it was tried."""

    cascade: str
    done: tuple[Item, ...]
    left: tuple[Item, ...]
    failed: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Operator:
    def __init__(self, *, store: Documents, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    # Replay.

    def replay(
        self, cascade: str, image: str, *, stage: Stage | None = None, force: bool = False, who: str, why: str
    ) -> Rebuild:
        """Run a rebuild again from `stage` (None: the one it failed at); what it blocked comes back by itself.

        With `force` (from build) it is built even if the same inputs were built and good before.

        Raises InputError when it cannot be replayed from there (the message says from where it can),
        NotFoundError when there is no such rebuild.
        """
        _need_reason("a replay", why)
        stage = _forced_from(stage) if force else stage
        records = self._engine.records
        # Looked up first: a mistyped id on the open list would be waited for by all that follow.
        records.header(cascade)
        state = records.rebuild(cascade, image).value
        if other := self._busy(cascade, {image}).get(image):
            raise InputError(f"{image} is {_elsewhere(other)}: wait for it, or replay it there")
        self._enlist(cascade)
        event = Replayed(at=self._clock(), stage=stage or failed_at(state), who=who, why=why, force=force)
        return self._apply(cascade, image, event)

    def replay_failed(
        self, cascade: str, *, stage: Stage | None = None, force: bool = False, who: str, why: str
    ) -> Bulk:
        """Replay what failed, was rejected or was cancelled, from `stage` or each from where it failed.

        Bases come first. What is blocked is left alone: it comes back by itself. Raises NotFoundError when there is
        no such cascade, TemporaryError while it is still being planned.
        """
        return self._replay(cascade, _FAILED, stage, force=force, who=who, why=why)

    def replay_all(
        self, cascade: str, *, stage: Stage | None = None, force: bool = False, who: str, why: str
    ) -> Bulk:
        """Replay everything that has ended, from `stage`; else as `replay_failed`."""
        return self._replay(cascade, _ENDED, stage, force=force, who=who, why=why)

    def replay_seen(self, cascade: str, seen: Mapping[str, Seen], *, who: str, why: str) -> Bulk:
        """Replay failures by image that a person was shown, each from its stage, the bases first.

        One that is not as it was shown any more is left alone: somebody replayed it, and it is under way, or ended
        once more, and is to be looked at again. Raises as `replay_failed`, and NotFoundError for an unknown image.
        """
        _need_reason("a replay", why)
        states = self._load(cascade)
        for image in sorted(seen.keys() - states.keys()):
            raise NotFoundError(f"no image {image} in cascade {cascade}")
        changed = {image: why_not for image in seen if (why_not := _since_seen(states[image], seen[image]))}
        busy = self._busy(cascade, seen.keys() - changed.keys())
        if seen.keys() - changed.keys() - busy.keys():
            self._enlist(cascade)
        book = _Book(self._apply)
        for state in _bases_first(states):
            image = state.image
            if image in changed:
                book.leave(state, changed[image])
            elif image in busy:
                book.leave(state, _elsewhere(busy[image]))
            elif image in seen:
                begin, note = restart(state, seen[image].begin)
                book.attempt(state, Replayed(at=self._clock(), stage=begin, who=who, why=why), note)
        return book.close(cascade)

    def _replay(
        self, cascade: str, wanted: tuple[Status, ...], stage: Stage | None, *, force: bool, who: str, why: str
    ) -> Bulk:
        _need_reason("a replay", why)
        stage = _forced_from(stage) if force else stage
        states = self._load(cascade)
        targets = {image for image, state in states.items() if state.status in wanted}
        busy = self._busy(cascade, targets)
        if targets - busy.keys():
            self._enlist(cascade)
        book = _Book(self._apply)
        for state in _bases_first(states):
            image = state.image
            if image in busy:
                book.leave(state, _elsewhere(busy[image]))
            elif image in targets:
                asked = stage or failed_at(state)
                begin, note = restart(state, asked)
                event = Replayed(at=self._clock(), stage=begin, who=who, why=why, force=force)
                book.attempt(state, event, note)
            elif state.status not in _ENDED:
                book.leave(state, _why_not_replayed(state))
        return book.close(cascade)

    def _busy(self, cascade: str, images: Iterable[str]) -> dict[str, str]:
        """Of `images`, those that another open cascade rebuilds, and which."""
        records, names = self._engine.records, set(images)
        return {
            state.image: other
            for other in (records.open() if names else ())
            if other != cascade
            for state in records.rebuilds(other)
            if state.image in names and follow(state).outcome is Outcome.PENDING
        }

    def _enlist(self, cascade: str) -> None:
        for attempt in retry_conflicts():
            with attempt:
                self._engine.records.enlist(cascade)

    # Cancel.

    def cancel(self, cascade: str, image: str, *, who: str, why: str) -> Rebuild:
        """Stop a rebuild that has not promoted anything; what stands on it is blocked.

        One whose rollout is held is stopped too: its stable tags have moved and stay, its workloads stay as they
        are, and what stands on it goes on.
        """
        _need_reason("cancelling", why)
        self._engine.records.header(cascade)
        return self._apply(cascade, image, Cancelled(at=self._clock(), who=who, why=why))

    def cancel_all(self, cascade: str, *, who: str, why: str) -> Bulk:
        """Stop all that has not promoted anything, or is held; what is promoting or deploying is left to end.

        Raises NotFoundError when there is no such cascade, TemporaryError while it is still being planned.
        """
        _need_reason("cancelling", why)
        states = self._load(cascade)
        book = _Book(self._apply)
        # What has not begun goes first: a slot that is given back must start nothing that is about to be stopped.
        for state in sorted(states.values(), key=lambda state: (state.status in _BEGUN, state.image)):
            if state.status in _TOO_LATE:
                book.leave(state, f"is {state.status} already: it is left to end")
            elif not state.status.settled or state.status is Status.BLOCKED:
                event = Cancelled(at=self._clock(), who=who, why=why)
                book.attempt(state, event)
        return book.close(cascade)

    # Hold, release, approve.

    def hold(self, cascade: str, image: str, *, who: str, why: str) -> Rebuild:
        """Stop a rebuild at its next checkpoint: before its build, its promotion or its rollout.

        Raises InputError when it has ended or somebody holds it already, NotFoundError when there is none.
        """
        _need_reason("a hold", why)
        return self._apply(cascade, image, Held(at=self._clock(), who=who, why=why))

    def hold_all(self, cascade: str, *, who: str, why: str) -> Bulk:
        """Hold all that has not ended, and what is blocked, should it come back; else as `cancel_all`."""
        _need_reason("a hold", why)
        book = _Book(self._apply)
        states = self._load(cascade).values()
        # Who stands at the end of the line comes first: a slot that is given back is granted to nobody else here.
        for state in sorted(states, key=lambda state: (state.status is Status.READY, state.priority, state.image)):
            if not state.status.settled or state.status is Status.BLOCKED:
                book.attempt(state, Held(at=self._clock(), who=who, why=why))
        return book.close(cascade)

    def release(self, cascade: str, image: str, *, who: str, why: str) -> Rebuild:
        """End a person's hold. Raises InputError when there is none."""
        _need_reason("a release", why)
        return self._apply(cascade, image, Released(at=self._clock(), who=who, why=why))

    def release_all(self, cascade: str, *, who: str, why: str) -> Bulk:
        """End every person's hold in a cascade; else as `cancel_all`."""
        _need_reason("a release", why)
        book = _Book(self._apply)
        for state in sorted(self._load(cascade).values(), key=lambda state: (-state.priority, state.image)):
            if Hold.PERSON in state.holds:
                book.attempt(state, Released(at=self._clock(), who=who, why=why))
        return book.close(cascade)

    def approve(
        self, cascade: str, images: Collection[str] = (), *, who: str, why: str, despite_freeze: bool = False
    ) -> Bulk:
        """Let what waits for approval be rolled out, `despite_freeze` also what is held by a freeze.

        `images` of the cascade, or all that wait: then those that do not wait are not spoken of. Raises
        NotFoundError when there is no such image or cascade, TemporaryError while it is still being planned.
        """
        _need_reason("an approval", why)
        states = self._load(cascade)
        if unknown := sorted(set(images) - states.keys()):
            raise NotFoundError(
                f"no image {unknown[0]} in cascade {cascade}; `groundswell cascades {cascade}` lists them"
            )
        ending = {Hold.APPROVAL, Hold.FREEZE} if despite_freeze else {Hold.APPROVAL}
        waiting = [image for image, state in states.items() if ending & state.holds.keys()]
        book = _Book(self._apply)
        for image in sorted(set(images) or waiting):
            event = Approved(at=self._clock(), who=who, why=why, despite_freeze=despite_freeze)
            book.attempt(states[image], event)
        return book.close(cascade)

    # All of them.

    def _load(self, cascade: str) -> dict[str, Rebuild]:
        records = self._engine.records
        if records.header(cascade).value.phase is Phase.PLANNING:
            raise TemporaryError(f"cascade {cascade} is still being planned; try again in a minute")
        return {state.image: state for state in records.rebuilds(cascade)}

    def _apply(self, cascade: str, image: str, event: Act) -> Rebuild:
        """Audit first, with what the rules say will follow: nothing a person does can go unrecorded."""
        before = self._engine.records.rebuild(cascade, image).value
        after = decide(before, event)[0]
        audit.record(
            self._store,
            at=event.at,
            who=event.who,
            action=_ACTIONS[type(event)],
            subject=f"{cascade}/{image}",
            why=event.why,
            before=_seen(before),
            after=_seen(after) | ({"forced": event.force} if isinstance(event, Replayed) else {}),
        )
        return self._engine.advance(cascade, image, event)


def failed_at(state: Rebuild) -> Stage:
    """Where a replay begins unless one says otherwise: the stage at which the rebuild stopped.

    What was disproved must be built again: a candidate does not change, so a second look at it would say the same.
    """
    match state.status:
        case _ if stands_elsewhere(state):
            return Stage.BUILD
        case Status.FAILED:
            return state.failed_stage or Stage.BUILD
        case Status.REJECTED:
            return Stage.SCAN
        case Status.CANCELLED if state.held_at is not None:
            return state.held_at
        case Status.CANCELLED if len(state.history) > 1:
            return ACTIVE_STAGE.get(state.history[-2].status, Stage.BUILD)
        case _:
            return Stage.BUILD


def restart(state: Rebuild, asked: Stage) -> tuple[Stage, str]:
    """The stage to replay from, the one asked for or the last before it that has what it needs; then, why."""
    why = ""
    for stage in reversed(tuple(Stage)[: tuple(Stage).index(asked) + 1]):
        try:
            decide(state, Replayed(at=0.0, stage=stage, who="", why=""))
        except InputError as exc:
            why = why or str(exc)
            continue
        return stage, f"from {stage} instead: {why}" if why else ""
    return asked, ""


class _Book:
    """What became of the rebuilds so far."""

    def __init__(self, act: Callable[[str, str, Act], Rebuild]) -> None:
        self._act = act
        self._done: list[Item] = []
        self._left: list[Item] = []
        self._failed: list[Item] = []

    def leave(self, state: Rebuild, why: str) -> None:
        self._left.append(Item(image=state.image, status=state.status, why=why))

    def attempt(self, state: Rebuild, event: Act, note: str = "") -> None:
        """One that the rules refuse has moved on since it was listed: it is left alone, not failed."""
        stage = event.stage if isinstance(event, Replayed) else None
        try:
            after = self._act(state.cascade, state.image, event)
        except InputError as exc:
            self.leave(state, str(exc))
        except GroundswellError as exc:
            self._failed.append(Item(image=state.image, status=state.status, stage=stage, why=str(exc)))
        else:
            self._done.append(Item(image=state.image, status=after.status, stage=stage, why=note or marked(after)))

    def close(self, cascade: str) -> Bulk:
        return Bulk(cascade=cascade, done=tuple(self._done), left=tuple(self._left), failed=tuple(self._failed))


def _bases_first(states: Mapping[str, Rebuild]) -> Iterator[Rebuild]:
    waits = {image: [base for base in state.waits if base in states] for image, state in states.items()}
    return (states[image] for image in TopologicalSorter(waits).static_order())


def _since_seen(state: Rebuild, seen: Seen) -> str:
    """What became of a failure since a person was shown it; empty when nothing did."""
    if state.status not in (Status.FAILED, Status.REJECTED):
        return _why_not_replayed(state) if state.status not in _ENDED else f"is {state.status} by now"
    if abs(state.updated_at - seen.at) > _SAME:
        return f"{state.status} once more since it was shown: look at it again"
    return ""


def _why_not_replayed(state: Rebuild) -> str:
    match state.status:
        case Status.BLOCKED:
            return f"{state.reason}: it comes back by itself"
        case Status.SUPERSEDED:
            return f"{state.reason}: replay it there"
        case Status.HELD:
            return f"is held {state.reason}"
        case _:
            return f"is {state.status}: it is under way"


def _seen(state: Rebuild) -> dict[str, Any]:
    """A rebuild as the audit trail keeps it; with holds and approvals comes the digest that they are for."""
    seen: dict[str, Any] = {"status": state.status.value, "reason": state.reason}
    if state.holds or state.passes:
        seen |= {"holds": dict(state.holds), "approved": list(state.passes), "digest": state.promoted}
    return seen


def _elsewhere(cascade: str) -> str:
    return f"being rebuilt by cascade {cascade}"


def _forced_from(stage: Stage | None) -> Stage:
    if stage not in (None, Stage.BUILD):
        raise InputError(
            f"--force builds again what was built and good, so it cannot begin with {stage}: leave --from out"
        )
    return Stage.BUILD


def _need_reason(action: str, why: str) -> None:
    if not why.strip():
        raise InputError(f"{action} needs a reason: --reason TEXT")
