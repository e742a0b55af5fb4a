"""What operators do to a whole cascade: what is touched, in which order, what is left alone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.audit import entries
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Replayed, StageFailed
from groundswell.cascade.model import Moment, Outcome, Rebuild, Wait
from groundswell.cascade.operate import Bulk, failed_at, restart
from groundswell.cascade.planning import JOINS
from groundswell.cascade.records import Phase
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError, NotFoundError, TemporaryError
from tests.support.world import BASE, World, ref, registration

type MakeWorld = Callable[..., World]


def chain(make_world: MakeWorld) -> World:
    """top -> left -> low, top -> right, on one base."""
    return make_world(
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("low", ref("left")),
    )


def told(bulk: Bulk) -> dict[str, list[str]]:
    return {
        "done": [item.image for item in bulk.done],
        "left": [item.image for item in bulk.left],
        "failed": [item.image for item in bulk.failed],
    }


def test_replaying_the_failed_brings_back_the_blocked_too(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken |= {"left", "right"}
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done", "left": "failed", "right": "failed", "low": "blocked"}
    world.broken.clear()
    bulk = world.app.operator.replay_failed(world.cascade, who="ann", why="repaired")
    assert told(bulk) == {"done": ["left", "right"], "left": ["low"], "failed": []}
    assert {item.stage for item in bulk.done} == {Stage.BUILD}
    assert bulk.left[0].why == "blocked by left: it comes back by itself"
    trail = list(entries(world.app.store, limit=2))
    assert {entry["subject"] for entry in trail} == {f"{world.cascade}/left", f"{world.cascade}/right"}
    assert {(entry["who"], entry["why"]) for entry in trail} == {("ann", "repaired")}
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.ENDED
    assert told(world.app.operator.replay_failed(world.cascade, who="ann", why="again"))["done"] == []


def test_each_is_replayed_from_where_it_failed_and_a_scan_replay_does_not_rebuild(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.vulnerable.add("left")
    world.broken.add("right")
    world.push_base()
    world.drive()
    assert world.statuses()["left"] == "rejected"
    built = len(world.builder.requests)
    world.vulnerable.clear()
    world.broken.clear()
    bulk = world.app.operator.replay_failed(world.cascade, who="ann", why="accepted")
    assert {item.image: item.stage for item in bulk.done} == {"left": Stage.SCAN, "right": Stage.BUILD}
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    again = [request.repository for request in world.builder.requests[built:]]
    assert sorted(again) == ["low", "right"]  # and not "left"


def test_one_that_has_nothing_to_reuse_begins_earlier_and_says_so(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken.add("right")
    world.push_base()
    world.drive()
    world.broken.clear()
    bulk = world.app.operator.replay_failed(world.cascade, stage=Stage.SCAN, who="ann", why="x")
    assert [(item.image, item.stage) for item in bulk.done] == [("right", Stage.BUILD)]
    assert bulk.done[0].why.startswith("from build instead: right cannot be replayed from scan")
    world.drive()
    assert set(world.statuses().values()) == {"done"}


def test_a_whole_cascade_is_scanned_again_bases_first_without_a_build(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.push_base()
    world.drive()
    built, tags = len(world.builder.requests), dict(world.registry.tags)
    bulk = world.app.operator.replay_all(world.cascade, stage=Stage.SCAN, who="ann", why="new advisories")
    order = [item.image for item in bulk.done]
    assert sorted(order) == ["left", "low", "right", "top"]
    assert order.index("top") < order.index("left") < order.index("low")
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert (len(world.builder.requests), world.registry.tags) == (built, tags)


def test_a_whole_cascade_is_built_again_on_what_is_built_again(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.push_base()
    world.drive()
    world.sources |= {"top": "2"}
    world.app.operator.replay_all(world.cascade, stage=Stage.BUILD, who="ann", why="new source")
    world.drive()
    states = world.states()
    assert states["top"].status is Status.DONE
    assert states["left"].proof["base_digest"] == world.registry.tags[ref("top")]
    assert states["low"].proof["base_digest"] == world.registry.tags[ref("left")]
    assert all(state.status.settled for state in states.values())


def test_what_is_under_way_is_left_alone(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken.add("left")
    world.takes["right"] = 10_000
    world.push_base()
    world.drive(until=60)
    assert world.statuses() == {"top": "done", "left": "failed", "right": "building", "low": "blocked"}
    before = world.states()["right"]
    bulk = world.app.operator.replay_all(world.cascade, stage=Stage.BUILD, who="ann", why="x")
    assert told(bulk) == {"done": ["top", "left"], "left": ["right", "low"], "failed": []} or told(bulk) == {
        "done": ["top", "left"],
        "left": ["low", "right"],
        "failed": [],
    }
    assert next(item.why for item in bulk.left if item.image == "right") == "is building: it is under way"
    assert world.states()["right"] == before


def test_an_image_that_another_cascade_rebuilds_is_left_to_it(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken.add("right")
    world.push_base()
    world.drive()
    first = world.cascade
    world.broken.clear()
    world.takes["top"] = 10_000
    world.push_base("sha256:base2")
    world.drive(until=30)
    assert world.cascade != first
    bulk = world.app.operator.replay_failed(first, who="ann", why="x")
    assert told(bulk) == {"done": [], "left": ["right"], "failed": []}
    assert bulk.left[0].why == f"being rebuilt by cascade {world.cascade}"


def test_what_fails_does_not_keep_the_others(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = chain(make_world)
    world.broken |= {"left", "right"}
    world.push_base()
    world.drive()
    engine, advance = world.app.engine, world.app.engine.advance

    def flaky(cascade: str, image: str, event: object) -> Rebuild:
        if image == "left":
            raise TemporaryError("the store does not answer")
        return advance(cascade, image, event)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "advance", flaky)
    bulk = world.app.operator.replay_failed(world.cascade, who="ann", why="x")
    assert told(bulk) == {"done": ["right"], "left": ["low"], "failed": ["left"]}
    assert bulk.failed[0].why == "the store does not answer"


def test_one_that_moved_on_since_it_was_listed_is_left_alone(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = chain(make_world)
    world.broken.add("right")
    world.push_base()
    world.drive()
    records = world.app.engine.records
    listed = list(records.rebuilds(world.cascade))
    world.app.operator.replay(world.cascade, "right", who="bob", why="first")
    monkeypatch.setattr(records, "rebuilds", lambda _: iter(listed))
    bulk = world.app.operator.replay_failed(world.cascade, who="ann", why="second")
    assert told(bulk) == {"done": [], "left": ["right"], "failed": []}
    assert "wait until it has ended" in bulk.left[0].why


def test_a_whole_cascade_is_cancelled_and_what_promotes_is_left_to_end(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.takes |= {"left": 10_000, "right": 10_000}
    world.push_base()
    world.drive(until=60)
    bulk = world.app.operator.cancel_all(world.cascade, who="ann", why="withdrawn")
    assert told(bulk) == {"done": ["low", "left", "right"], "left": [], "failed": []}
    world.drive()
    assert world.statuses() == {"top": "done", "left": "cancelled", "right": "cancelled", "low": "cancelled"}
    assert sorted(world.builder.cancelled) == ["r1", "r2"]
    world.takes.clear()
    replayed = world.app.operator.replay_failed(world.cascade, who="ann", why="wanted after all")
    assert [item.image for item in replayed.done].index("left") < [i.image for i in replayed.done].index("low")
    world.drive()
    assert set(world.statuses().values()) == {"done"}


def test_promoting_is_not_cancelled(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = chain(make_world)
    world.push_base()
    world.drive()
    records = world.app.engine.records
    listed = [replace(state, status=Status.PROMOTING) for state in records.rebuilds(world.cascade)]
    monkeypatch.setattr(records, "rebuilds", lambda _: iter(listed))
    bulk = world.app.operator.cancel_all(world.cascade, who="ann", why="x")
    assert (len(bulk.left), bulk.done) == (4, ())
    assert bulk.left[0].why == "is promoting already: it is left to end"


def test_what_was_superseded_is_to_be_replayed_where_it_went_on(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.takes = {"top": 10_000}
    world.push_base()
    world.drive(until=30)
    first = world.cascade
    world.takes.clear()
    world.time += JOINS
    world.push_base("sha256:base2")
    world.drive()
    bulk = world.app.operator.replay_failed(first, who="ann", why="x")
    assert told(bulk) == {"done": [], "left": ["top", "left", "right", "low"], "failed": []}
    assert {item.why for item in bulk.left} == {f"superseded by cascade {world.cascade}: replay it there"}


def test_bad_requests(make_world: MakeWorld) -> None:
    world = chain(make_world)
    operator = world.app.operator
    for act in (operator.replay_failed, operator.cancel_all):
        with pytest.raises(InputError, match="needs a reason"):
            act("c", who="ann", why=" ")
        with pytest.raises(NotFoundError, match="no cascade c"):
            act("c", who="ann", why="x")
    world.push_base()
    world.drive()
    records = world.app.engine.records
    records.set_phase(records.header(world.cascade), Phase.PLANNING)
    with pytest.raises(TemporaryError, match="still being planned"):
        operator.cancel_all(world.cascade, who="ann", why="x")


# Where a replay begins, and what it may not reuse.


def rebuild(status: Status, **rest: object) -> Rebuild:
    return Rebuild(
        cascade="c",
        image="app",
        status=status,
        waits={"base:1": Wait(outcome=Outcome.PROMOTED, digest="d", turn=0)},
        built_on={"base:1": "d"},
        **rest,  # type: ignore[arg-type]
    )


DISPROVED = {"layers": {"proven": False, "reasons": ["old base"], "platforms": []}}


def moments(*statuses: Status) -> tuple[Moment, ...]:
    return tuple(Moment(status=status, at=float(at)) for at, status in enumerate(statuses))


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (rebuild(Status.FAILED, failed_stage=Stage.PROMOTE), Stage.PROMOTE),
        (rebuild(Status.FAILED, failed_stage=Stage.VERIFY, candidate="i"), Stage.VERIFY),
        (rebuild(Status.FAILED, failed_stage=Stage.VERIFY, candidate="i", proof=DISPROVED), Stage.BUILD),
        (rebuild(Status.REJECTED), Stage.SCAN),
        (rebuild(Status.CANCELLED, history=moments(Status.SCANNING, Status.CANCELLED)), Stage.SCAN),
        (rebuild(Status.CANCELLED, history=moments(Status.WAITING, Status.CANCELLED)), Stage.BUILD),
        (rebuild(Status.DONE), Stage.BUILD),
    ],
)
def test_where_a_replay_begins_by_itself(state: Rebuild, stage: Stage) -> None:
    assert failed_at(state) is stage


@pytest.mark.parametrize(
    ("have", "asked", "stage"),
    [
        ({}, Stage.DEPLOY, Stage.BUILD),
        ({"candidate": "i"}, Stage.DEPLOY, Stage.VERIFY),
        ({"candidate": "i", "proof": {"run": "r"}}, Stage.DEPLOY, Stage.SCAN),
        ({"candidate": "i", "proof": {"run": "r"}, "verdict": {"passed": False}}, Stage.PROMOTE, Stage.SCAN),
        ({"candidate": "i", "proof": {"run": "r"}, "verdict": {"passed": True}}, Stage.PROMOTE, Stage.PROMOTE),
        ({"candidate": "i", "promoted": "i"}, Stage.DEPLOY, Stage.DEPLOY),
    ],
)
def test_a_replay_begins_at_the_last_stage_that_has_what_it_needs(
    have: dict[str, object], asked: Stage, stage: Stage
) -> None:
    found, why = restart(rebuild(Status.FAILED, **have), asked)
    assert found is stage
    assert bool(why) == (stage is not asked)


def test_one_that_cannot_be_replayed_at_all_is_left_to_the_rules_to_refuse() -> None:
    assert restart(rebuild(Status.BUILDING), Stage.SCAN) == (Stage.SCAN, "")


@pytest.mark.parametrize("stage", [Stage.SCAN, Stage.PROMOTE])
def test_what_was_disproved_cannot_be_taken_further(stage: Stage) -> None:
    """Invariant 8: else a replay would promote an image that stands on the old base."""
    state = rebuild(Status.FAILED, candidate="i", proof=DISPROVED, verdict={"passed": True})
    with pytest.raises(InputError, match=f"cannot be replayed from {stage}"):
        decide(state, Replayed(at=1, stage=stage, who="ann", why="x"))
    proven = replace(state, proof={"layers": {"proven": True}})
    assert not decide(proven, Replayed(at=1, stage=stage, who="ann", why="x"))[0].status.settled


def test_a_deploy_replay_does_not_pass_off_an_earlier_attempts_image_as_this_ones() -> None:
    event = Replayed(at=1, stage=Stage.DEPLOY, who="ann", why="x")
    with pytest.raises(InputError, match="nothing was promoted"):
        decide(rebuild(Status.FAILED, promoted="old", candidate="new"), event)
    same = decide(rebuild(Status.UNCHANGED, promoted="old", candidate="twin"), event)[0]
    assert (same.status, same.promoted) == (Status.DEPLOYING, "old")


def test_a_replay_that_fails_again_can_be_replayed_again() -> None:
    state = rebuild(Status.FAILED, failed_stage=Stage.SCAN, candidate="i", proof={"run": "r"})
    for _ in range(3):
        state, _ = decide(state, Replayed(at=1, stage=failed_at(state), who="ann", why="x"))
        assert (state.status, state.attempt) == (Status.SCANNING, 0)
        state, _ = decide(state, StageFailed(at=2, reason="no database"))
        assert (state.status, state.failed_stage) == (Status.FAILED, Stage.SCAN)
