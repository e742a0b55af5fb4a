"""The rules, one by one, and over every pair of status and event."""

from dataclasses import replace

import pytest

from groundswell.cascade.deadlines import DEADLINES
from groundswell.cascade.decide import HISTORY, begin, decide
from groundswell.cascade.events import (
    AlreadyBuilt,
    BakeOver,
    BaseNews,
    Cancelled,
    Disproved,
    Event,
    Followed,
    FreezeSeen,
    HeldBack,
    Nudged,
    Outdated,
    Overdue,
    Promoted,
    Rebased,
    Replayed,
    RolledOut,
    RolloutFailed,
    RolloutsPlanned,
    RolloutsSeen,
    RunStarted,
    RunSucceeded,
    Scanned,
    StageFailed,
    Superseded,
    TagMoved,
    Verified,
    WentBack,
)
from groundswell.cascade.meaning import news, outcome, standing
from groundswell.cascade.model import Command, Hold, Kind, Moment, Move, Outcome, Rebuild, Rollout, Wait
from groundswell.cascade.rules.moves import moved_bases
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError

ROOT = {"base:1": Wait(outcome=Outcome.PROMOTED, digest="sha256:b1", turn=0)}
PENDING = Wait(outcome=Outcome.PENDING)
EVENTS: tuple[Event, ...] = (
    BaseNews(at=9, base="mid", wait=Wait(outcome=Outcome.PROMOTED, digest="sha256:m1", turn=4)),
    RunStarted(at=9, run="r1", built_on={"base:1": "sha256:b1"}, spec={}),
    AlreadyBuilt(at=9, digest="sha256:d", by="c0", built_on={"base:1": "sha256:b1"}, spec={}, inputs={"key": "k"}),
    Rebased(at=9, digest="sha256:c", onto="base:1", built_on={"base:1": "sha256:b1"}, spec={}, inputs={"key": "k"}),
    RunSucceeded(at=9, digest="sha256:c"),
    Verified(at=9, proof={"ok": 1}, previous="sha256:p", unchanged=False),
    Disproved(at=9, proof={}, reason="old base"),
    Scanned(at=9, passed=True, verdict={"passed": True}, reason=""),
    Promoted(at=9, digest="sha256:c", deploys=True),
    RolloutsPlanned(at=9, rollouts=(Rollout(workload="w", former="f", image="i"),)),
    RolloutsSeen(at=9, rollouts=(Rollout(workload="w", former="f", image="i", move=Move.MOVED),)),
    RolledOut(at=9),
    RolloutFailed(at=9, rollouts=(), reason="crash loop"),
    WentBack(at=9, rollouts=()),
    BakeOver(at=9),
    StageFailed(at=9, reason="boom"),
    Nudged(at=9),
    Overdue(at=200_000),
    TagMoved(at=9, digest="sha256:h"),
    Followed(at=9, by="c2"),
    Superseded(at=9, by="c2"),
    HeldBack(at=9, holds={Hold.APPROVAL: "waits for approval"}, begun=False),
    FreezeSeen(at=9, why="prod is frozen"),
    Outdated(at=9, reason="c2 promoted a newer image"),
)


def rebuild(status: Status, **changes: object) -> Rebuild:
    state = Rebuild(
        cascade="c1",
        image="app",
        status=status,
        waits=dict(ROOT),
        dependants=(("c1", "leaf"),),
        attempt=1,
        turn=5,
        built_on={"base:1": "sha256:b1"},
        history=(Moment(status=Status.READY, at=1.0),),
    )
    return replace(state, **changes)  # type: ignore[arg-type]


def kinds(commands: tuple[Command, ...]) -> list[Kind]:
    return [command.kind for command in commands]


