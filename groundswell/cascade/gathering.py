"""Pushes that wait for their settle window, and the plans that are made of them, as stored.

A push waits here until its window has passed; then a planner takes it, and all that is related to it, into a plan.
The plan is written down before it is carried out, in one commit that holds the ETag of the whole: two planners
cannot take the same push, and whoever comes after one that died carries out the same plan. A newer push of the same
base is not touched by it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from groundswell.errors import ConflictError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, Delete, Documents, Put

_TABLE, _PARTITION = "gathering", "gathering"
_HEAD, _PUSH, _PLAN = "head", "push:", "plan:"
_FEW = 50
"""Pushes that are looked for one by one; for more, all are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The newest push of a base. `due` is when the window of the first one has passed (seconds since the epoch).

    A tag may move on and back: of two pushes of one digest, `seen_at` (of the book's entry) tells which is which.
    `trace` is the trace context of the first push that waits for the window.
    """

    reference: str
    digest: str
    source: str
    due: float
    urgent: bool = False
    forced: bool = False
    seen_at: float = 0.0
    trace: str = ""

    def is_the_same_as(self, other: "Gathered") -> bool:
        return (self.reference, self.digest, self.seen_at) == (other.reference, other.digest, other.seen_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Pushes that a planner has taken at the time `at`.

    `joins` names, by base, the open cascade that its push goes into; those of the others begin `cascade`, and take
    over from the older cascades of `former`, by base.
    """

    cascade: str
    at: float
    pushes: tuple[Gathered, ...]
    joins: Mapping[str, str]
    former: Mapping[str, str]

    def goes_to(self, reference: str) -> str:
        """The cascade that the push of a base goes into."""
        return self.joins.get(reference, self.cascade)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The plans that are being carried out, as of one time."""

    plans: tuple[Plan, ...]
    etag: str | None

    def plan_of(self, reference: str) -> Plan | None:
        return next((plan for plan in self.plans if any(p.reference == reference for p in plan.pushes)), None)

    def has(self, push: Gathered) -> bool:
        """Whether a plan has taken this very push; a newer one of its base still waits."""
        return any(taken.is_the_same_as(push) for plan in self.plans for taken in plan.pushes)


class Gathering:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def add(self, push: Gathered) -> Gathered | None:
        """Let a push wait, with one of the same base that does already; None when this very push waits already.

        Returns what waits now: its window is the first one's.
        """
        for attempt in retry_conflicts():
            with attempt:
                record = self._store.get(_TABLE, _PARTITION, _PUSH + push.reference)
                known = Gathered(**record.value) if record else None
                if known is None:
                    after = push
                else:
                    after = replace(
                        push,
                        due=min(known.due, push.due),
                        urgent=known.urgent or push.urgent,
                        forced=known.forced or push.forced,
                        trace=known.trace or push.trace,
                    )
                    if replace(after, source=known.source) == known:
                        return None
                put = Put(row=_PUSH + push.reference, value=_cells(after), etag=record.etag if record else None)
                self._store.commit(_TABLE, _PARTITION, [put])
        return after

    def begun(self) -> Begun:
        head = self._store.get(_TABLE, _PARTITION, _HEAD)  # before the plans: one written since makes a conflict
        plans = tuple(_plan(record.value) for record in self._store.scan(_TABLE, _PARTITION, prefix=_PLAN))
        return Begun(plans=plans, etag=head.etag if head else None)

    def waiting(self, reference: str, begun: Begun | None = None) -> Gathered | None:
        """The push of a base that waits; without `begun` also one whose plan is being carried out."""
        record = self._store.get(_TABLE, _PARTITION, _PUSH + reference)
        push = Gathered(**record.value) if record else None
        return None if push is None or (begun is not None and begun.has(push)) else push

    def near(self, reference: str, others: Collection[str], begun: Begun) -> dict[str, Gathered]:
        """What waits, by base: the tags of the repository of `reference`, and those of the `others` that do."""
        repository = reference.rpartition(":")[0]
        if len(others) > _FEW:
            every = self.all(begun)
            near = [p for p in every if p.reference in others or p.reference.rpartition(":")[0] == repository]
        else:
            near = [*self._waiting(f"{repository}:", begun)]
            near += [push for other in others if (push := self.waiting(other, begun))]
        return {push.reference: push for push in near}

    def all(self, begun: Begun) -> list[Gathered]:
        """Everything that waits."""
        return list(self._waiting("", begun))

    def _waiting(self, prefix: str, begun: Begun) -> Iterator[Gathered]:
        for record in self._store.scan(_TABLE, _PARTITION, prefix=_PUSH + prefix):
            push = Gathered(**record.value)
            if not begun.has(push):
                yield push

    def take(self, begun: Begun, plan: Plan) -> None:
        """Write a plan down. Raises ConflictError when somebody wrote one since `begun`."""
        head = Put(row=_HEAD, value={"newest": plan.cascade}, etag=begun.etag)
        self._store.commit(
            _TABLE, _PARTITION, [head, Put(row=_PLAN + plan.cascade, value=_document(plan), etag=None)]
        )

    def finish(self, plan: Plan) -> None:
        """The plan is carried out: its pushes wait no more, but for those that a newer one has replaced."""
        for push in plan.pushes:
            self.drop(push)
        self._store.commit(_TABLE, _PARTITION, [Delete(row=_PLAN + plan.cascade, etag=ANY)])

    def drop(self, push: Gathered) -> None:
        """This push waits no more; a newer one of its base does."""
        record = self._store.get(_TABLE, _PARTITION, _PUSH + push.reference)
        if record is None or not push.is_the_same_as(Gathered(**record.value)):
            return
        try:
            self._store.commit(_TABLE, _PARTITION, [Delete(row=record.row, etag=record.etag)])
        except ConflictError:
            return  # a newer push came this very moment, or another planner was here


def _plan(document: Mapping[str, Any]) -> Plan:
    return Plan(**{**document, "pushes": tuple(Gathered(**push) for push in document["pushes"])})


def _document(plan: Plan) -> Mapping[str, Any]:
    return {**asdict(plan), "pushes": [_cells(push) for push in plan.pushes]}


def _cells(push: Gathered) -> dict[str, Any]:
    """As it was before there were traces, where it has none."""
    return {key: value for key, value in asdict(push).items() if key != "trace" or value}
