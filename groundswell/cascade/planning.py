"""From pushes whose window has passed to a cascade under way, or into one that is.

A base that moves again soon after (the platforms of an image that land one after another) goes into the cascade
that it started: what was not begun is built on the newer digest, what was built is built again. Later it starts one
of its own, which takes over what the older has not promoted.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from graph.impact import Impact, beside, impact
from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.durations import Durations
from groundswell.cascade.engine import Engine
from groundswell.cascade.events import BaseNews, Event, Followed, Renewed, Superseded
from groundswell.cascade.gathering import Begun, Gathered, Gathering, Plan
from groundswell.cascade.ids import began, new_id
from groundswell.cascade.meaning import news, predecessor
from groundswell.cascade.model import Command, Outcome, Rebuild, Wait
from groundswell.cascade.observing import observer
from groundswell.cascade.plan import Trigger, plan, standing_on
from groundswell.cascade.records import Header, Phase, Pushed
from groundswell.cascade.status import Status
from groundswell.clock import Clock
from groundswell.errors import NewerError, NotFoundError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.store.conflicts import retry_conflicts

logger = logging.getLogger(__name__)

ANEW = "anew"
"""The source of a cascade that no push began: it was asked for."""
JOINS = 3600.0
"""Seconds after its beginning in which a cascade takes in newer pushes of its bases."""
PATIENCE = 60.0
"""Seconds after which a push whose window has passed, or a plan, is taken to be forgotten."""


class Planner:
    def __init__(
        self,
        *,
        engine: Engine,
        gathering: Gathering,
        catalog: Catalog,
        bases: BaseBook,
        durations: Durations,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._records = engine.records
        self._gathering = gathering
        self._holders = engine.records.holders
        self._catalog = catalog
        self._bases = bases
        self._durations = durations
        self._clock = clock
        self._lock = threading.Lock()  # threads wait here, instead of meeting each other's ETags

    def plan(self, reference: str) -> str:
        """Plan what waits for `reference`, and all that is related to it; interrupted anywhere, the next goes on.

        Returns the cascade that its push went into, empty when nothing of it waits (any more).
        Raises TemporaryError while an older cascade that matters is still being planned.
        """
        went = ""
        while (found := self._next(reference)) is not None:
            went = self._carry_out(found)[reference]
        return went

    def rebuild(self, image: str, *, cascade: str) -> None:
        """Begin `cascade` without a push: `image` is built anew, past every cache, and what stands on it follows.

        It goes before others. Interrupted anywhere, the same call goes on. Raises NotFoundError when there is no
        such image, TemporaryError while an older cascade that matters is still being planned.
        """
        reference = str(self._catalog.registration(image).references[0])
        with self._catalog.lineage() as lineage:
            found = impact(lineage, anew=(image,))
        trigger = Trigger(base=reference, digest="", urgent=True, anew=image)
        header = Header(
            id=cascade,
            base=reference,
            digest="",
            source=ANEW,
            urgent=True,
            started_at=began(cascade),
            total=len(found.images),
            open=len(found.images),
            pinned=tuple((edge.image, edge.base) for edge in found.held),
        )
        with observer().planning(cascade, ()) as trace:
            self._create(header, [trigger], found, trace=trace)
            self._set_going(cascade, header.started_at)
        logger.info("cascade started", extra={"cascade": cascade, "anew": image, "images": header.total})

    def draw(self) -> str:
        """An id for a cascade to be begun now."""
        return self._new_id(self._clock(), self._gathering.begun())

    def overdue(self) -> None:
        """Plan what everybody forgot: the message was lost, or whoever planned it died."""
        begun, now = self._gathering.begun(), self._clock()
        forgotten = [
            push.reference for plan in begun.plans if now - plan.at >= PATIENCE for push in plan.pushes[:1]
        ]
        forgotten += [push.reference for push in self._gathering.all(begun) if now - push.due >= PATIENCE]
        for reference in forgotten:
            logger.warning("a push was forgotten", extra={"base": reference})
            try:
                self.plan(reference)
            except TemporaryError as exc:
                logger.warning("push not planned yet", extra={"base": reference, "why": str(exc)})

    def planning(self) -> set[str]:
        """The cascades that plans are being carried out for."""
        return {plan.cascade for plan in self._gathering.begun().plans}

    def _next(self, reference: str) -> Plan | None:
        with self._lock:
            for attempt in retry_conflicts():
                with attempt:
                    begun = self._gathering.begun()
                    found = begun.plan_of(reference)
                    if found is None and (push := self._gathering.waiting(reference, begun)):
                        if self._overtaken(push):
                            self._gathering.drop(push)
                        else:
                            found = self._draft(push, begun)
                            self._gathering.take(begun, found)
        return found

    def _related(self, push: Gathered, begun: Begun) -> dict[str, Gathered]:
        """What waits and belongs with a push, itself included, by base; of what does not, little is even read."""
        found, todo = {push.reference: push}, [push.reference]
        while todo:
            current = todo.pop()
            with self._catalog.lineage() as lineage:
                others = beside(lineage, current)
            near = self._gathering.near(current, others - found.keys(), begun)
            todo += near.keys() - found.keys()
            found |= near
        return found

    def _draft(self, push: Gathered, begun: Begun) -> Plan:
        pending = self._related(push, begun)
        group = {name for name in pending if not self._overtaken(pending[name])}
        now = self._clock()
        joins: dict[str, str] = {}
        former: dict[str, str] = {}
        for name in sorted(group):
            if (older := self._older(name)) is None:
                continue
            young = older.phase is Phase.RUNNING and now - older.started_at < JOINS
            (joins if young else former)[name] = older.id
        return Plan(
            cascade=self._new_id(now, begun),
            at=now,
            pushes=tuple(pending[name] for name in sorted(group)),
            joins=joins,
            former=former,
        )

    def _overtaken(self, push: Gathered) -> bool:
        """Whether nothing is left to plan for it: it went into a cascade meanwhile, or its tag has moved on since.

        By a promotion of ours, that is, which is told to those who stand on it.
        """
        known = self._bases.get(push.reference)
        return known is not None and known.planned

    def _older(self, reference: str) -> Header | None:
        """The cascade that the base's push before this one went into."""
        known = self._bases.get(reference)
        if known is None or not known.cascade:
            return None
        header = self._header(known.cascade)
        if header is None or header.source == ANEW or reference not in header.bases:
            return None  # archived, or a promotion of ours
        if header.phase is Phase.PLANNING:
            raise _still_planned(header.id)
        return header

    def _new_id(self, at: float, begun: Begun) -> str:
        """An id that no cascade has. If another planner draws it too, only one of them can take its plan."""
        while True:
            cascade = new_id(at)
            if self._header(cascade) is None and all(plan.cascade != cascade for plan in begun.plans):
                return cascade

    def _header(self, cascade: str) -> Header | None:
        try:
            return self._records.header(cascade).value
        except NotFoundError:
            return None

    def _carry_out(self, plan: Plan) -> dict[str, str]:
        """Returns the cascade that each push went into; empty when nothing stands on it any more."""
        went: dict[str, str] = {}
        goes_to = sorted(plan.pushes, key=lambda push: (plan.goes_to(push.reference), push.reference))
        for cascade, group in groupby(goes_to, key=lambda push: plan.goes_to(push.reference)):
            pushes = list(group)
            started = self._start(plan, pushes) if cascade == plan.cascade else self._join(cascade, pushes, plan.at)
            for push in pushes:
                went[push.reference] = cascade if started else ""
                self._bases.planned(
                    push.reference, digest=push.digest, seen_at=push.seen_at, cascade=went[push.reference]
                )
        self._gathering.finish(plan)
        return went

    # A cascade of its own.

    def _start(self, plan: Plan, pushes: Sequence[Gathered]) -> bool:
        """Whether there is anything to start: images may have been registered anew since the push came."""
        found = self._impact(pushes)
        if not found.images and self._header(plan.cascade) is None:
            return False
        images = {affected.image for affected in found.images}
        first = pushes[0]
        header = Header(
            id=plan.cascade,
            base=first.reference,
            digest=first.digest,
            source=first.source,
            urgent=any(push.urgent for push in pushes),
            started_at=plan.at,
            total=len(images),
            open=len(images),
            pinned=tuple((edge.image, edge.base) for edge in found.held),
            pushes=tuple(_pushed(push, plan.at) for push in pushes),
        )
        with observer().planning(plan.cascade, pushes) as trace:
            self._create(header, [_trigger(push) for push in pushes], found, trace=trace)
            for older in sorted(set(plan.former.values())):
                self._supersede(older, plan.cascade, images)
            self._set_going(plan.cascade, plan.at)
        extra = {"cascade": plan.cascade, "base": header.base, "pushes": len(pushes), "images": len(images)}
        logger.info("cascade started", extra=extra)
        return True

    def _create(self, header: Header, triggers: Sequence[Trigger], found: Impact, *, trace: str) -> None:
        """Write the records of a cascade, as far as they are not there yet."""
        images = {affected.image for affected in found.images}
        self._holders.enter(header.id, images)
        self._enlist(header.id)
        followed = self._followed(header.id, images, joining=False)
        rebuilds = self._planned(triggers, found, cascade=header.id, at=header.started_at, followed=followed)
        self._records.create(header, _traced(rebuilds, trace))
        for attempt in retry_conflicts():
            with attempt:
                stored = self._records.header(header.id)
                if stored.value.phase is Phase.PLANNING:
                    self._records.set_phase(stored, Phase.RUNNING)

    def _supersede(self, older: str, newer: str, images: set[str]) -> None:
        """The same base moved on: what is in both, and the older has not promoted, is left to the newer."""
        for state in list(self._records.rebuilds(older)):
            if state.image in images and (not state.status.settled or state.status is Status.BLOCKED):
                self._engine.advance(older, state.image, Superseded(at=self._clock(), by=newer))

    # Into a cascade under way.

    def _join(self, cascade: str, pushes: Sequence[Gathered], at: float) -> bool:
        self._enlist(cascade)  # it may be ending at this very moment
        found = self._impact(pushes)
        turns = self._records.note(cascade, [_pushed(push, at) for push in pushes])
        triggers = [_trigger(push, turn) for push, turn in zip(pushes, turns, strict=True)]
        before = {state.image: state for state in self._records.rebuilds(cascade)}
        traces = [state.trace for state in before.values() if state.trace]
        with observer().planning(cascade, pushes, joins=traces[0] if traces else "") as trace:
            self._bring_in(cascade, triggers, found, before, at=at, trace=trace)
        return True

    def _bring_in(
        self,
        cascade: str,
        triggers: Sequence[Trigger],
        found: Impact,
        before: Mapping[str, Rebuild],
        *,
        at: float,
        trace: str,
    ) -> None:
        new = {affected.image for affected in found.images} - before.keys()
        self._holders.enter(cascade, new)
        followed = self._followed(cascade, new, joining=True) if new else {}

        def stands(base: str, image: str) -> Wait:
            """How a base in this cascade stands, which is to tell an image from now on."""
            return news(self._engine.advance(cascade, base, Followed(at=at, by=cascade, image=image)))

        standing = {
            base: stands(base, affected.image)
            for affected in found.images
            if affected.image in new
            for base in affected.waits_for
            if base not in new
        }
        rebuilds = self._planned(triggers, found, cascade=cascade, at=at, followed=followed, standing=standing)
        entering = _traced([state for state in rebuilds if state.image in new], trace)
        self._records.extend(cascade, entering, at=at)
        urgent = any(trigger.urgent for trigger in triggers)
        for affected in found.images:  # bases first
            if affected.image not in new:
                for base in affected.waits_for:  # the lineage may be another than it was
                    if base not in before[affected.image].waits:
                        told = BaseNews(at=at, base=base, wait=stands(base, affected.image))
                        self._engine.advance(cascade, affected.image, told)
                for event in self._news(standing_on(triggers, affected), at, urgent=urgent):
                    self._engine.advance(cascade, affected.image, event)
        self._set_going(cascade, at)
        logger.info("cascade joined", extra={"cascade": cascade, "pushes": len(triggers), "new_images": len(new)})

    def _news(self, triggers: Iterable[Trigger], at: float, *, urgent: bool) -> Iterator[Event]:
        for trigger in triggers:
            yield BaseNews(at=at, base=trigger.base, wait=trigger.wait)
        yield Renewed(at=at, urgent=urgent)

    # Both.

    def _enlist(self, cascade: str) -> None:
        for attempt in retry_conflicts():
            with attempt:
                self._records.enlist(cascade)

    def _impact(self, pushes: Sequence[Gathered]) -> Impact:
        with self._catalog.lineage() as lineage:
            return impact(lineage, *(push.reference for push in pushes))

    def _planned(
        self,
        triggers: Sequence[Trigger],
        found: Impact,
        *,
        cascade: str,
        at: float,
        followed: Mapping[str, Sequence[str]],
        standing: Mapping[str, Wait] | None = None,
    ) -> tuple[Rebuild, ...]:
        seconds = self._durations.estimates(affected.image for affected in found.images)
        return plan(
            triggers,
            found.images,
            cascade=cascade,
            at=at,
            seconds=seconds,
            followed=followed,
            standing=standing,
        )

    def _followed(self, cascade: str, images: set[str], *, joining: bool) -> dict[str, list[str]]:
        """By image, the other cascades that have not settled it.

        One still being planned is waited for, but for one that began after a cascade that is planned itself.
        """
        order = self._records.open()
        if not joining and cascade not in order:
            raise TemporaryError(f"cascade {cascade} was planned by another worker, and has ended", delay=1.0)
        earlier = set() if joining else set(order[: order.index(cascade)])
        followed: dict[str, list[str]] = {}
        for other in self._records.holding(*images, but=cascade):
            if not self._running(other):
                if joining or other in earlier:
                    raise _still_planned(other)
                continue  # it will follow this one
            for state in self._readable(other, images):
                if state.image in images and not state.status.settled:
                    followed.setdefault(state.image, []).append(other)
        return followed

    def _readable(self, cascade: str, images: set[str]) -> Sequence[Rebuild]:
        """The rebuilds of a cascade; none where a newer program wrote them, and none is of the images."""
        try:
            return list(self._records.rebuilds(cascade))
        except NewerError:
            if cascade in self._holders.of(images, since=cascade):
                raise
            return ()

    def _running(self, cascade: str) -> bool:
        header = self._header(cascade)
        return header is not None and header.phase is not Phase.PLANNING

    def _set_going(self, cascade: str, at: float) -> None:
        """Let those in other cascades tell theirs here, and start what is ready: as stored, whoever wrote it."""
        begun: list[Command] = []
        for state in self._records.rebuilds(cascade):
            for other in _ahead(state):
                self._follow(other, state.image, Followed(at=at, by=cascade))
            begun += state.outbox if state.turn == 0 else ()
        self._engine.admit(begun)

    def _follow(self, other: str, image: str, event: Followed) -> None:
        try:
            self._engine.advance(other, image, event)
        except NotFoundError:
            return  # archived, or a base whose name only looks like that of a cascade: the sweep tells


def _ahead(state: Rebuild) -> Iterator[str]:
    """The cascades whose rebuild of the same image is still waited for."""
    for base, wait in state.waits.items():
        other = base.partition("/")[0]
        if wait.outcome is Outcome.PENDING and base == predecessor(other, state.image):
            yield other


def _traced(rebuilds: Sequence[Rebuild], trace: str) -> Sequence[Rebuild]:
    return [replace(state, trace=trace) for state in rebuilds] if trace else rebuilds


def _trigger(push: Gathered, turn: int = 0) -> Trigger:
    return Trigger(base=push.reference, digest=push.digest, urgent=push.urgent, forced=push.forced, turn=turn)


def _pushed(push: Gathered, at: float) -> Pushed:
    return Pushed(base=push.reference, digest=push.digest, source=push.source, at=at)


def _still_planned(cascade: str) -> TemporaryError:
    return TemporaryError(f"cascade {cascade} is still being planned", delay=1.0)