EXPECTED: dict[tuple[Status, type[Event]], Status] = {
    (Status.READY, RunStarted): Status.BUILDING,
    (Status.READY, AlreadyBuilt): Status.UNCHANGED,
    (Status.READY, Rebased): Status.VERIFYING,
    (Status.BUILDING, RunSucceeded): Status.VERIFYING,
    (Status.VERIFYING, Verified): Status.SCANNING,
    (Status.VERIFYING, Disproved): Status.READY,
    (Status.SCANNING, Scanned): Status.PROMOTING,
    (Status.PROMOTING, Promoted): Status.DEPLOYING,
    (Status.DEPLOYING, RolledOut): Status.DONE,
    (Status.READY, StageFailed): Status.FAILED,
    (Status.BUILDING, StageFailed): Status.FAILED,
    (Status.VERIFYING, StageFailed): Status.FAILED,
    (Status.SCANNING, StageFailed): Status.FAILED,
    (Status.PROMOTING, StageFailed): Status.FAILED,
    (Status.DEPLOYING, StageFailed): Status.FAILED,
    # News of a base: one that waited or was blocked may begin, one that ended on an older base begins again.
    (Status.WAITING, BaseNews): Status.READY,
    (Status.BLOCKED, BaseNews): Status.READY,
    (Status.DONE, BaseNews): Status.READY,
    (Status.UNCHANGED, BaseNews): Status.READY,
    (Status.FAILED, BaseNews): Status.READY,
    (Status.REJECTED, BaseNews): Status.READY,
    (Status.WAITING, Superseded): Status.SUPERSEDED,
    (Status.READY, Superseded): Status.SUPERSEDED,
    (Status.BLOCKED, Superseded): Status.SUPERSEDED,
    (Status.BUILDING, Superseded): Status.SUPERSEDED,
    (Status.VERIFYING, Superseded): Status.SUPERSEDED,
    (Status.SCANNING, Superseded): Status.SUPERSEDED,
    (Status.HELD, Superseded): Status.SUPERSEDED,
    (Status.DEPLOYING, HeldBack): Status.HELD,
    (Status.DEPLOYING, Outdated): Status.SUPERSEDED,
    (Status.PROMOTING, TagMoved): Status.READY,
    **dict.fromkeys([(status, Overdue) for status in DEADLINES], Status.FAILED),
}
"""Every move that an event makes; all other pairs leave the status as it is."""


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("status", Status)
def test_every_pair_of_status_and_event(status: Status, event: Event) -> None:
    before = rebuild(status, built_on={"base:1": "sha256:b1", "mid": "sha256:m0"})
    after, commands = decide(before, event)
    assert after.status is EXPECTED.get((status, type(event)), status)
    if after is before:
        assert commands == ()
    if after.status is not status:
        assert after.turn == before.turn + 1
        assert after.outbox == commands
        assert after.history[-1].at == event.at
        assert all(command.turn == after.turn for command in commands)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("status", Status)
def test_an_event_twice_is_an_event_once(status: Status, event: Event) -> None:
    once, _ = decide(rebuild(status), event)
    twice, again = decide(once, event)
    if not isinstance(event, Nudged) and (once.status is status or isinstance(event, BaseNews | Followed)):
        assert (twice.status, again) == (once.status, ())


def test_the_whole_way_gives_each_command_in_turn() -> None:
    state, commands = begin(rebuild(Status.WAITING, attempt=0, turn=0), at=0)
    assert (state.status, kinds(commands), state.attempt) == (Status.READY, [Kind.ADMIT], 1)
    way: list[tuple[Event, Status, list[Kind]]] = [
        (RunStarted(at=1, run="r", built_on={"base:1": "sha256:b1"}, spec={}), Status.BUILDING, [Kind.OBSERVE]),
        (RunSucceeded(at=2, digest="d"), Status.VERIFYING, [Kind.RELEASE, Kind.VERIFY]),
        (Verified(at=3, proof={"a": 1}, previous="p", unchanged=False), Status.SCANNING, [Kind.SCAN]),
        (Scanned(at=4, passed=True, verdict={"passed": True}, reason=""), Status.PROMOTING, [Kind.PROMOTE]),
        (Promoted(at=5, digest="d", deploys=True), Status.DEPLOYING, [Kind.NEWS, Kind.DEPLOY]),
        (RolloutsPlanned(at=6, rollouts=()), Status.DEPLOYING, [Kind.WATCH]),
        (RolledOut(at=7), Status.DONE, []),
    ]
    for event, status, expected in way:
        state, commands = decide(state, event)
        assert (state.status, kinds(commands)) == (status, expected)
    assert state.reason == "promoted; nothing runs it"


