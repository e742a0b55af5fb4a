"""The deploy stage, ring by ring: each workload is looked at, patched and watched, and goes back if it must.

Nothing is patched that a person has changed since we set it. What is patched is watched to its end, whatever holds
the ring meanwhile; one that does not become healthy takes its whole ring back with it, and no later ring is begun.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from groundswell.cascade import rings
from groundswell.cascade.deadlines import ROLLOUT
from groundswell.cascade.events import (
    BakeOver,
    Event,
    HeldBack,
    Outdated,
    RolledOut,
    RolloutFailed,
    RolloutsPlanned,
    RolloutsSeen,
    StageFailed,
    WentBack,
)
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.holds import missing
from groundswell.cascade.model import Command, Hold, Move, Rebuild, Ring, Rollout
from groundswell.cascade.rollout_limit import RolloutLimit
from groundswell.cascade.workloads import WorkloadBook, by_stable_tag, follows, is_drift, same
from groundswell.clock import Clock
from groundswell.deploy import port
from groundswell.deploy.port import Deployer, Finder, Health, Workload, parse
from groundswell.errors import NotFoundError, PermanentError
from groundswell.lineage.model import Registration, from_json
from groundswell.registry.port import Registry

_LEFT = (Move.DRIFTED, Move.SKIPPED, Move.TAKEN)
_SETTLED = (Move.HEALTHY, *_LEFT)
_GOES_BACK = (Move.MOVED, Move.HEALTHY, Move.BAD)


class Rolling:
    """`wanted` gives the rings of an image's rollouts, as its registration or the policy has them."""

    def __init__(
        self,
        *,
        deployer: Deployer,
        finder: Finder,
        registry: Registry,
        freezes: FreezeBook,
        workloads: WorkloadBook,
        limit: RolloutLimit,
        wanted: Callable[[Registration], Sequence[Mapping[str, Any]]],
        clock: Clock,
    ) -> None:
        self._deployer = deployer
        self._finder = finder
        self._registry = registry
        self._freezes = freezes
        self._workloads = workloads
        self._limit = limit
        self._wanted = wanted
        self._clock = clock

    def deploys(self, image: Registration) -> bool:
        """Whether something may run it."""
        return bool(image.deployments) or self._finder.searches

    # Planning.

    def deploy(self, command: Command, state: Rebuild) -> Event:
        """Note what every workload of the ring runs now: the way back, kept before anything is touched."""
        image = from_json(state.spec)
        planned = () if state.ring else self._rings(image, state)
        state = replace(state, rings=state.rings if state.ring else planned)
        ring = rings.under_way(state)
        if ring is None:
            return RolledOut(at=self._clock(), ring=state.ring)
        if holds := self._holds(state):
            return HeldBack(at=self._clock(), ring=state.ring, holds=holds, begun=False, rings=planned)
        if command.data.get("held") and (now := self._registry.digest(image.references[0])) != state.promoted:
            return Outdated(at=self._clock(), reason=f"its tag was moved to {now or 'nothing'} while it was held")
        rollouts = tuple(self._planned(image, state, ring, name) for name in ring.workloads)
        return RolloutsPlanned(at=self._clock(), ring=state.ring, rollouts=rollouts, rings=planned)

    def _rings(self, image: Registration, state: Rebuild) -> tuple[Ring, ...]:
        """Of the workloads that are registered, and of those that ask for it themselves."""
        targets = {str(workload): workload.place for workload in image.deployments}
        for found in self._finder.following() if self._finder.searches else ():
            if follows(found, image, previous=state.previous, known=self._workloads.find):
                targets.setdefault(str(found.workload), found.workload.place)
        return rings.plan(targets.items(), self._wanted(image), approval=image.approval == "required")

    def _planned(self, image: Registration, state: Rebuild, ring: Ring, name: str) -> Rollout:
        target = f"{image.registry}/{image.repository}@{state.promoted}"
        rollout = Rollout(workload=name, former="", image=target, ring=ring.name)
        try:
            seen = self._deployer.observe(_workload(image, name))
        except NotFoundError:
            if _registered(image, name):
                raise
            return replace(rollout, move=Move.SKIPPED, at=self._clock(), why="is gone")
        runs, known = seen.image, self._workloads.find(name)
        rollout = replace(rollout, former=_former(image, state, runs))
        if same(runs, target):  # since we gave it that, or we do not know since when
            at = known.at if known else self._clock()
            return replace(rollout, former=known.former if known else rollout.former, at=at)
        if is_drift(known, runs, image):
            return self._drifted(state, rollout, runs)
        if seen.paused:
            why = "is paused: left alone; `kubectl rollout resume`, then replay from deploy"
            return replace(rollout, move=Move.SKIPPED, at=self._clock(), why=why)
        return rollout

    def _drifted(self, state: Rebuild, rollout: Rollout, runs: str) -> Rollout:
        self._workloads.drifted(state, rollout, runs)
        why = f"was moved to {runs} by somebody else: left alone"
        return replace(rollout, move=Move.DRIFTED, at=self._clock(), why=why)

    # Moving.

    def watch(self, _: Command, state: Rebuild) -> Event | None:
        """Patch what still runs the former image, and look until all of the ring is healthy.

        What holds the ring is looked up right before the patch: the message may have been on its way for hours.
        """
        before = rings.current(state)
        after = [self._look(state, rollout) for rollout in before]
        holds: Mapping[Hold, str] = {}
        if not _bad(after) and any(rollout.move is Move.PLANNED for rollout in after):
            holds = self._holds(state)
            after = after if holds else self._patch(state, after)
        rollouts = tuple(after)
        if bad := _bad(rollouts):
            return self._failed(state, rollouts, f"{bad.workload}: {bad.why}")
        self._give_back(state, [each for each, was in zip(rollouts, before, strict=True) if _arrived(each, was)])
        left = [rollout for rollout in rollouts if rollout.move not in _SETTLED]
        if not left:
            return self._ended(state, rollouts)
        if holds and all(rollout.move is Move.PLANNED for rollout in left):
            begun = len(left) < len(rollouts)
            return HeldBack(at=self._clock(), ring=state.ring, holds=holds, begun=begun, rollouts=rollouts)
        return RolloutsSeen(at=self._clock(), ring=state.ring, rollouts=rollouts) if rollouts != before else None

    def _look(self, state: Rebuild, rollout: Rollout) -> Rollout:
        """How far a workload is now."""
        if rollout.move in _LEFT:
            return rollout
        now, planned = self._clock(), rollout.move is Move.PLANNED
        try:
            seen = self._observe(state, rollout)
        except PermanentError as exc:
            return replace(rollout, move=Move.BAD, at=now, why=str(exc))
        if not same(seen.image, rollout.image):
            if not planned:
                return self._taken(state, rollout, seen.image)
            unmoved = same(seen.image, rollout.former) or by_stable_tag(seen.image, from_json(state.spec))
            return rollout if unmoved else self._drifted(state, rollout, seen.image)
        if seen.health is Health.HEALTHY:
            if rollout.move is Move.HEALTHY:
                return rollout
            since = rollout.at if planned else 0.0  # it ran that before, and had time to prove itself
            return replace(rollout, move=Move.HEALTHY, at=since or now, why=seen.reason)
        if seen.health is Health.FAILED or (
            rollout.move is Move.MOVED and not seen.waits and now - rollout.at > ROLLOUT
        ):
            why = seen.reason or f"not healthy after {ROLLOUT:.0f} s"
            return replace(rollout, move=Move.BAD, at=now, why=why)
        return replace(rollout, move=Move.MOVED, at=now) if planned else rollout

    def _patch(self, state: Rebuild, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """Give those their image that may have it now; the first that refuses it stays planned, and says why."""
        after = {rollout.workload: rollout for rollout in rollouts}
        todo = self._may_move(state, [rollout for rollout in rollouts if rollout.move is Move.PLANNED])
        self._workloads.setting(state, todo)
        for rollout in todo:
            workload = _workload(from_json(state.spec), rollout.workload)
            try:
                self._deployer.patch(workload, rollout.image, cause=f"groundswell cascade {state.cascade}")
            except PermanentError as exc:
                after[rollout.workload] = replace(rollout, why=str(exc))
                break
            after[rollout.workload] = replace(rollout, move=Move.MOVED, at=self._clock())
        return list(after.values())

    def _may_move(self, state: Rebuild, rollouts: Sequence[Rollout]) -> list[Rollout]:
        """Those for which their cluster has a place."""
        free = {
            rollout.workload
            for rollout in rollouts
            if _workload(from_json(state.spec), rollout.workload).kind is port.Kind.GIT
        }
        for cluster, names in self._by_cluster(state, rollouts).items():
            free |= self._limit.take(state, cluster, names)
        return [rollout for rollout in rollouts if rollout.workload in free]

    def _give_back(self, state: Rebuild, rollouts: Iterable[Rollout]) -> None:
        for cluster, names in self._by_cluster(state, rollouts).items():
            self._limit.give_back(state, cluster, names)

    @staticmethod
    def _by_cluster(state: Rebuild, rollouts: Iterable[Rollout]) -> Mapping[str, list[str]]:
        image, found = from_json(state.spec), defaultdict[str, list[str]](list)
        for rollout in rollouts:
            if (workload := _workload(image, rollout.workload)).kind is not port.Kind.GIT:  # a person may take days
                found[workload.cluster].append(rollout.workload)
        return found

    def _taken(self, state: Rebuild, rollout: Rollout, runs: str) -> Rollout:
        self._workloads.taken(state, rollout, runs)
        why = f"was moved to {runs} by somebody else meanwhile: left alone"
        return replace(rollout, move=Move.TAKEN, at=self._clock(), why=why)

    def _failed(self, state: Rebuild, rollouts: tuple[Rollout, ...], reason: str) -> Event:
        """The ring goes back, if anything of it was moved."""
        if any(rollout.move in _GOES_BACK for rollout in rollouts):
            return RolloutFailed(at=self._clock(), ring=state.ring, rollouts=rollouts, reason=reason)
        return StageFailed(at=self._clock(), rollouts=rollouts, reason=reason)

    def _ended(self, state: Rebuild, rollouts: tuple[Rollout, ...]) -> Event:
        """The ring is as it shall be, but for what a person took out of it: then the next one is not begun."""
        self._workloads.was_set(state, [rollout for rollout in rollouts if rollout.move is Move.HEALTHY])
        taken = [f"{rollout.workload} {rollout.why}" for rollout in rollouts if rollout.move is Move.TAKEN]
        if taken:
            return StageFailed(at=self._clock(), rollouts=rollouts, reason="; ".join(taken))
        return RolledOut(at=self._clock(), ring=state.ring, rollouts=rollouts)

    # Going back.

    def back(self, _: Command, state: Rebuild) -> Event | None:
        """Give what was moved its former image again, and look until it is healthy, or known not to become so."""
        before = rings.current(state)
        rollouts = tuple(self._returned(state, rollout) for rollout in before)
        if not any(rollout.move in (*_GOES_BACK, Move.RETURNING) for rollout in rollouts):
            done = [rollout for rollout in rollouts if rollout.move is Move.RETURNED]
            self._workloads.was_set(state, done, back=True)
            self._give_back(state, rollouts)
            return WentBack(at=self._clock(), ring=state.ring, rollouts=rollouts)
        return RolloutsSeen(at=self._clock(), ring=state.ring, rollouts=rollouts) if rollouts != before else None

    def _returned(self, state: Rebuild, rollout: Rollout) -> Rollout:
        """How far a workload is on its way back."""
        if rollout.move not in (*_GOES_BACK, Move.RETURNING):
            return rollout
        now, former = self._clock(), rollout.former
        if same(former, rollout.image):
            return replace(rollout, move=Move.STUCK, at=now, why="has no former image to go back to")
        try:
            seen = self._observe(state, rollout)
            if same(seen.image, rollout.image) and rollout.move is not Move.RETURNING:
                self._workloads.setting(state, [rollout], back=True)
                workload = _workload(from_json(state.spec), rollout.workload)
                self._deployer.patch(workload, former, cause=f"rolled back by cascade {state.cascade}")
                return replace(rollout, move=Move.RETURNING, at=now)
        except PermanentError as exc:
            return replace(rollout, move=Move.STUCK, at=now, why=f"could not be rolled back: {exc}")
        if not same(seen.image, former):
            taken = self._taken(state, replace(rollout, image=former), seen.image)
            return replace(taken, image=rollout.image)
        since = rollout.at if rollout.move is Move.RETURNING else now
        if seen.health is Health.HEALTHY:
            return replace(rollout, move=Move.RETURNED, at=now)
        if seen.health is Health.FAILED or (not seen.waits and now - since > ROLLOUT):
            told = seen.reason or f"not after {ROLLOUT:.0f} s"
            why = f"was rolled back to {former} and is not healthy there either: {told}"
            return replace(rollout, move=Move.STUCK, at=now, why=why)
        return replace(rollout, move=Move.RETURNING, at=since)

    # Baking.

    def bake(self, _: Command, state: Rebuild) -> Event | None:
        """Look whether the ring that was rolled out last is as it was left, until its bake is over."""
        now, waits = self._clock(), False
        for rollout in rings.last(state):
            if rollout.move is not Move.HEALTHY:
                continue
            seen = self._observe(state, rollout)
            if not same(seen.image, rollout.image):
                taken = self._taken(state, rollout, seen.image)
                return StageFailed(at=now, rollouts=(taken,), reason=f"{taken.workload} {taken.why}")
            if seen.health is Health.FAILED:
                return self._unbaked(state, rollout, seen.reason)
            if seen.health is not Health.HEALTHY:
                waits = True
                if now - state.baked_at > ROLLOUT:
                    return self._unbaked(state, rollout, seen.reason or f"not healthy for {ROLLOUT:.0f} s")
        return None if waits or now < state.baked_at else BakeOver(at=now, ring=state.ring - 1)

    def _unbaked(self, state: Rebuild, rollout: Rollout, why: str) -> Event:
        bad = replace(rollout, move=Move.BAD, at=self._clock(), why=why)
        reason = f"{rollout.workload} while {rollout.ring} baked: {why}"
        return RolloutFailed(at=self._clock(), ring=state.ring - 1, rollouts=(bad,), reason=reason)

    # Small pieces.

    def _observe(self, state: Rebuild, rollout: Rollout) -> port.Rollout:
        return self._deployer.observe(_workload(from_json(state.spec), rollout.workload))

    def _holds(self, state: Rebuild) -> Mapping[Hold, str]:
        ring = rings.under_way(state)
        if ring is None:  # planned by a program that knew no rings, or nothing to roll out
            image = from_json(state.spec)
            ring = Ring(
                name="",
                workloads=(),
                environments=tuple(image.environments),
                approval=image.approval == "required",
            )
        return missing(state, ring, rules=self._freezes.rules(), at=self._clock())


def _workload(image: Registration, name: str) -> Workload:
    """The registered workload of that name, or else the one that the name stands for."""
    return _registered(image, name) or parse(name)


def _registered(image: Registration, name: str) -> Workload | None:
    return next((each for each in image.deployments if str(each) == name), None)


def _former(image: Registration, state: Rebuild, runs: str) -> str:
    """What to go back to: a stable tag leads to the new image by now, so the digest that it led to before."""
    if by_stable_tag(runs, image) and state.previous:
        return f"{image.registry}/{image.repository}@{state.previous}"
    return runs


def _arrived(rollout: Rollout, before: Rollout) -> bool:
    return rollout.move in _SETTLED and before.move not in _SETTLED


def _bad(rollouts: Iterable[Rollout]) -> Rollout | None:
    """The first that is beyond help, or refuses its image."""
    return next(
        (each for each in rollouts if each.move is Move.BAD or (each.move is Move.PLANNED and each.why)), None
    )
