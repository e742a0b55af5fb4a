"""Invariant 12: every change by a person is kept, append-only: who, when, why, before and after."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from groundswell import audit
from groundswell.cascade.announce import announce
from groundswell.cascade.engine import Engine
from groundswell.cascade.operate import Operator
from groundswell.cascade.retention import Cleared, Retention
from groundswell.cascade.status import Stage
from groundswell.errors import InputError, TemporaryError
from groundswell.store.port import ANY, Delete, Documents, Json, Put
from tests.invariants.mutations import Check, MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, registration

type Change = Callable[[str], object]
"""What a person does, with the reason given."""

POLICY = {"version": 1, "global": {"severity": "HIGH"}, "teams": {}, "vex": []}
YEARS = 10 * 365 * 86_400.0


def changes(world: World) -> dict[str, Change]:
    """Everything that a person can change, by the word in the trail; each after the one before it."""
    app = world.app
    new, cascade = registration("new", BASE), world.cascade
    return {
        "register": lambda why: app.catalog.register([new], who="ann", why=why),
        "change": lambda why: app.catalog.register([replace(new, owner="shop")], who="ann", why=why),
        "unregister": lambda why: app.catalog.unregister(["new"], who="ann", why=why),
        "policy": lambda why: app.policies.set(POLICY, who="ann", why=why),
        "push": lambda why: announce(app.store, BASE, urgent=False, who="ann", why=why, clock=app.clock),
        "replay": lambda why: app.operator.replay(cascade, "top", stage=Stage.BUILD, who="ann", why=why),
        "cancel": lambda why: app.operator.cancel(cascade, "top", who="ann", why=why),
    }


def all_are_kept_for_ever(make_world: MakeWorld) -> None:
    world = ended(make_world)
    trail = trail_of(world)
    for word, change in changes(world).items():
        world.time += 1
        change(f"because of {word}")
        entries = trail_of(world)
        assert len(entries) == len(trail) + 1, word
        assert entries[1:] == trail, f"{word} changed what was there"
        (entry, trail) = entries[0], entries
        assert (entry["who"], entry["at"], entry["why"]) == ("ann", world.time, f"because of {word}")
        assert entry["subject"], word
        assert (entry["before"], entry["after"]) != ({}, {}), word
        if word in ("replay", "cancel"):
            assert entry["before"]["status"] != entry["after"]["status"]
    world.drive()
    world.time += YEARS
    world.app.retention.run()
    assert trail_of(world) == trail


def nothing_is_done_without_an_entry(make_world: MakeWorld) -> None:
    """The entry is first: one who dies between the two has said what he was about to do."""
    world = ended(make_world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "advance", refuses)
        with pytest.raises(TemporaryError):
            changes(world)["replay"]("first of all")
    assert [entry["why"] for entry in trail_of(world)[:1]] == ["first of all"]


def nobody_gets_by_without_a_reason(make_world: MakeWorld) -> None:
    world = ended(make_world)
    before = trail_of(world), world.statuses()
    told = []
    for word, change in changes(world).items():
        if word not in ("register", "change"):
            try:
                change(" ")
            except InputError as refusal:
                told.append(str(refusal))
    assert [reason for reason in told if "needs a reason" in reason] == told
    assert len(told) == 5
    assert (trail_of(world), world.statuses()) == before


def ended(make_world: MakeWorld) -> World:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    return world


def trail_of(world: World) -> list[Json]:
    return list(audit.entries(world.app.store, limit=1000))


def refuses(*_: object) -> None:
    raise TemporaryError("the store does not answer")


def nothing_is_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(audit, "record", lambda store, **entry: None)


def the_newest_entry_is_written_over(patch: pytest.MonkeyPatch) -> None:
    def one_row(store: Documents, **entry: Any) -> None:
        store.commit("audit", "audit", [Put(row="the only one", value=entry, etag=ANY)])

    patch.setattr(audit, "record", one_row)


def nobody_is_named(patch: pytest.MonkeyPatch) -> None:
    record = audit.record
    patch.setattr(audit, "record", lambda store, **entry: record(store, **{**entry, "who": ""}))


def what_was_before_is_left_out(patch: pytest.MonkeyPatch) -> None:
    record = audit.record
    patch.setattr(audit, "record", lambda store, **entry: record(store, **{**entry, "before": {}, "after": {}}))


def old_entries_go_with_the_cascades(patch: pytest.MonkeyPatch) -> None:
    def greedy(self: Retention) -> Cleared:
        store = self._records._store
        store.commit("audit", "audit", [Delete(row=entry.row, etag=ANY) for entry in store.scan("audit", "audit")])
        return Cleared()

    patch.setattr(Retention, "run", greedy)


def it_is_written_afterwards(patch: pytest.MonkeyPatch) -> None:
    """After the engine has done it, if it has."""
    apply = Operator._apply

    def late(self: Operator, cascade: str, image: str, event: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            kept: list[Any] = []
            record = audit.record
            inner.setattr(audit, "record", lambda store, **entry: kept.append((store, entry)))
            state = apply(self, cascade, image, event)
        for store, entry in kept:
            record(store, **entry)
        return state

    patch.setattr(Operator, "_apply", late)


def reasons_are_made_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("groundswell.cascade.operate._need_reason", lambda action, why: None)


CHECKS = [
    (all_are_kept_for_ever, nothing_is_written),
    (all_are_kept_for_ever, the_newest_entry_is_written_over),
    (all_are_kept_for_ever, nobody_is_named),
    (all_are_kept_for_ever, what_was_before_is_left_out),
    (all_are_kept_for_ever, old_entries_go_with_the_cascades),
    (nothing_is_done_without_an_entry, it_is_written_afterwards),
    (nobody_gets_by_without_a_reason, reasons_are_made_up),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS))
def test_it_holds(make_world: MakeWorld, check: Check) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "mutation"), CHECKS)
def test_it_can_fail(make_world: MakeWorld, check: Check, mutation: Mutation) -> None:
    fails_when(mutation, check, make_world)
