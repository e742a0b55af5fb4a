"""Drift: what a person gave a workload is left alone until somebody releases it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.audit import entries
from groundswell.cascade.model import Move
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.workloads import Known, is_drift, same
from groundswell.deploy.port import Kind, Rollout, Workload, parse
from groundswell.errors import InputError, NotFoundError, TemporaryError
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.cascade.test_rings import BAKED, DEV, EU, begin, moved, moves

type MakeWorld = Callable[..., World]
OLD = f"{HOST}/old@sha256:old"
HAND = f"{HOST}/top@sha256:by-hand"


def company(make_world: MakeWorld, *targets: Workload) -> World:
    return make_world(registration("top", BASE, deployments=targets or (DEV, EU)))


def push(world: World, layer: str) -> None:
    world.push_base(layer)
    world.drive(until=300)


def test_the_first_rollout_is_no_drift_and_what_it_set_is_kept(make_world: MakeWorld) -> None:
    world = company(make_world)
    begin(world)
    assert moved(world) == ["d", "eu"]
    new = f"{HOST}/top@{world.states()['top'].promoted}"
    known = list(world.app.workloads.all())
    assert [(each.workload, each.image, each.ours, each.former, each.cascade, each.drift) for each in known] == [
        (str(target), "top", (new,), OLD, world.cascade, None) for target in (DEV, EU)
    ]


def test_what_a_person_changed_since_is_left_alone_by_every_cascade_until_it_is_released(
    make_world: MakeWorld,
) -> None:
    world = company(make_world)
    begin(world)
    world.deployer.running[str(DEV)] = HAND
    for layer in ("sha256:base2", "sha256:base3"):
        push(world, layer)
        state = world.states()["top"]
        assert (state.status, moves(world)) == (Status.DONE, {"d": "drifted", "eu": "healthy"})
        assert state.reason == (f"rolled out to 1 workload; {DEV} was moved to {HAND} by somebody else: left alone")
        assert (world.deployer.running[str(DEV)], moved(world)) == (HAND, ["eu"])
    known = world.app.workloads.find(str(DEV))
    assert known
    assert known.drift
    assert (known.drift.image, known.drift.cascade) == (HAND, world.cascade)
    world.app.workloads.release(str(DEV), who="ann", why="the fix is in the image now")
    released = world.app.workloads.find(str(DEV))
    assert released
    assert (released.ours, released.drift) == ((), None)
    push(world, "sha256:base4")
    assert moved(world) == ["d", "eu"]
    trail = next(entry for entry in entries(world.app.store) if entry["action"] == "release")
    assert (trail["subject"], trail["who"], trail["why"]) == (
        f"workload {DEV}",
        "ann",
        "the fix is in the image now",
    )
    assert trail["before"]["drift"]["image"] == HAND


def test_a_rollback_by_hand_is_drift_although_we_once_set_that_image_too(make_world: MakeWorld) -> None:
    world = company(make_world)
    begin(world)
    first = world.deployer.running[str(DEV)]
    push(world, "sha256:base2")
    world.deployer.running[str(DEV)] = first
    push(world, "sha256:base3")
    assert (world.deployer.running[str(DEV)], moved(world)) == (first, ["eu"])


def test_what_we_rolled_back_ourselves_is_none(make_world: MakeWorld) -> None:
    world = company(make_world, DEV)
    world.unhealthy.add("d")
    begin(world)
    assert world.states()["top"].status is Status.FAILED
    world.unhealthy.clear()
    push(world, "sha256:base2")
    assert (world.statuses(), moved(world)) == ({"top": "done"}, ["d"])


def test_a_person_who_undoes_a_rollout_under_way_stops_it_there(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[DEV, EU], rings=BAKED))
    world.slow.add("d")
    begin(world)
    world.deployer.running[str(DEV)] = OLD  # kubectl rollout undo
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage, moves(world)) == (Status.FAILED, Stage.DEPLOY, {"d": "taken"})
    assert state.reason == f"{DEV} was moved to {OLD} by somebody else meanwhile: left alone"
    assert world.deployer.running == {str(DEV): OLD, str(EU): OLD}
    world.slow.clear()
    push(world, "sha256:base2")
    assert moves(world) == {"d": "drifted", "eu": "healthy"}  # the next cascade leaves it alone too
    assert world.deployer.running[str(DEV)] == OLD


def test_the_others_of_its_ring_are_watched_to_their_end(make_world: MakeWorld) -> None:
    world = company(make_world)
    world.slow |= {"d", "eu"}
    begin(world)
    world.deployer.running[str(DEV)] = HAND
    world.drive(until=60)
    assert (world.statuses()["top"], moves(world)) == ("deploying", {"d": "taken", "eu": "moved"})
    world.slow.clear()
    world.drive()
    assert (world.statuses()["top"], moves(world)) == ("failed", {"d": "taken", "eu": "healthy"})


def test_a_person_who_changes_what_bakes_stops_the_later_rings(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[DEV, EU], rings=BAKED))
    begin(world)
    world.deployer.running[str(DEV)] = HAND
    world.drive()
    state = world.states()["top"]
    assert (state.status, moves(world), state.holds) == (Status.FAILED, {"d": "taken"}, {})
    assert state.reason == f"{DEV} was moved to {HAND} by somebody else meanwhile: left alone"
    assert world.deployer.running[str(EU)] == OLD


def test_a_person_who_moves_what_goes_back_is_left_alone(make_world: MakeWorld) -> None:
    world = company(make_world, DEV)
    world.unhealthy.add("d")
    patch = world.deployer.patch

    def meddle(target: Workload, image: str, *, cause: str) -> None:
        patch(target, HAND if image == OLD else image, cause=cause)

    world.deployer.patch = meddle  # type: ignore[method-assign]
    begin(world)
    (rollout,) = world.states()["top"].rollouts
    assert (rollout.move, rollout.former) == (Move.TAKEN, OLD)
    known = world.app.workloads.find(str(DEV))
    assert known
    assert known.drift
    assert (known.ours, known.drift.image) == ((OLD,), HAND)


def test_a_stable_tag_is_no_drift(make_world: MakeWorld) -> None:
    """Somebody applied the manifest again, which names the image by its tag."""
    world = company(make_world, DEV)
    begin(world)
    world.deployer.running[str(DEV)] = ref("top")
    push(world, "sha256:base2")
    assert moved(world) == ["d"]


def test_a_workload_that_gets_its_stable_tag_between_plan_and_patch_is_moved(make_world: MakeWorld) -> None:
    world = company(make_world, DEV)
    begin(world)
    deliver = world.deliver

    def applied(name: str, body: str) -> None:
        if '"kind":"watch"' in body and not moved(world):
            world.deployer.running[str(DEV)] = ref("top")
        deliver(name, body)

    world.deliver = applied  # type: ignore[method-assign]
    push(world, "sha256:base2")
    assert moved(world) == ["d"]


def test_a_patch_that_was_done_but_not_answered_is_ours(make_world: MakeWorld) -> None:
    """The cluster is away after it did what was asked, until the rebuild gives up."""
    world = company(make_world, DEV)
    begin(world)
    patch = world.deployer.patch

    def unanswered(target: Workload, image: str, *, cause: str) -> None:
        patch(target, image, cause=cause)
        world.deployer.observe = away  # type: ignore[method-assign]
        raise TemporaryError("the cluster does not answer")

    def away(target: Workload) -> Rollout:
        raise TemporaryError("the cluster does not answer")

    observe = world.deployer.observe
    world.deployer.patch = unanswered  # type: ignore[method-assign]
    world.push_base("sha256:base2")
    world.drive(until=3600)
    assert world.states()["top"].failed_stage is Stage.DEPLOY
    world.deployer.patch = patch  # type: ignore[method-assign]
    world.deployer.observe = observe  # type: ignore[method-assign]
    push(world, "sha256:base3")
    assert (world.statuses()["top"], moved(world)) == ("done", ["d"])


def test_a_ring_that_drifted_as_a_whole_is_passed_over(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[DEV, EU], rings=BAKED))
    push(world, "sha256:base1")
    world.drive()
    world.deployer.running[str(DEV)] = HAND
    push(world, "sha256:base2")
    assert (world.statuses()["top"], moves(world)) == ("done", {"d": "drifted", "eu": "healthy"})


def test_what_is_paused_is_left_alone_and_moved_by_the_next_rollout(make_world: MakeWorld) -> None:
    world = company(make_world)
    world.paused.add("d")
    begin(world)
    state = world.states()["top"]
    assert (state.status, moves(world), moved(world)) == (Status.DONE, {"d": "skipped", "eu": "healthy"}, ["eu"])
    assert "rolled out to 1 workload; c/n/deployment/d[app] is paused: left alone" in state.reason
    world.paused.clear()
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="resumed")
    world.drive()
    assert moved(world) == ["d", "eu"]


def test_what_takes_effect_later_says_so(make_world: MakeWorld) -> None:
    world = company(make_world, DEV)
    observe = world.deployer.observe
    world.deployer.observe = lambda target: replace(observe(target), reason="suspended")  # type: ignore[method-assign]
    begin(world)
    assert [(each.move, each.why) for each in world.states()["top"].rollouts] == [(Move.HEALTHY, "suspended")]


def test_releasing_needs_a_reason_and_a_workload(make_world: MakeWorld) -> None:
    book = company(make_world).app.workloads
    with pytest.raises(InputError, match="needs a reason"):
        book.release(str(DEV), who="ann", why=" ")
    for name in (str(DEV), ""):
        with pytest.raises(NotFoundError, match="`groundswell drift list` lists"):
            book.release(name, who="ann", why="x")


TOP = registration("top", BASE)
SET = Known(workload="w", image="top", ours=(f"{HOST}/top@sha256:a",), former="", cascade="c", at=0.0)


@pytest.mark.parametrize(
    ("known", "runs", "expected"),
    [
        (None, "anything", False),
        (replace(SET, ours=()), "anything", False),
        (SET, f"{HOST}/top@sha256:a", False),
        (SET, f"{HOST}/top:7@sha256:a", False),  # the tag beside a digest says nothing
        (SET, f"{HOST}/top@sha256:b", True),
        (SET, f"{HOST}/top:1", False),
        (SET, f"{HOST}/top:2", True),
        (SET, f"{HOST}/other:1", True),
        (SET, "NO IMAGE", True),
    ],
)
def test_what_is_drift(known: Known | None, runs: str, expected: bool) -> None:
    assert is_drift(known, runs, TOP) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("h:5000/a:1@sha256:x", "h:5000/a@sha256:x", True),
        ("h:5000/a@sha256:x", "h/a@sha256:x", False),
        ("a:1", "a:1", True),
        ("a:1", "a:2", False),
        ("a:1", "a@sha256:x", False),
    ],
)
def test_when_two_images_are_one(one: str, other: str, expected: bool) -> None:
    assert same(one, other) is expected


@pytest.mark.parametrize("kind", list(Kind))
def test_a_workload_is_read_as_it_is_written(kind: Kind) -> None:
    of = Workload(cluster="aks/one", namespace="n", kind=kind, name="w.x", container="c")
    assert parse(str(of)) == of


@pytest.mark.parametrize("text", ["", "c/n/deployment/w", "c/n/pod/w[c]", "n/deployment/w[c]"])
def test_what_is_no_workload(text: str) -> None:
    with pytest.raises(ValueError, match="is no workload"):
        parse(text)


def test_one_of_another_environment_is_found_by_its_name() -> None:
    assert workload("w").place == "c"
    assert DEV.place == "dev"