def test_promotion_wakes_dependants_with_the_digest_before_the_rollout() -> None:
    state, commands = decide(rebuild(Status.PROMOTING), Promoted(at=2, digest="sha256:n", deploys=True))
    told = [command for command in commands if command.kind is Kind.NEWS]
    assert [(command.image, command.data["base"], command.data["digest"]) for command in told] == [
        ("leaf", "app", "sha256:n")
    ]
    assert told[0].data["turn"] == state.turn
    assert commands[0].kind is Kind.NEWS  # before the deploy command that ends this turn


def test_an_image_that_nothing_runs_is_done_when_promoted() -> None:
    state, _ = decide(rebuild(Status.PROMOTING), Promoted(at=2, digest="d", deploys=False))
    assert (state.status, state.reason) == (Status.DONE, "promoted; nothing runs it")


def test_one_rollout_is_said_in_the_singular() -> None:
    rollouts = (Rollout(workload="w", former="f", image="i"),)
    state, _ = decide(rebuild(Status.DEPLOYING, rollouts=rollouts), RolledOut(at=2))
    assert state.reason == "rolled out to 1 workload"


def test_rollouts_are_planned_once() -> None:
    before = rebuild(Status.DEPLOYING, rollouts=(Rollout(workload="w", former="f", image="i"),))
    after, commands = decide(before, RolloutsPlanned(at=2, rollouts=()))
    assert after is before
    assert commands == ()


def test_unchanged_content_ends_it_and_is_told() -> None:
    event = Verified(at=2, proof={}, previous="sha256:p", unchanged=True)
    state, commands = decide(rebuild(Status.VERIFYING), event)
    assert state.status is Status.UNCHANGED
    assert commands[0].data["outcome"] == "unchanged"


def test_rejection_blocks_dependants_and_names_the_cause() -> None:
    event = Scanned(at=2, passed=False, verdict={"passed": False}, reason="CVE")
    state, commands = decide(rebuild(Status.SCANNING), event)
    assert (state.status, state.reason) == (Status.REJECTED, "CVE")
    leaf = replace(rebuild(Status.WAITING), image="leaf", waits={"app": PENDING}, dependants=(("c1", "end"),))
    news_event = BaseNews(
        at=3, base="app", wait=Wait(outcome=Outcome.FAILED, turn=commands[0].turn, cause=commands[0].data["cause"])
    )
    leaf, commands = decide(leaf, news_event)
    assert (leaf.status, leaf.reason) == (Status.BLOCKED, "blocked by app")
    assert commands[0].data["cause"] == "app"  # the root of it, not the neighbour


def test_a_built_image_on_an_old_base_is_tried_once_without_cache_then_fails() -> None:
    event = Disproved(at=2, proof={"x": 1}, reason="stands on the old base")
    state, commands = decide(rebuild(Status.VERIFYING, candidate="d"), event)
    assert (state.status, state.no_cache, state.attempt, state.candidate) == (Status.READY, True, 2, "")
    assert kinds(commands) == [Kind.ADMIT]
    state, commands = decide(replace(state, status=Status.VERIFYING), event)
    assert (state.status, state.failed_stage, state.reason) == (
        Status.FAILED,
        Stage.VERIFY,
        "stands on the old base",
    )
    assert kinds(commands) == [Kind.NEWS]


def test_a_failed_build_gives_its_slot_back_first() -> None:
    state, commands = decide(rebuild(Status.BUILDING), StageFailed(at=2, reason="exit 1"))
    assert kinds(commands) == [Kind.RELEASE, Kind.NEWS]
    assert state.failed_stage is Stage.BUILD


