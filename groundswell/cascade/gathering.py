"""Pushes that wait for their settle window, and the plans that are made of them, as stored.

A push waits here until its window has passed; then a planner takes it, and all that is related to it, into a plan.
The plan is written down before it is carried out, in one commit that holds the ETag of the whole: two planners
cannot take the same push, and whoever comes after one that died carries out the same plan. A newer push of the same
base is not touched by it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from groundswell.errors import ConflictError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, Delete, Documents, Put

_TABLE, _PARTITION = "gathering", "gathering"
_HEAD, _PUSH, _PLAN = "head", "push:", "plan:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """The newest push of a base. `due` is when the window of the first one has passed (seconds since the epoch)."""

    reference: str
    digest: str
    source: str
    due: float
    urgent: bool = False
    forced: bool = False


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
class Seen:
    """All of it at one time: what waits, by base, and the plans that are being carried out."""

    pending: Mapping[str, Gathered]
    plans: tuple[Plan, ...]
    etag: str | None

    def plan_of(self, reference: str) -> Plan | None:
        return next((plan for plan in self.plans if any(p.reference == reference for p in plan.pushes)), None)


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
                    )
                    if replace(after, source=known.source) == known:
                        return None
                put = Put(row=_PUSH + push.reference, value=asdict(after), etag=record.etag if record else None)
                self._store.commit(_TABLE, _PARTITION, [put])
        return after

    def waiting(self, reference: str) -> Gathered | None:
        """The push of a base that waits, or whose plan is being carried out."""
        record = self._store.get(_TABLE, _PARTITION, _PUSH + reference)
        return Gathered(**record.value) if record else None

    def look(self) -> Seen:
        pending: dict[str, Gathered] = {}
        plans: list[Plan] = []
        etag = None
        for record in self._store.scan(_TABLE, _PARTITION):
            if record.row.startswith(_PUSH):
                push = Gathered(**record.value)
                pending[push.reference] = push
            elif record.row.startswith(_PLAN):
                plans.append(_plan(record.value))
            else:
                etag = record.etag
        for plan in plans:
            for push in plan.pushes:
                if (later := pending.get(push.reference)) and later.digest == push.digest:
                    del pending[push.reference]
        return Seen(pending=pending, plans=tuple(plans), etag=etag)

    def take(self, seen: Seen, plan: Plan) -> None:
        """Write a plan down. Raises ConflictError when somebody wrote one since `seen`."""
        head = Put(row=_HEAD, value={"newest": plan.cascade}, etag=seen.etag)
        self._store.commit(_TABLE, _PARTITION, [head, Put(row=_PLAN + plan.cascade, value=asdict(plan), etag=None)])

    def finish(self, plan: Plan) -> None:
        """The plan is carried out: its pushes wait no more, but for those that a newer one has replaced."""
        for push in plan.pushes:
            self.drop(push)
        self._store.commit(_TABLE, _PARTITION, [Delete(row=_PLAN + plan.cascade, etag=ANY)])

    def drop(self, push: Gathered) -> None:
        """This push waits no more; a newer one of its base does."""
        record = self._store.get(_TABLE, _PARTITION, _PUSH + push.reference)
        if record is None or record.value["digest"] != push.digest:
            return
        try:
            self._store.commit(_TABLE, _PARTITION, [Delete(row=record.row, etag=record.etag)])
        except ConflictError:
            return  # a newer push came this very moment, or another planner was here


def _plan(document: Mapping[str, Any]) -> Plan:
    return Plan(**{**document, "pushes": tuple(Gathered(**push) for push in document["pushes"])})
