"""From pushes whose window has passed to a cascade under way, or into one that is.

A base that moves again soon after (the platforms of an image that land one after another) goes into the cascade
that it started: what was not begun is built on the newer digest, what was built is built again. Later it starts one
of its own, which takes over what the older has not promoted.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from graph.impact import Impact, impact, related
from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.decide import news
from groundswell.cascade.durations import Durations
from groundswell.cascade.engine import Engine
from groundswell.cascade.gathering import Gathered, Gathering, Plan, Seen
from groundswell.cascade.ids import new_id
from groundswell.cascade.model import BaseNews, Event, Followed, Rebuild, Renewed, Status, Superseded, Wait
from groundswell.cascade.plan import Trigger, plan, standing_on
from groundswell.cascade.records import Header, Phase, Pushed
from groundswell.clock import Clock
from groundswell.errors import NotFoundError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.store.conflicts import retry_conflicts

logger = logging.getLogger(__name__)

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
        self._catalog = catalog
        self._bases = bases
        self._durations = durations
        self._clock = clock

    def plan(self, reference: str) -> str:
        """Plan what waits for `reference`, and all that is related to it; interrupted anywhere, the next goes on.

        Returns the cascade that its push went into, empty when nothing of it waits (any more).
        Raises TemporaryError while an older cascade that matters is still being planned.
        """
        went = ""
        while (found := self._next(reference)) is not None:
            self._carry_out(found)
            went = found.goes_to(reference)
        return went

    def overdue(self) -> None:
        """Plan what everybody forgot: the message was lost, or whoever planned it died."""
        seen, now = self._gathering.look(), self._clock()
        forgotten = [push.reference for plan in seen.plans if now - plan.at >= PATIENCE for push in plan.pushes[:1]]
        forgotten += [push.reference for push in seen.pending.values() if now - push.due >= PATIENCE]
        for reference in forgotten:
            logger.warning("a push was forgotten", extra={"base": reference})
            try:
                self.plan(reference)
            except TemporaryError as exc:
                logger.warning("push not planned yet", extra={"base": reference, "why": str(exc)})

    def planning(self) -> set[str]:
        """The cascades that plans are being carried out for."""
        return {plan.cascade for plan in self._gathering.look().plans}

    def _next(self, reference: str) -> Plan | None:
        for attempt in retry_conflicts():
            with attempt:
                seen = self._gathering.look()
                found = seen.plan_of(reference)
                if found is None and (push := seen.pending.get(reference)):
                    if self._overtaken(push):
                        self._gathering.drop(push)
                    else:
                        found = self._draft(seen, reference)
                        self._gathering.take(seen, found)
        return found

    def _draft(self, seen: Seen, reference: str) -> Plan:
        with self._catalog.lineage() as lineage:
            group = related(lineage, reference, seen.pending)
        group = {name for name in group if not self._overtaken(seen.pending[name])}
        now = self._clock()
        joins: dict[str, str] = {}
        former: dict[str, str] = {}
        for name in sorted(group):
            if (older := self._older(name)) is None:
                continue
            young = older.phase is Phase.RUNNING and now - older.started_at < JOINS
            (joins if young else former)[name] = older.id
        return Plan(
            cascade=new_id(now),
            at=now,
            pushes=tuple(seen.pending[name] for name in sorted(group)),
            joins=joins,
            former=former,
        )

    def _overtaken(self, push: Gathered) -> bool:
        """Whether its tag has moved on since, by a promotion of ours: that is told to those who stand on it."""
        known = self._bases.get(push.reference)
        return known is not None and known.planned and known.digest != push.digest

    def _older(self, reference: str) -> Header | None:
        """The cascade that the base's push before this one went into."""
        known = self._bases.get(reference)
        if known is None or not known.cascade:
            return None
        try:
            header = self._records.header(known.cascade).value
        except NotFoundError:
            return None  # archived
        if reference not in header.bases:
            return None  # a promotion of ours
        if header.phase is Phase.PLANNING:
            raise _still_planned(header.id)
        return header

    def _carry_out(self, plan: Plan) -> None:
        goes_to = sorted(plan.pushes, key=lambda push: (plan.goes_to(push.reference), push.reference))
        for cascade, group in groupby(goes_to, key=lambda push: plan.goes_to(push.reference)):
            pushes = list(group)
            if cascade == plan.cascade:
                self._start(plan, pushes)
            else:
                self._join(cascade, pushes, plan.at)
            for push in pushes:
                self._bases.planned(push.reference, digest=push.digest, cascade=cascade)
        self._gathering.finish(plan)

    # A cascade of its own.

    def _start(self, plan: Plan, pushes: Sequence[Gathered]) -> None:
        self._enlist(plan.cascade)
        found = self._impact(pushes)
        followed = self._followed(plan.cascade, {affected.image for affected in found.images})
        triggers = [_trigger(push) for push in pushes]
        rebuilds = self._planned(triggers, found, cascade=plan.cascade, at=plan.at, followed=followed)
        first = pushes[0]
        header = Header(
            id=plan.cascade,
            base=first.reference,
            digest=first.digest,
            source=first.source,
            urgent=any(push.urgent for push in pushes),
            started_at=plan.at,
            total=len(rebuilds),
            open=len(rebuilds),
            pinned=tuple((edge.image, edge.base) for edge in found.held),
            pushes=tuple(_pushed(push, plan.at) for push in pushes),
        )
        self._records.create(header, rebuilds)
        for attempt in retry_conflicts():
            with attempt:
                stored = self._records.header(plan.cascade)
                if stored.value.phase is Phase.PLANNING:
                    self._records.set_phase(stored, Phase.RUNNING)
        self._follow(plan.cascade, followed, plan.at)
        for older in sorted(set(plan.former.values())):
            self._supersede(older, plan.cascade, {state.image for state in rebuilds})
        self._admit(plan.cascade)
        extra = {"cascade": plan.cascade, "base": header.base, "pushes": len(pushes), "images": len(rebuilds)}
        logger.info("cascade started", extra=extra)

    def _supersede(self, older: str, newer: str, images: set[str]) -> None:
        """The same base moved on: what is in both, and the older has not promoted, is left to the newer."""
        for state in list(self._records.rebuilds(older)):
            if state.image in images and (not state.status.settled or state.status is Status.BLOCKED):
                self._engine.advance(older, state.image, Superseded(at=self._clock(), by=newer))

    # Into a cascade under way.

    def _join(self, cascade: str, pushes: Sequence[Gathered], at: float) -> None:
        self._enlist(cascade)  # it may be ending at this very moment
        found = self._impact(pushes)
        turns = self._records.note(cascade, [_pushed(push, at) for push in pushes])
        triggers = [_trigger(push, turn) for push, turn in zip(pushes, turns, strict=True)]
        before = {state.image for state in self._records.rebuilds(cascade)}
        new = {affected.image for affected in found.images} - before
        followed = self._followed(cascade, new, but=cascade) if new else {}
        standing = {
            base: news(self._engine.advance(cascade, base, Followed(at=at, by=cascade, image=affected.image)))
            for affected in found.images
            if affected.image in new
            for base in affected.waits_for
            if base not in new
        }
        rebuilds = self._planned(triggers, found, cascade=cascade, at=at, followed=followed, standing=standing)
        self._records.extend(cascade, [state for state in rebuilds if state.image in new], at=at)
        self._follow(cascade, followed, at)
        urgent = any(trigger.urgent for trigger in triggers)
        for affected in found.images:  # bases first
            if affected.image not in new:
                for event in self._news(standing_on(triggers, affected), at, urgent=urgent):
                    self._engine.advance(cascade, affected.image, event)
        self._admit(cascade)
        logger.info("cascade joined", extra={"cascade": cascade, "pushes": len(pushes), "new_images": len(new)})

    def _news(self, triggers: Iterable[Trigger], at: float, *, urgent: bool) -> list[Event]:
        told: list[Event] = [BaseNews(at=at, base=trigger.base, wait=trigger.wait) for trigger in triggers]
        return [*told, Renewed(at=at, urgent=urgent)]

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

    def _followed(self, cascade: str, images: set[str], *, but: str = "") -> dict[str, list[str]]:
        """By image, the other cascades that have not settled it; one still being planned is waited for.

        For a new cascade those that began earlier, for one that takes images in all that have them already.
        """
        order = self._records.open()
        others = [other for other in order if other != but] if but else order[: order.index(cascade)]
        followed: dict[str, list[str]] = {}
        for other in others:
            if not self._running(other):
                if but:
                    continue  # it will follow this one
                raise _still_planned(other)
            for state in self._records.rebuilds(other):
                if state.image in images and not state.status.settled:
                    followed.setdefault(state.image, []).append(other)
        return followed

    def _running(self, cascade: str) -> bool:
        try:
            return self._records.header(cascade).value.phase is not Phase.PLANNING
        except NotFoundError:
            return False

    def _follow(self, cascade: str, followed: Mapping[str, Sequence[str]], at: float) -> None:
        for image, others in followed.items():
            for other in others:
                self._engine.advance(other, image, Followed(at=at, by=cascade))

    def _admit(self, cascade: str) -> None:
        """Set going what was written down ready, if whoever wrote it did not get to that."""
        begun = (state for state in self._records.rebuilds(cascade) if state.turn == 0)
        self._engine.admit(command for state in begun for command in state.outbox)


def _trigger(push: Gathered, turn: int = 0) -> Trigger:
    return Trigger(base=push.reference, digest=push.digest, urgent=push.urgent, forced=push.forced, turn=turn)


def _pushed(push: Gathered, at: float) -> Pushed:
    return Pushed(base=push.reference, digest=push.digest, source=push.source, at=at)


def _still_planned(cascade: str) -> TemporaryError:
    return TemporaryError(f"cascade {cascade} is still being planned", delay=1.0)