def test_a_failed_rollout_does_not_hold_up_dependants() -> None:
    state, commands = decide(rebuild(Status.DEPLOYING, promoted="d"), StageFailed(at=2, reason="sick"))
    assert outcome(state) is Outcome.PROMOTED
    assert commands == ()


def test_late_and_older_news_is_ignored() -> None:
    state = rebuild(Status.WAITING, waits={"mid": Wait(outcome=Outcome.PENDING, turn=7)})
    after, commands = decide(state, BaseNews(at=2, base="mid", wait=Wait(outcome=Outcome.FAILED, turn=7)))
    assert after is state
    assert commands == ()


def test_news_while_under_way_is_kept_and_looked_at_later() -> None:
    state = rebuild(Status.BUILDING, waits={"mid": Wait(outcome=Outcome.PROMOTED, digest="m1", turn=1)})
    state = replace(state, built_on={"mid": "m1"})
    state, commands = decide(
        state, BaseNews(at=2, base="mid", wait=Wait(outcome=Outcome.PROMOTED, digest="m2", turn=2))
    )
    assert (state.status, commands) == (Status.BUILDING, ())
    assert moved_bases(state) == ["mid"]
    state, commands = decide(state, RunSucceeded(at=3, digest="d"))
    assert (state.status, state.attempt) == (Status.READY, 2)
    assert kinds(commands) == [Kind.RELEASE, Kind.ADMIT]


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (Status.VERIFYING, Verified(at=3, proof={}, previous="", unchanged=False)),
        (Status.VERIFYING, Disproved(at=3, proof={}, reason="")),
        (Status.SCANNING, Scanned(at=3, passed=True, verdict={}, reason="")),
        (Status.DEPLOYING, RolledOut(at=3)),
    ],
)
def test_a_base_that_moves_under_way_starts_it_again(status: Status, event: Event) -> None:
    waits = {"mid": Wait(outcome=Outcome.PROMOTED, digest="m2", turn=2)}
    state, _ = decide(rebuild(status, waits=waits, built_on={"mid": "m1"}), event)
    assert (state.status, state.attempt) == (Status.READY, 2)
    assert "mid moved" in state.reason


def test_overtaken_while_a_base_is_pending_it_waits() -> None:
    waits = {
        "mid": Wait(outcome=Outcome.PROMOTED, digest="m2", turn=2),
        "other": Wait(outcome=Outcome.PENDING, turn=3),
    }
    state, commands = decide(
        rebuild(Status.BUILDING, waits=waits, built_on={"mid": "m1", "other": "o1"}), RunSucceeded(at=3, digest="d")
    )
    assert (state.status, kinds(commands)) == (Status.WAITING, [Kind.RELEASE])


def test_ready_goes_back_to_waiting_when_a_base_is_replayed() -> None:
    state = rebuild(Status.READY, waits={"mid": Wait(outcome=Outcome.PROMOTED, digest="m", turn=1)})
    state, commands = decide(state, BaseNews(at=2, base="mid", wait=Wait(outcome=Outcome.PENDING, turn=2)))
    assert (state.status, kinds(commands)) == (Status.WAITING, [Kind.RELEASE])


def test_waiting_goes_on_until_the_last_base() -> None:
    state = rebuild(Status.WAITING, waits={"a": PENDING, "b": PENDING})
    state, commands = decide(
        state, BaseNews(at=2, base="a", wait=Wait(outcome=Outcome.PROMOTED, digest="x", turn=1))
    )
    assert (state.status, state.reason, commands) == (Status.WAITING, "waits for b", ())
    state, commands = decide(state, BaseNews(at=3, base="b", wait=Wait(outcome=Outcome.UNCHANGED, turn=1)))
    assert (state.status, state.attempt, kinds(commands)) == (Status.READY, 2, [Kind.ADMIT])


def test_only_unchanged_bases_make_it_unchanged_without_a_build() -> None:
    state = rebuild(Status.WAITING, waits={"a": PENDING})
    state, commands = decide(state, BaseNews(at=2, base="a", wait=Wait(outcome=Outcome.UNCHANGED, turn=1)))
    assert (state.status, kinds(commands)) == (Status.UNCHANGED, [Kind.NEWS])


