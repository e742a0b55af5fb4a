"""Rings: their plan, and rollouts that go through them. Engine, store and timers are the real ones."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from groundswell.cascade import rings
from groundswell.cascade.codec import rebuild_from_json, rebuild_to_json
from groundswell.cascade.decide import decide
from groundswell.cascade.events import (
    BakeOver,
    BaseNews,
    Event,
    HeldBack,
    Overdue,
    RolledOut,
    RolloutFailed,
    RolloutsPlanned,
    RolloutsSeen,
    WentBack,
)
from groundswell.cascade.holds import how_to_end
from groundswell.cascade.model import Hold, Kind, Moment, Move, Outcome, Rebuild, Ring, Wait
from groundswell.cascade.model import Rollout as Planned
from groundswell.cascade.status import Stage, Status
from groundswell.deploy.port import Health, Rollout, Workload
from groundswell.errors import PermanentError, TemporaryError
from groundswell.store.port import ANY, Delete
from tests.support.world import BASE, HOST, World, digest_of, ref, registration, workload
from tests.unit.cascade.test_holds import freeze, lose_everything, told

type MakeWorld = Callable[..., World]
OLD = f"{HOST}/old@sha256:old"
BAKED = ({"environment": "dev", "bake": "30m"}, {"environment": "prod-*", "bake": "1h"})


def at(name: str, environment: str) -> Workload:
    return replace(workload(name), environment=environment)


DEV, TEST, EU, US = at("d", "dev"), at("t", "test"), at("eu", "prod-eu"), at("us", "prod-us")


def company(
    make_world: MakeWorld, *wanted: Mapping[str, Any], targets: tuple[Workload, ...] = (EU, DEV, US)
) -> World:
    return make_world(registration("top", BASE, deployments=targets, rings=wanted), registration("app", ref("top")))


def begin(world: World, *, minutes: float = 1) -> None:
    world.push_base()
    world.drive(until=minutes * 60)


def moved(world: World) -> list[str]:
    """The workloads that run the new image, by name."""
    new = f"{HOST}/top@{world.states()['top'].promoted}"
    return [target.name for target in (DEV, TEST, EU, US) if world.deployer.running.get(str(target)) == new]


def moves(world: World) -> dict[str, str]:
    return {
        each.workload.split("/")[3].partition("[")[0]: each.move.value for each in world.states()["top"].rollouts
    }


def sweep(world: World, *, after: float = 61.0) -> None:
    """The timer, and what follows at once."""
    world.time += after
    world.app.sweep.cascades()
    world.drive(until=30)


def until_it_goes_back(world: World) -> None:
    world.push_base()
    while not world.cascades or not world.states()["top"].back:
        world.drive(until=1)


# The plan.


def test_only_rings_with_workloads_count_and_what_is_in_none_comes_last() -> None:
    wanted = [
        {"environment": "dev", "bake": "90s"},
        {"environment": "staging", "approval": "required"},
        {"environment": "prod-*", "bake": "2d", "approval": "required"},
    ]
    places = [("e", "edge"), ("p2", "prod-us"), ("d", "dev"), ("p1", "prod-eu")]
    assert rings.plan(places, wanted, approval=False) == (
        Ring(name="dev", workloads=("d",), environments=("dev",), bake=90),
        Ring(
            name="prod-*",
            workloads=("p2", "p1"),
            environments=("prod-eu", "prod-us"),
            bake=172_800,
            approval=True,
        ),
        Ring(name="the rest", workloads=("e",), environments=("edge",)),
    )


def test_without_rings_there_is_one_and_the_image_asks_for_the_first_ones_approval() -> None:
    one = Ring(name="", workloads=("a", "b"), environments=("x", "y"))
    assert rings.plan([("a", "y"), ("b", "x")], (), approval=False) == (one,)
    assert rings.plan([("a", "y"), ("b", "x")], (), approval=True) == (replace(one, approval=True),)
    two = rings.plan([("a", "y"), ("b", "x")], [{"environment": "x"}, {"environment": "y"}], approval=True)
    assert [(ring.name, ring.approval) for ring in two] == [("x", True), ("y", False)]
    assert rings.plan([], [{"environment": "x"}], approval=True) == ()


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1800), ("24h", 86_400), ("2d", 172_800)])
def test_how_long_a_bake_is(text: str, seconds: float) -> None:
    assert rings.seconds(text) == seconds


# Ring by ring.


def test_a_ring_begins_when_the_one_before_has_baked(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    state = world.states()["top"]
    assert (moved(world), world.statuses()) == (["d"], {"top": "held", "app": "done"})  # what stands on it goes on
    assert state.reason == "before its rollout: dev bakes until 2027-01-15 08:30:11Z"
    assert [ring.name for ring in state.rings] == ["dev", "prod-*"]
    world.drive(until=1700)
    assert moved(world) == ["d"]
    world.drive(until=200)
    assert moved(world) == ["d", "eu", "us"]
    state = world.states()["top"]
    assert (state.status, state.reason) == (
        Status.DONE,
        "rolled out to 3 workloads",
    )  # nothing bakes after the last
    assert [(moment.status.value, moment.reason) for moment in state.history][-4:] == [
        ("deploying", ""),
        ("held", "before its rollout: dev bakes until 2027-01-15 08:30:11Z"),
        ("deploying", "dev stayed healthy"),
        ("done", "rolled out to 3 workloads"),
    ]


def test_rings_without_a_bake_follow_at_once_each_with_a_deadline_of_its_own(make_world: MakeWorld) -> None:
    world = company(make_world, {"environment": "dev"}, {"environment": "prod-*"})
    begin(world)
    history = world.states()["top"].history
    assert [moment.reason for moment in history][-3:] == [
        "",
        "dev is healthy; on to prod-*",
        "rolled out to 3 workloads",
    ]
    assert moved(world) == ["d", "eu", "us"]


def test_a_bake_costs_few_looks_and_no_writes(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    before, looks = world.states()["top"], []
    observe = world.deployer.observe
    world.deployer.observe = lambda target: looks.append(target) or observe(target)  # type: ignore[method-assign, func-returns-value]
    world.drive(until=1700)
    assert world.states()["top"] == before
    assert 8 <= len(looks) <= 12


def test_the_rings_of_everybody_are_the_policys_and_an_images_own_come_first(make_world: MakeWorld) -> None:
    everybody = {
        "version": 1,
        "global": {},
        "teams": {},
        "vex": [],
        "rings": [{"environment": "prod-eu", "bake": "1h"}],
    }
    world = make_world(
        registration("top", BASE, deployments=[EU, DEV]),
        registration("own", BASE, deployments=[US], rings=({"environment": "prod-us"},)),
    )
    world.app.policies.set(everybody, who="ann", why="carefully")
    begin(world)
    assert [ring.name for ring in world.states()["top"].rings] == ["prod-eu", "the rest"]
    assert [ring.name for ring in world.states()["own"].rings] == ["prod-us"]
    assert world.statuses() == {"top": "held", "own": "done"}


def test_a_lost_look_is_made_up_for_by_the_sweep(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.time += 200
    lose_everything(world)
    sweep(world, after=1800 + 500)
    assert moved(world) == ["d"]
    sweep(world, after=400)
    assert moved(world) == ["d", "eu", "us"]


def test_a_message_of_a_ring_that_is_over_changes_nothing(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    world.push_base()
    world.drive(double=True)
    assert moved(world) == ["d", "eu", "us"]
    assert len(world.deployer.patches) == 3


# What holds a ring.


def test_a_ring_waits_for_its_approval_and_for_the_bake_whichever_is_later(make_world: MakeWorld) -> None:
    world = company(make_world, BAKED[0], {"environment": "prod-*", "approval": "required"})
    begin(world)
    state = world.states()["top"]
    assert state.reason.startswith("before its rollout: prod-* waits for approval; dev bakes until")
    assert told(world.app.operator.approve(world.cascade, ["top"], who="ann", why="seen"))["done"] == ["top"]
    world.drive(until=600)
    assert moved(world) == ["d"]
    world.drive(until=1800)
    assert moved(world) == ["d", "eu", "us"]
    world.push_base("sha256:base2")
    world.drive(until=3600)
    assert set(world.states()["top"].holds) == {Hold.APPROVAL}  # the bake is over
    world.app.operator.approve(world.cascade, ["top"], who="ann", why="seen")
    world.drive()
    assert (world.statuses()["top"], moved(world)) == ("done", ["d", "eu", "us"])


def test_an_approval_is_for_one_ring(make_world: MakeWorld) -> None:
    asked = [{"environment": name, "approval": "required"} for name in ("dev", "prod-eu", "prod-us")]
    world = company(make_world, *asked)
    begin(world)
    for waiting, done in (("dev", []), ("prod-eu", ["d"]), ("prod-us", ["d", "eu"])):
        assert (world.states()["top"].reason, moved(world)) == (
            f"before its rollout: {waiting} waits for approval",
            done,
        )
        world.app.operator.approve(world.cascade, ["top"], who="ann", why="seen")
        world.drive()
    assert moved(world) == ["d", "eu", "us"]


def test_a_freeze_holds_its_own_ring_only(make_world: MakeWorld) -> None:
    world = company(make_world, {"environment": "dev"}, {"environment": "prod-*"})
    freeze(world, environment="prod-eu")
    begin(world)
    assert moved(world) == ["d"]
    assert world.states()["top"].reason.startswith("before its rollout: prod-eu is frozen until")
    sweep(world)
    assert moved(world) == ["d"]
    sweep(world, after=7200)
    assert moved(world) == ["d", "eu", "us"]


def test_a_freeze_of_what_is_done_does_not_hold_the_next_ring(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    freeze(world, environment="dev")
    sweep(world)
    assert set(world.states()["top"].holds) == {Hold.BAKE}
    world.drive()
    assert moved(world) == ["d", "eu", "us"]


def test_a_freeze_that_begins_during_a_bake_is_seen(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    freeze(world, environment="prod-*", hours=5)
    sweep(world)
    assert set(world.states()["top"].holds) == {Hold.BAKE, Hold.FREEZE}
    world.drive()
    assert (set(world.states()["top"].holds), moved(world)) == ({Hold.FREEZE}, ["d"])


def test_a_person_holds_a_bake_and_it_is_looked_at_all_the_same(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.app.operator.hold(world.cascade, "top", who="ann", why="wait")
    world.drive()
    assert set(world.states()["top"].holds) == {Hold.PERSON}
    assert moved(world) == ["d"]
    world.app.operator.release(world.cascade, "top", who="ann", why="go on")
    world.drive()
    assert moved(world) == ["d", "eu", "us"]


def test_a_person_holds_a_ring_that_is_under_way_and_the_next_one_is_not_begun(make_world: MakeWorld) -> None:
    world = company(make_world, {"environment": "dev"}, {"environment": "prod-*"})
    world.slow.add("d")
    begin(world, minutes=5)
    world.app.operator.hold(world.cascade, "top", who="ann", why="wait")
    world.slow.clear()
    world.drive()
    assert (world.states()["top"].reason, moved(world)) == ("before its rollout: held by ann: wait", ["d"])


def test_a_cancelled_bake_leaves_things_as_they_are(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.app.operator.cancel(world.cascade, "top", who="ann", why="enough")
    world.drive()
    world.time += 1800
    assert (world.statuses(), moved(world)) == ({"top": "cancelled", "app": "done"}, ["d"])
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="after all")
    world.drive(until=60)
    assert moved(world) == ["d", "eu", "us"]  # it has had the new image for longer than its bake


def test_a_newer_push_while_it_bakes_begins_again_with_the_first_ring(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    begin(world)
    world.push_base("sha256:base2")
    world.drive(until=60)
    state = world.states()["top"]
    assert (state.attempt, state.ring, moved(world)) == (2, 1, ["d"])
    world.drive()
    assert moved(world) == ["d", "eu", "us"]


def test_a_newer_image_of_another_cascade_takes_the_place_of_one_that_bakes(make_world: MakeWorld) -> None:
    tools = f"{HOST}/mirror/tools:1"
    world = make_world(registration("top", BASE, build=[tools], deployments=[DEV, EU], rings=BAKED))
    begin(world)
    world.sources["top"] = "2"
    world.push_base("sha256:tools1", tools)
    world.drive(until=120)
    sweep(world)
    assert [world.statuses(cascade)["top"] for cascade in world.cascades] == ["held", "superseded"]
    world.drive()
    assert moved(world) == ["d", "eu"]


def test_a_newer_base_of_the_same_cascade_begins_again_with_the_first_ring(make_world: MakeWorld) -> None:
    world = make_world(
        registration("low", BASE), registration("top", ref("low"), deployments=[DEV, EU], rings=BAKED)
    )
    begin(world)
    world.sources["low"] = "2"
    world.app.operator.replay(world.cascade, "low", stage=Stage.BUILD, who="ann", why="a fix", force=True)
    world.drive(until=60)
    state = world.states()["top"]
    assert (state.attempt, state.ring, moved(world)) == (2, 1, ["d"])
    world.drive()
    assert moved(world) == ["d", "eu"]


# Going back.


def test_a_ring_that_fails_goes_back_as_a_whole_and_later_rings_are_not_begun(make_world: MakeWorld) -> None:
    other = at("other", "dev")
    world = company(make_world, *BAKED, targets=(DEV, other, EU))
    world.unhealthy.add("other")
    begin(world)
    state = world.states()["top"]
    assert (state.status, state.failed_stage, world.statuses()["app"]) == (Status.FAILED, Stage.DEPLOY, "done")
    assert state.reason == (
        "c/n/deployment/other[app]: crash loop; rolled back, all 2 workloads of its ring; not begun: prod-*"
    )
    assert set(world.deployer.running.values()) == {OLD}
    assert moves(world) == {"d": "returned", "other": "returned"}
    assert any(moment.reason == "rolling back: c/n/deployment/other[app]: crash loop" for moment in state.history)


def test_the_way_back_is_watched_until_it_is_healthy(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    world.unhealthy.add("d")
    observe, slow = world.deployer.observe, [Health.PROGRESSING] * 4

    def returning(target: Workload) -> Rollout:
        seen = observe(target)
        if seen.image == OLD and world.deployer.patches and slow:
            return replace(seen, health=slow.pop())
        return seen

    world.deployer.observe = returning  # type: ignore[method-assign]
    world.push_base()
    world.drive(until=25)
    assert (world.statuses()["top"], moves(world)) == ("deploying", {"d": "returning"})
    world.drive()
    assert (world.statuses()["top"], moves(world), slow) == ("failed", {"d": "returned"}, [])


@pytest.mark.parametrize(("health", "said"), [(Health.FAILED, "no disk"), (Health.PROGRESSING, "not after 3600 s")])
def test_a_former_image_that_is_not_healthy_either_is_told(
    make_world: MakeWorld, health: Health, said: str
) -> None:
    world = company(make_world, targets=(DEV, EU))
    world.unhealthy.add("eu")
    observe = world.deployer.observe

    def sick(target: Workload) -> Rollout:
        seen = observe(target)
        if seen.image == OLD and world.deployer.patches and target.name == "eu":
            return replace(seen, health=health, reason=said if health is Health.FAILED else "")
        return seen

    world.deployer.observe = sick  # type: ignore[method-assign]
    begin(world, minutes=90)
    assert world.states()["top"].reason == (
        "c/n/deployment/eu[app]: crash loop; rolled back to acr.example.com/old@sha256:old; c/n/deployment/eu[app] "
        f"was rolled back to {OLD} and is not healthy there either: {said}"
    )
    assert moves(world) == {"d": "returned", "eu": "stuck"}


def test_some_of_a_ring_may_be_back_and_some_not(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV, TEST, EU, US))
    world.unhealthy.add("us")
    patch = world.deployer.patch

    def refused(target: Workload, image: str, *, cause: str) -> None:
        if image == OLD and target.name == "eu":
            raise PermanentError("it may not")
        patch(target, image, cause=cause)

    world.deployer.patch = refused  # type: ignore[method-assign]
    begin(world)
    assert world.states()["top"].reason == (
        "c/n/deployment/us[app]: crash loop; rolled back 3 of 4; "
        "c/n/deployment/eu[app] could not be rolled back: it may not"
    )


def test_a_workload_that_cannot_be_patched_takes_back_what_was_moved_before_it(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV, EU, US))
    patch = world.deployer.patch

    def refused(target: Workload, image: str, *, cause: str) -> None:
        if target.name == "eu":
            raise PermanentError("its role must allow: patch")
        patch(target, image, cause=cause)

    world.deployer.patch = refused  # type: ignore[method-assign]
    begin(world)
    state = world.states()["top"]
    assert state.reason == (
        "c/n/deployment/eu[app]: its role must allow: patch; rolled back to acr.example.com/old@sha256:old; "
        "c/n/deployment/eu[app] its role must allow: patch"
    )
    assert moves(world) == {"d": "returned", "eu": "planned", "us": "planned"}


def test_the_first_that_cannot_be_patched_leaves_nothing_to_go_back(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))

    def refused(target: Workload, image: str, *, cause: str) -> None:
        raise PermanentError("it may not")

    world.deployer.patch = refused  # type: ignore[method-assign]
    begin(world)
    assert world.states()["top"].reason == "c/n/deployment/d[app]: it may not"


def test_a_workload_that_is_gone_meanwhile_fails_its_ring(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV, EU))
    world.slow.add("d")
    begin(world)
    del world.deployer.running[str(DEV)]
    world.drive()
    assert moves(world) == {"d": "stuck", "eu": "returned"}
    assert "could not be rolled back: c/n/deployment/d[app] does not exist" in world.states()["top"].reason


def test_a_cluster_that_stays_away_while_it_goes_back_ends_visibly(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    world.unhealthy.add("d")
    patch = world.deployer.patch

    def away(target: Workload, image: str, *, cause: str) -> None:
        if image == OLD:
            raise TemporaryError("the cluster does not answer")
        patch(target, image, cause=cause)

    world.deployer.patch = away  # type: ignore[method-assign]
    begin(world, minutes=60)
    state = world.states()["top"]
    assert (state.status, state.back) == (Status.FAILED, "")
    assert state.reason == (
        "c/n/deployment/d[app]: crash loop; the way back failed: "
        "gave up after 12 tries: the cluster does not answer"
    )


def test_a_way_back_without_an_end_has_a_deadline(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    world.unhealthy.add("d")
    until_it_goes_back(world)
    lose_everything(world)
    world.time += 3 * 3600
    world.app.engine.advance(world.cascade, "top", Overdue(at=world.time))
    state = world.states()["top"]
    assert state.reason.startswith("c/n/deployment/d[app]: crash loop; rolled back, and still deploying after 2 h")


def test_a_base_that_moved_meanwhile_is_built_again_after_the_way_back(make_world: MakeWorld) -> None:
    world = make_world(registration("low", BASE), registration("top", ref("low"), deployments=[DEV]))
    world.unhealthy.add("d")
    until_it_goes_back(world)
    news = Wait(outcome=Outcome.PROMOTED, digest=digest_of("newer"), turn=99)
    world.app.engine.advance(world.cascade, "top", BaseNews(at=world.time, base="low", wait=news))
    world.unhealthy.clear()
    world.drive()
    state = world.states()["top"]
    assert (state.attempt, world.deployer.patches[1]) == (2, (str(DEV), OLD))
    assert any(moment.reason == "low moved while it was under way" for moment in state.history)


def test_a_ring_that_becomes_sick_while_it_bakes_goes_back(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.unhealthy.add("d")
    world.drive(until=400)
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.DEPLOY)
    assert state.reason == (
        "c/n/deployment/d[app] while dev baked: crash loop; rolled back to acr.example.com/old@sha256:old; "
        "not begun: prod-*"
    )
    assert (set(world.deployer.running.values()), state.holds) == ({OLD}, {})


def test_a_bake_ends_only_when_all_is_healthy(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.slow.add("d")
    world.drive(until=3000)
    assert moved(world) == ["d"]
    world.slow.clear()
    world.drive(until=60)
    assert moved(world) == ["d", "eu", "us"]


def test_a_ring_that_is_not_healthy_again_after_its_bake_goes_back(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    world.slow.add("d")
    world.drive(until=1800 + 3700)
    assert "while dev baked: not healthy for 3600 s; rolled back" in world.states()["top"].reason


def test_a_workload_that_is_gone_while_it_bakes_stops_the_later_rings(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    del world.deployer.running[str(DEV)]
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.reason) == (Status.FAILED, "c/n/deployment/d[app] does not exist")
    assert state.held_at is None


def test_what_ran_by_its_stable_tag_goes_back_to_the_digest_that_it_led_to(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    former = world.registry.tags[ref("top")]
    world.deployer.running[str(DEV)] = ref("top")
    world.unhealthy.add("d")
    begin(world)
    assert world.deployer.running[str(DEV)] == f"{HOST}/top@{former}"
    assert "is not healthy there either" in world.states()["top"].reason  # as the fake has it


def test_what_has_nothing_to_go_back_to_says_so(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    begin(world)
    forgotten = Delete(row=str(DEV), etag=ANY)
    world.app.store.commit("workloads", "workloads", [forgotten])  # set before there was a book
    world.unhealthy.add("d")
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="again")
    world.drive()
    assert world.states()["top"].reason == (
        "c/n/deployment/d[app]: crash loop; c/n/deployment/d[app] has no former image to go back to"
    )


def test_a_replay_of_what_runs_already_still_knows_the_way_back(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    begin(world)
    world.unhealthy.add("d")
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="again")
    world.drive()
    assert world.deployer.running[str(DEV)] == OLD


# What is late.


RINGS = tuple(Ring(name=name, workloads=(name,), environments=(name,), bake=60) for name in ("a", "b"))
FIRST = Rebuild(
    cascade="c",
    image="i",
    status=Status.DEPLOYING,
    waits={},
    turn=9,
    rings=RINGS,
    rollouts=(Planned(workload="a", former="f", image="i", ring="a", move=Move.HEALTHY),),
    history=(Moment(status=Status.DEPLOYING, at=1.0),),
)
SECOND = replace(FIRST, ring=1)
BAKING = replace(SECOND, status=Status.HELD, held_at=Stage.DEPLOY, holds={Hold.BAKE: "a bakes"}, baked_at=99.0)
BACK = replace(FIRST, back="boom")


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (SECOND, RolledOut(at=9)),
        (SECOND, RolloutsSeen(at=9, rollouts=())),
        (SECOND, RolloutsPlanned(at=9, rollouts=())),
        (SECOND, RolloutFailed(at=9, rollouts=(), reason="x")),
        (SECOND, HeldBack(at=9, holds={Hold.APPROVAL: "x"}, begun=False)),
        (SECOND, BakeOver(at=9)),
        (SECOND, WentBack(at=9, rollouts=())),
        (FIRST, WentBack(at=9, rollouts=())),
        (BAKING, RolledOut(at=9)),
        (BAKING, RolloutFailed(at=9, ring=1, rollouts=(), reason="x")),
        (BAKING, BakeOver(at=9, ring=1)),
        (BACK, RolledOut(at=9)),
        (BACK, RolloutFailed(at=9, rollouts=(), reason="x")),
        (BACK, HeldBack(at=9, holds={Hold.APPROVAL: "x"}, begun=True)),
    ],
)
def test_what_is_late_or_of_another_ring_changes_nothing(state: Rebuild, event: Event) -> None:
    """Two workers may handle the same message; what the slower one says is of a ring that is over."""
    assert decide(state, event) == (state, ())


def test_an_image_whose_base_moved_is_built_again_in_place_of_its_next_ring() -> None:
    moved = {"low": Wait(outcome=Outcome.PROMOTED, digest="d2", turn=3)}
    state, _ = decide(replace(FIRST, waits=moved, built_on={"low": "d1"}), RolledOut(at=9))
    assert (state.status, state.rings, state.rollouts) == (Status.READY, (), ())


def test_how_a_ring_is_said_to_go_back() -> None:
    assert rings.progress(BACK) == "being rolled back: of 1 workload, 1 healthy"
    assert rings.progress(SECOND) == "deploying"


def test_how_a_bake_is_said_to_end() -> None:
    assert "after the end of the bake" in how_to_end(BAKING)


def test_what_drifted_is_not_looked_at_while_its_ring_bakes(make_world: MakeWorld) -> None:
    world = company(make_world, {"environment": "prod-*", "bake": "1h"})
    begin(world)
    world.drive()
    world.deployer.running[str(EU)] = "hand:1"
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert (world.statuses()["top"], moves(world)) == ("held", {"eu": "drifted", "us": "healthy"})
    world.drive()
    assert (world.statuses()["top"], moved(world)) == ("done", ["d", "us"])


def test_an_image_that_nothing_runs_by_now_is_done(make_world: MakeWorld) -> None:
    world = company(make_world, targets=(DEV,))
    begin(world)
    stored = world.app.engine.records.rebuild(world.cascade, "top")
    spec = {**stored.value.spec, "deployments": []}
    world.app.engine.records.save(world.cascade, [(stored, replace(stored.value, spec=spec))], at=world.time)
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="again")
    world.drive()
    assert world.states()["top"].reason == "promoted; nothing runs it"


# Records.


def test_rings_are_stored_and_older_records_are_read(make_world: MakeWorld) -> None:
    world = company(make_world, *BAKED)
    begin(world)
    state = world.states()["top"]
    assert state.rings
    document = rebuild_to_json(state)
    assert rebuild_from_json(document) == state
    for key in ("rings", "ring", "baked_at", "back"):
        del document[key]
    document["rollouts"] = [
        {key: each[key] for key in ("workload", "former", "image")} for each in document["rollouts"]
    ]
    older = rebuild_from_json(document)
    assert (older.rings, [rollout.move for rollout in older.rollouts]) == ((), [Move.PLANNED])


@pytest.mark.parametrize("approval", [None, "required"])
def test_a_rollout_that_a_program_without_rings_began_is_ended(make_world: MakeWorld, approval: str | None) -> None:
    world = make_world(registration("top", BASE, deployments=[DEV, EU], approval=approval))
    world.slow.add("d")
    begin(world)
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive(until=60)
    stored = world.app.engine.records.rebuild(world.cascade, "top")
    older = replace(
        stored.value,
        rings=(),
        rollouts=tuple(replace(each, ring="", move=Move.PLANNED, at=0.0) for each in stored.value.rollouts),
    )
    world.app.engine.records.save(world.cascade, [(stored, older)], at=world.time)
    world.deployer.running[str(EU)] = OLD
    world.slow.clear()
    world.drive()
    assert (world.statuses(), moved(world)) == ({"top": "done"}, ["d", "eu"])


def test_the_kinds_of_looks_go_to_the_rollouts() -> None:
    from groundswell.cascade.engine import QUEUE, ROLLOUTS

    assert {QUEUE[kind] for kind in (Kind.DEPLOY, Kind.WATCH, Kind.BACK, Kind.BAKE)} == {ROLLOUTS}
