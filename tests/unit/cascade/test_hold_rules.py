"""Hold, release, approval and freeze, rule by rule."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.cascade.codec import rebuild_from_json, rebuild_to_json
from groundswell.cascade.decide import decide
from groundswell.cascade.events import (
    Approved,
    BaseNews,
    Cancelled,
    Disproved,
    Event,
    Followed,
    FreezeSeen,
    Held,
    HeldBack,
    Nudged,
    Outdated,
    Promoted,
    Released,
    Replayed,
    RolledOut,
    RolloutsPlanned,
    RunStarted,
    RunSucceeded,
    Scanned,
    StageFailed,
    Superseded,
    Verified,
)
from groundswell.cascade.holds import how_to_end, marked, reasons
from groundswell.cascade.meaning import follow, news, outcome
from groundswell.cascade.model import Hold, Kind, Outcome, Rebuild, Rollout, Wait
from groundswell.cascade.operate import failed_at
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError
from tests.unit.cascade.test_decide import PENDING, kinds, rebuild

HOLD = Held(at=9, who="ann", why="look first")
RELEASE = Released(at=10, who="bob", why="looked")
APPROVE = Approved(at=10, who="bob", why="fine")
URGENT = replace(APPROVE, despite_freeze=True)
PERSON = {Hold.PERSON: "held by ann: look first"}
APPROVAL = {Hold.APPROVAL: "waits for approval"}
FREEZE = {Hold.FREEZE: "prod is frozen until Mon"}
MOVED = Wait(outcome=Outcome.PROMOTED, digest="sha256:b2", turn=7)
PLANNED = (Rollout(workload="w", former="f", image="i"),)


def held(stage: Stage, holds: dict[Hold, str], **changes: object) -> Rebuild:
    have: dict[str, object] = {"candidate": "d", "verdict": {"passed": True}, "run": "r"}
    if stage is Stage.BUILD:
        have = {}
    if stage is Stage.DEPLOY:
        have["promoted"] = "d"
    state = rebuild(Status.HELD, held_at=stage, holds=holds, **{**have, **changes})
    return replace(state, reason=reasons(state))


def after(state: Rebuild, *events: Event) -> Rebuild:
    for event in events:
        state, _ = decide(state, event)
    return state


# Hold.


def test_what_stands_in_line_is_held_at_once_and_gives_up_its_place() -> None:
    state, commands = decide(rebuild(Status.READY), HOLD)
    assert (state.status, state.held_at, kinds(commands)) == (Status.HELD, Stage.BUILD, [Kind.RELEASE])
    assert state.reason == "before its build: held by ann: look first"
    assert (outcome(state), state.history[-1].status) == (Outcome.PENDING, Status.HELD)


@pytest.mark.parametrize(
    ("status", "when"),
    [
        (Status.WAITING, "when it could begin"),
        (Status.BLOCKED, "when it could begin"),
        (Status.BUILDING, "before its promotion"),
        (Status.VERIFYING, "before its promotion"),
        (Status.SCANNING, "before its promotion"),
        (Status.PROMOTING, "before its rollout"),
        (Status.DEPLOYING, "before it is rolled out any further"),
    ],
)
def test_what_waits_or_is_under_way_is_marked_and_its_work_goes_on(status: Status, when: str) -> None:
    before = rebuild(status)
    state, commands = decide(before, HOLD)
    assert (state.status, state.turn, commands) == (status, before.turn, ())
    assert marked(state) == f"to be held by ann: look first, {when}"
    assert marked(before) == ""


def test_a_marked_one_is_held_at_each_checkpoint() -> None:
    promoted = Wait(outcome=Outcome.PROMOTED, digest="m", turn=1)
    waiting = after(rebuild(Status.WAITING, waits={"mid": PENDING}), HOLD)
    state, commands = decide(waiting, BaseNews(at=10, base="mid", wait=promoted))
    assert (state.status, state.held_at, state.attempt, commands) == (Status.HELD, Stage.BUILD, 1, state.outbox)
    assert Kind.ADMIT not in kinds(commands)
    state, commands = decide(
        after(rebuild(Status.SCANNING), HOLD), Scanned(at=10, passed=True, verdict={}, reason="")
    )
    assert (state.status, state.held_at, commands) == (Status.HELD, Stage.SCAN, ())
    state, commands = decide(after(rebuild(Status.PROMOTING), HOLD), Promoted(at=10, digest="d", deploys=True))
    assert (state.status, state.held_at, outcome(state)) == (Status.HELD, Stage.DEPLOY, Outcome.PROMOTED)
    assert kinds(commands) == [Kind.NEWS]  # what stands on it goes on
    assert news(state).digest == "d"


@pytest.mark.parametrize(
    ("status", "event", "end"),
    [
        (Status.SCANNING, Scanned(at=10, passed=False, verdict={}, reason="CVE"), Status.REJECTED),
        (Status.VERIFYING, Verified(at=10, proof={}, previous="p", unchanged=True), Status.UNCHANGED),
        (Status.PROMOTING, Promoted(at=10, digest="d", deploys=False), Status.DONE),
        (Status.DEPLOYING, RolledOut(at=10), Status.DONE),
        (Status.BUILDING, StageFailed(at=10, reason="exit 1"), Status.FAILED),
    ],
)
def test_a_hold_ends_with_its_rebuild(status: Status, event: Event, end: Status) -> None:
    state = after(rebuild(status), HOLD, event)
    assert (state.status, state.holds) == (end, {})


def test_what_is_blocked_stays_marked_and_is_held_when_it_comes_back() -> None:
    failed = Wait(outcome=Outcome.FAILED, turn=1)
    state = after(rebuild(Status.WAITING, waits={"mid": PENDING}), HOLD, BaseNews(at=10, base="mid", wait=failed))
    assert (state.status, state.holds) == (Status.BLOCKED, PERSON)
    state = after(state, BaseNews(at=11, base="mid", wait=replace(MOVED, turn=3)))
    assert (state.status, state.held_at) == (Status.HELD, Stage.BUILD)


def test_what_must_be_built_again_is_held_before_that() -> None:
    waits = {"mid": replace(MOVED, turn=2)}
    building = rebuild(Status.BUILDING, waits=waits, built_on={"mid": "old"}, run="r", attempt=1)
    state, commands = decide(after(building, HOLD), RunSucceeded(at=10, digest="d"))
    assert (state.status, state.held_at, state.run, state.attempt) == (Status.HELD, Stage.BUILD, "", 1)
    assert kinds(commands) == [Kind.RELEASE]
    disproved = after(rebuild(Status.VERIFYING), HOLD, Disproved(at=10, proof={}, reason="old"), RELEASE)
    assert (disproved.status, disproved.no_cache, disproved.attempt) == (Status.READY, True, 2)


def test_a_run_that_was_started_while_its_rebuild_was_held_is_stopped() -> None:
    started = RunStarted(at=10, run="late", built_on={}, spec={})
    state, commands = decide(after(rebuild(Status.READY), HOLD), started)
    assert (state.status, kinds(commands), commands[0].data) == (Status.HELD, [Kind.CANCEL], {"run": "late"})
    assert decide(state, started) == (state, ())
    state, commands = decide(state, RELEASE)
    assert (state.status, state.run, state.attempt) == (Status.READY, "", 2)  # a run of another name
    assert decide(held(Stage.SCAN, PERSON), started)[1] == ()


def test_a_hold_on_top_of_an_approval() -> None:
    state = after(held(Stage.DEPLOY, APPROVAL), HOLD)
    assert state.reason == "before its rollout: held by ann: look first; waits for approval"
    assert after(state, RELEASE).holds == APPROVAL
    assert after(state, APPROVE).holds == PERSON
    assert after(state, APPROVE, RELEASE).status is Status.DEPLOYING
    assert after(state, RELEASE, APPROVE).status is Status.DEPLOYING


def test_what_cannot_be_held_released_or_approved_says_why() -> None:
    with pytest.raises(InputError, match="app is done: there is nothing left to hold"):
        decide(rebuild(Status.DONE), HOLD)
    with pytest.raises(InputError, match="held by ann: look first: that hold stands already"):
        decide(after(rebuild(Status.BUILDING), HOLD), HOLD)
    with pytest.raises(InputError, match="app is not held by anybody: it is building"):
        decide(rebuild(Status.BUILDING), RELEASE)
    with pytest.raises(InputError, match=r"not held by anybody: it is held before its rollout: .* approve c1 app"):
        decide(held(Stage.DEPLOY, APPROVAL), RELEASE)
    with pytest.raises(InputError, match=r"does not wait for an approval: .* release c1 app"):
        decide(held(Stage.BUILD, PERSON), URGENT)
    with pytest.raises(InputError, match=r"does not wait for an approval: .*the end of the freeze"):
        decide(held(Stage.DEPLOY, FREEZE), APPROVE)
    with pytest.raises(InputError, match="does not wait for an approval: it is deploying"):
        decide(rebuild(Status.DEPLOYING, holds=PERSON), APPROVE)


def test_a_replay_of_what_is_held_says_what_ends_it() -> None:
    state = held(Stage.DEPLOY, {**PERSON, **APPROVAL, **FREEZE})
    with pytest.raises(
        InputError, match=r"app is held before its rollout: .*; or cancel it, then replay"
    ) as caught:
        decide(state, Replayed(at=10, stage=Stage.BUILD, who="ann", why="x"))
    assert how_to_end(state) == (
        "it goes on by itself after `groundswell release c1 app --reason TEXT` "
        "and `groundswell approve c1 app --reason TEXT` "
        "and the end of the freeze (or `groundswell approve --despite-freeze`)"
    )
    assert how_to_end(state) in str(caught.value)


# Release.


def test_a_mark_is_taken_back_without_a_move() -> None:
    before = rebuild(Status.BUILDING)
    assert decide(after(before, HOLD), RELEASE) == (before, ())


def test_what_was_held_before_its_build_stands_in_line_again() -> None:
    state, commands = decide(held(Stage.BUILD, PERSON), RELEASE)
    assert (state.status, state.reason, state.attempt) == (Status.READY, "released by bob: looked", 2)
    assert (kinds(commands), state.held_at) == ([Kind.ADMIT], None)


@pytest.mark.parametrize(
    ("wait", "status"),
    [
        (Wait(outcome=Outcome.PENDING, turn=7), Status.WAITING),
        (Wait(outcome=Outcome.FAILED, turn=7), Status.BLOCKED),
        (Wait(outcome=Outcome.UNCHANGED, turn=7), Status.UNCHANGED),
        (MOVED, Status.HELD),
    ],
)
def test_news_of_a_base_to_what_is_held_before_its_build(wait: Wait, status: Status) -> None:
    state = after(held(Stage.BUILD, PERSON, waits={"mid": PENDING}), BaseNews(at=10, base="mid", wait=wait))
    assert state.status is status
    assert (state.waits["mid"], state.held_at) == (wait, Stage.BUILD if status is Status.HELD else None)


def test_what_was_held_before_its_promotion_is_scanned_again() -> None:
    state, commands = decide(held(Stage.SCAN, PERSON), RELEASE)
    assert (state.status, state.reason, kinds(commands)) == (
        Status.SCANNING,
        "released by bob: looked",
        [Kind.SCAN],
    )


@pytest.mark.parametrize("stage", [Stage.SCAN, Stage.DEPLOY])
def test_what_a_person_holds_on_an_old_base_is_built_again_on_release(stage: Stage) -> None:
    state, commands = decide(held(stage, PERSON), BaseNews(at=10, base="base:1", wait=MOVED))
    assert (state.status, commands) == (Status.HELD, ())
    state, commands = decide(state, RELEASE)
    assert (state.status, state.attempt, kinds(commands)[-1]) == (Status.READY, 2, Kind.ADMIT)
    assert state.reason == "base:1 moved while it was under way"


# Before the rollout.


def test_what_may_not_be_rolled_out_is_held_and_planned_again_later() -> None:
    state, commands = decide(rebuild(Status.DEPLOYING), HeldBack(at=10, holds=FREEZE, begun=False))
    assert (state.status, state.held_at, state.reason) == (
        Status.HELD,
        Stage.DEPLOY,
        "before its rollout: prod is frozen until Mon",
    )
    assert commands == ()  # it was promoted before, and is
    planned = rebuild(Status.DEPLOYING, rollouts=PLANNED)
    state = after(planned, HeldBack(at=10, holds=FREEZE, begun=False))
    assert state.rollouts == ()
    state, commands = decide(state, FreezeSeen(at=11, why=""))
    assert (state.status, state.reason, kinds(commands)) == (
        Status.DEPLOYING,
        "the freeze is over",
        [Kind.DEPLOY],
    )
    assert commands[0].data == {"held": True}
    state = after(planned, HeldBack(at=10, holds=FREEZE, begun=True), FreezeSeen(at=11, why=""))
    assert (state.rollouts, kinds(state.outbox)) == (PLANNED, [Kind.WATCH])  # the way back is kept


def test_a_hold_that_was_taken_back_meanwhile_holds_nothing() -> None:
    state, commands = decide(rebuild(Status.DEPLOYING), HeldBack(at=10, holds=PERSON, begun=False))
    assert (state.status, kinds(commands)) == (Status.DEPLOYING, [Kind.DEPLOY])
    late = decide(rebuild(Status.DEPLOYING, holds=PERSON), HeldBack(at=10, holds=FREEZE, begun=False))[0]
    assert late.holds == {**PERSON, **FREEZE}


def test_what_may_not_be_rolled_out_and_stands_on_an_old_base_is_built_again() -> None:
    deploying = rebuild(Status.DEPLOYING, waits={"base:1": MOVED})
    back = HeldBack(at=10, holds=APPROVAL, begun=False)
    assert after(deploying, back).status is Status.READY
    assert after(deploying, HOLD, back).status is Status.HELD


def test_a_freeze_comes_and_goes_beside_an_approval() -> None:
    waits = held(Stage.DEPLOY, APPROVAL)
    frozen, commands = decide(waits, FreezeSeen(at=10, why="prod is frozen until Mon"))
    assert (frozen.holds, frozen.turn, commands) == ({**APPROVAL, **FREEZE}, waits.turn, ())
    assert decide(frozen, FreezeSeen(at=11, why="prod is frozen until Mon")) == (frozen, ())
    assert after(frozen, FreezeSeen(at=12, why="")).holds == APPROVAL
    approved = after(frozen, APPROVE)
    assert (approved.status, approved.holds, approved.passes) == (Status.HELD, FREEZE, (Hold.APPROVAL,))
    assert after(approved, FreezeSeen(at=12, why="")).status is Status.DEPLOYING  # the approval stays given


def test_an_urgent_approval_goes_through_a_freeze() -> None:
    state, commands = decide(held(Stage.DEPLOY, {**APPROVAL, **FREEZE}), URGENT)
    assert (state.status, kinds(commands)) == (Status.DEPLOYING, [Kind.DEPLOY])
    assert state.passes == (Hold.APPROVAL, Hold.FREEZE)
    assert state.reason == "approved by bob, despite any freeze: fine"
    person = after(held(Stage.DEPLOY, {**PERSON, **FREEZE}), URGENT)
    assert person.holds == PERSON
    assert decide(person, FreezeSeen(at=11, why="prod is frozen until Tue")) == (person, ())
    assert after(held(Stage.DEPLOY, FREEZE), URGENT).status is Status.DEPLOYING


@pytest.mark.parametrize("state", [held(Stage.SCAN, PERSON), rebuild(Status.DEPLOYING), rebuild(Status.DONE)])
def test_a_freeze_is_nothing_to_what_is_not_held_before_its_rollout(state: Rebuild) -> None:
    assert decide(state, FreezeSeen(at=10, why="prod is frozen")) == (state, ())


def test_an_approval_is_for_one_image_a_rebuilt_one_wants_its_own() -> None:
    approved = after(held(Stage.DEPLOY, {**APPROVAL, **FREEZE}), APPROVE)
    state, commands = decide(approved, BaseNews(at=11, base="base:1", wait=MOVED))
    assert (state.status, state.passes, state.holds, state.attempt) == (Status.READY, (), {}, 2)
    assert kinds(commands) == [Kind.NEWS, Kind.ADMIT]
    assert state.reason == "base:1 moved while its rollout was held"
    failed = after(
        rebuild(Status.DEPLOYING, promoted="d", candidate="d", passes=(Hold.APPROVAL,)),
        StageFailed(at=9, reason="sick"),
    )
    again = after(failed, Replayed(at=10, stage=Stage.DEPLOY, who="ann", why="mended"))
    assert again.passes == (Hold.APPROVAL,)  # it is the same image


# Its end.


@pytest.mark.parametrize("stage", [Stage.BUILD, Stage.SCAN, Stage.DEPLOY])
def test_cancelling_what_is_held(stage: Stage) -> None:
    before = held(stage, {**PERSON, **APPROVAL}, passes=(Hold.FREEZE,))
    state, commands = decide(before, Cancelled(at=10, who="ann", why="withdrawn"))
    assert (state.status, state.holds, state.passes) == (Status.CANCELLED, {}, ())
    # Its tags have moved: what stands on it is not held up by a rollout that was called off.
    promoted = stage is Stage.DEPLOY
    assert outcome(state) is (Outcome.PROMOTED if promoted else Outcome.FAILED)
    assert kinds(commands) == ([] if promoted else [Kind.NEWS])
    assert failed_at(state) is stage
    if stage is not Stage.SCAN:
        again = after(state, Replayed(at=11, stage=stage, who="ann", why="after all"))
        assert (again.status, again.held_at) == (Status.DEPLOYING if promoted else Status.READY, None)


@pytest.mark.parametrize("stage", [Stage.BUILD, Stage.SCAN])
def test_a_newer_push_supersedes_what_is_held_before_its_promotion(stage: Stage) -> None:
    state = after(held(stage, PERSON), Superseded(at=10, by="c2"))
    assert (state.status, state.holds, outcome(state)) == (Status.SUPERSEDED, {}, Outcome.FAILED)


def test_a_held_rollout_gives_way_only_to_an_image_that_was_promoted() -> None:
    waits = held(Stage.DEPLOY, FREEZE)
    assert decide(waits, Superseded(at=10, by="c2")) == (waits, ())
    newer = Outdated(at=10, reason="cascade c2 promoted a newer image")
    for before in (waits, rebuild(Status.DEPLOYING, promoted="d", reason="released by bob: looked")):
        state, commands = decide(before, newer)
        assert (state.status, state.reason, commands) == (Status.SUPERSEDED, newer.reason, ())
        assert (outcome(state), state.holds) == (Outcome.PROMOTED, {})
    for other in (rebuild(Status.DEPLOYING, rollouts=PLANNED), held(Stage.SCAN, PERSON), rebuild(Status.DONE)):
        assert decide(other, newer) == (other, ())


def test_a_later_cascade_does_not_wait_for_a_held_rollout() -> None:
    state, commands = decide(held(Stage.DEPLOY, FREEZE), Followed(at=10, by="c2"))
    assert [(c.cascade, c.data["base"], c.data["outcome"]) for c in commands] == [("c2", "c1/app", "unchanged")]
    assert (state.status, follow(state).outcome) == (Status.HELD, Outcome.UNCHANGED)
    followed = after(rebuild(Status.DEPLOYING, promoted="d"), Followed(at=10, by="c2"))
    _, commands = decide(followed, HeldBack(at=11, holds=APPROVAL, begun=False))
    assert [c.cascade for c in commands] == ["c2"]


@pytest.mark.parametrize("stage", [Stage.BUILD, Stage.SCAN, Stage.DEPLOY])
def test_a_later_cascade_waits_for_what_a_person_holds(stage: Stage) -> None:
    state, commands = decide(held(stage, PERSON), Followed(at=10, by="c2"))
    assert (state.status, commands, follow(state).outcome) == (Status.HELD, (), Outcome.PENDING)


def test_a_later_cascade_hears_of_a_release_although_the_freeze_goes_on() -> None:
    state = after(held(Stage.DEPLOY, {**PERSON, **FREEZE}), Followed(at=10, by="c2"))
    state, commands = decide(state, RELEASE)
    assert (state.status, [(c.cascade, c.data["outcome"]) for c in commands]) == (
        Status.HELD,
        [("c2", "unchanged")],
    )
    assert after(state, HOLD).status is Status.HELD


def test_a_latecomer_changes_nothing_of_what_is_held() -> None:
    state = held(Stage.DEPLOY, APPROVAL)
    for event in (
        RolloutsPlanned(at=10, rollouts=PLANNED),
        StageFailed(at=10, reason="late"),
        HeldBack(at=10, holds=FREEZE, begun=True),
        Nudged(at=10),
    ):
        assert decide(state, event) == (state, ())


WAY: tuple[Event, ...] = (
    HOLD,
    RELEASE,
    APPROVE,
    URGENT,
    Cancelled(at=10, who="ann", why="withdrawn"),
    Replayed(at=10, stage=Stage.BUILD, who="ann", why="again"),
    Replayed(at=10, stage=Stage.DEPLOY, who="ann", why="again"),
    RunStarted(at=10, run="r", built_on={"base:1": "sha256:b1"}, spec={}),
    RunSucceeded(at=10, digest="d"),
    Verified(at=10, proof={"ok": 1}, previous="p", unchanged=False),
    Disproved(at=10, proof={}, reason="old base"),
    Scanned(at=10, passed=True, verdict={"passed": True}, reason=""),
    Promoted(at=10, digest="d", deploys=True),
    HeldBack(at=10, holds={**APPROVAL, **FREEZE}, begun=False),
    HeldBack(at=10, holds=PERSON, begun=True),
    FreezeSeen(at=10, why=""),
    FreezeSeen(at=10, why="prod is frozen until Tue"),
    RolloutsPlanned(at=10, rollouts=PLANNED),
    RolledOut(at=10),
    StageFailed(at=10, reason="boom"),
    Superseded(at=10, by="c2"),
    Followed(at=10, by="c2"),
    Outdated(at=10, reason="newer"),
    Nudged(at=10),
)
BEGINNINGS = (Status.READY, Status.PROMOTING, Status.DEPLOYING)


def onward(state: Rebuild) -> Event:
    """What happens to it when all goes well."""
    built_on = {base: wait.digest for base, wait in state.waits.items()}
    well: dict[Status, Event] = {
        Status.READY: RunStarted(at=10, run="r", built_on=built_on, spec={}),
        Status.BUILDING: RunSucceeded(at=10, digest="d"),
        Status.VERIFYING: Verified(at=10, proof={"ok": 1}, previous="p", unchanged=False),
        Status.SCANNING: Scanned(at=10, passed=True, verdict={"passed": True}, reason=""),
        Status.PROMOTING: Promoted(at=10, digest="d", deploys=True),
        Status.DEPLOYING: HeldBack(at=10, holds={**APPROVAL, **FREEZE}, begun=False),
        Status.HELD: APPROVE,
    }
    return well.get(state.status, HOLD)


STEPS: tuple[Event | Outcome | None, ...] = (*[None] * 40, *[HOLD] * 4, *WAY, *Outcome)
"""Mostly all goes well, or it would not get far."""


@settings(max_examples=300)
@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_happens_nothing_begins_while_it_is_held(way: list[Event | Outcome | None]) -> None:
    state = rebuild(Status.READY)
    for turn, step in enumerate(way, start=8):
        before, event = state, step or onward(state)
        if isinstance(event, Outcome):
            event = BaseNews(at=10, base="base:1", wait=Wait(outcome=event, digest=f"sha256:b{turn}", turn=turn))
        try:
            state, commands = decide(before, event)
        except InputError:
            continue
        if Hold.PERSON in before.holds and Hold.PERSON in state.holds and state.status is not before.status:
            assert state.status not in BEGINNINGS
        if state.status is Status.HELD:
            assert state.holds
            assert state.held_at
            assert not {Kind.ADMIT, Kind.SCAN, Kind.PROMOTE, Kind.DEPLOY, Kind.WATCH} & set(kinds(commands))
        elif state.status not in (Status.CANCELLED, Status.SUPERSEDED):
            assert state.held_at is None
        if state.status.settled and state.status is not Status.BLOCKED:
            assert not state.holds
        if Hold.APPROVAL in state.passes:  # for the digest that was approved
            assert state.attempt == before.attempt


def test_records_keep_holds_and_older_ones_have_none() -> None:
    state = held(Stage.DEPLOY, {**PERSON, **FREEZE}, passes=(Hold.APPROVAL,))
    document = json.loads(json.dumps(rebuild_to_json(state)))
    assert rebuild_from_json(document) == state
    for new in ("holds", "held_at", "passes"):
        del document[new]
    assert rebuild_from_json(document) == replace(state, holds={}, held_at=None, passes=())