def test_standing() -> None:
    assert standing({"a": Wait(outcome=Outcome.FAILED)})[0] is Status.BLOCKED
    assert standing({"a": Wait(outcome=Outcome.FAILED, cause="z")})[2] == "z"


def test_begin_waits_when_it_must() -> None:
    state, commands = begin(rebuild(Status.WAITING, waits={"a": PENDING}, attempt=0), at=3)
    assert (state.status, state.attempt, commands) == (Status.WAITING, 0, ())
    assert state.updated_at == 3


def test_a_nudge_repeats_the_work_under_a_new_turn_but_not_the_news() -> None:
    state, _ = decide(rebuild(Status.PROMOTING), Promoted(at=2, digest="d", deploys=True))
    nudged, commands = decide(state, Nudged(at=99))
    assert kinds(commands) == [Kind.DEPLOY]
    assert nudged.turn == state.turn + 1 == commands[0].turn


def test_superseding_a_build_stops_the_run_and_frees_the_slot() -> None:
    state, commands = decide(rebuild(Status.BUILDING, run="r"), Superseded(at=2, by="c2"))
    assert kinds(commands) == [Kind.RELEASE, Kind.CANCEL, Kind.NEWS]
    assert commands[1].data == {"run": "r"}
    assert outcome(state) is Outcome.FAILED


def test_a_run_that_was_started_while_its_rebuild_was_stopped_is_stopped_too() -> None:
    state = rebuild(Status.CANCELLED)
    started = RunStarted(at=3, run="late", built_on={}, spec={})
    state, commands = decide(state, started)
    assert (state.status, state.run, kinds(commands)) == (Status.CANCELLED, "late", [Kind.CANCEL])
    assert commands[0].data == {"run": "late"}
    assert decide(state, started) == (state, ())


def test_a_follower_is_told_when_it_settles() -> None:
    state, commands = decide(rebuild(Status.PROMOTING), Followed(at=2, by="c2"))
    assert commands == ()
    state, _ = decide(state, Promoted(at=3, digest="d", deploys=True))
    state, commands = decide(replace(state, rollouts=()), RolledOut(at=4))
    assert [(c.cascade, c.image, c.data["base"], c.data["outcome"]) for c in commands] == [
        ("c2", "app", "c1/app", "unchanged")
    ]


def test_a_follower_of_a_settled_one_is_told_at_once_and_of_a_superseded_one_must_build() -> None:
    _, commands = decide(rebuild(Status.DONE), Followed(at=2, by="c2"))
    assert commands[0].data["outcome"] == "unchanged"
    _, commands = decide(rebuild(Status.SUPERSEDED), Followed(at=2, by="c2"))
    assert commands[0].data["outcome"] == "promoted"


@pytest.mark.parametrize(
    ("stage", "have", "status", "kind"),
    [
        (Stage.BUILD, {}, Status.READY, Kind.ADMIT),
        (Stage.VERIFY, {"candidate": "d"}, Status.VERIFYING, Kind.VERIFY),
        (Stage.SCAN, {"candidate": "d", "proof": {"a": 1}}, Status.SCANNING, Kind.SCAN),
        (Stage.PROMOTE, {"verdict": {"passed": True}}, Status.PROMOTING, Kind.PROMOTE),
        (Stage.DEPLOY, {"candidate": "d", "promoted": "d"}, Status.DEPLOYING, Kind.DEPLOY),
    ],
)
def test_replay_from_each_stage(stage: Stage, have: dict[str, object], status: Status, kind: Kind) -> None:
    event = Replayed(at=2, stage=stage, who="ann", why="repaired")
    state, commands = decide(rebuild(Status.FAILED, **have), event)
    assert (state.status, commands[-1].kind) == (status, kind)
    assert state.reason == f"replayed from {stage} by ann: repaired"
    assert commands[0].data.get("outcome") != "failed"  # dependants are no longer blocked
    if stage is not Stage.BUILD:
        with pytest.raises(InputError, match=f"cannot be replayed from {stage}"):
            decide(rebuild(Status.FAILED), event)


def test_what_was_already_built_gives_its_slot_back_and_tells_its_digest() -> None:
    event = next(event for event in EVENTS if isinstance(event, AlreadyBuilt))
    state, commands = decide(rebuild(Status.READY, inputs={}), event)
    assert kinds(commands) == [Kind.RELEASE, Kind.NEWS]
    assert (commands[1].data["outcome"], commands[1].data["digest"]) == ("promoted", "sha256:d")
    assert (state.promoted, state.previous, state.inputs) == ("sha256:d", "sha256:d", {"key": "k"})
    # A base that says again what it said changes nothing, one that moved means another build.
    same = Wait(outcome=Outcome.PROMOTED, digest="sha256:b1", turn=7)
    assert decide(state, BaseNews(at=10, base="base:1", wait=same))[0].status is Status.UNCHANGED
    moved = replace(same, digest="sha256:b2")
    again, _ = decide(state, BaseNews(at=10, base="base:1", wait=moved))
    assert (again.status, again.inputs) == (Status.READY, {})


def test_a_base_that_moved_while_it_was_looked_up_means_another_look() -> None:
    event = next(event for event in EVENTS if isinstance(event, AlreadyBuilt))
    moved = {"base:1": Wait(outcome=Outcome.PROMOTED, digest="sha256:b2", turn=7)}
    state, commands = decide(rebuild(Status.READY, waits=moved), event)
    assert (state.status, state.attempt, state.reason) == (
        Status.READY,
        2,
        "base:1 moved while it was under way",
    )
    assert kinds(commands) == [Kind.RELEASE, Kind.ADMIT]


def test_what_cannot_be_replayed_says_why() -> None:
    event = Replayed(at=2, stage=Stage.BUILD, who="ann", why="x")
    with pytest.raises(InputError, match="app is building"):
        decide(rebuild(Status.BUILDING), event)
    with pytest.raises(InputError, match="blocked by mid"):
        decide(rebuild(Status.BLOCKED, reason="blocked by mid"), event)


@pytest.mark.parametrize("status", DEADLINES)
def test_nothing_is_overdue_before_its_deadline(status: Status) -> None:
    state = rebuild(status, run="r")
    assert decide(state, Overdue(at=1.0 + DEADLINES[status] - 1)) == (state, ())
    late, commands = decide(state, Overdue(at=1.0 + DEADLINES[status]))
    assert late.reason.startswith(f"still {status} after ")
    assert (Kind.CANCEL in kinds(commands)) == (status is Status.BUILDING)


def test_cancel() -> None:
    event = Cancelled(at=2, who="ann", why="wrong")
    state, commands = decide(rebuild(Status.BUILDING), event)
    assert (state.status, kinds(commands)) == (Status.CANCELLED, [Kind.RELEASE, Kind.CANCEL, Kind.NEWS])
    assert decide(rebuild(Status.WAITING), event)[0].status is Status.CANCELLED
    assert decide(rebuild(Status.BLOCKED), event)[0].status is Status.CANCELLED
    for status in (Status.PROMOTING, Status.DEPLOYING, Status.DONE):
        with pytest.raises(InputError, match="cannot be cancelled"):
            decide(rebuild(status), event)


def test_news_of_each_status() -> None:
    assert news(rebuild(Status.DONE, promoted="d")).digest == "d"
    assert news(rebuild(Status.UNCHANGED, previous="p")).digest == "p"
    assert news(rebuild(Status.CANCELLED)).cause == "app"


def test_history_is_bounded_and_keeps_its_beginning() -> None:
    state = rebuild(Status.FAILED, candidate="d")
    for at in range(HISTORY + 10):
        state, _ = decide(state, Replayed(at=at, stage=Stage.VERIFY, who="a", why="b"))
        state, _ = decide(state, StageFailed(at=at, reason="again"))
    assert len(state.history) == HISTORY
    assert state.history[0].status is Status.READY
