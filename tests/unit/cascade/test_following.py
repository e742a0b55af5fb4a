"""Workloads that are not registered but ask to follow their image."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.cascade.model import Move
from groundswell.cascade.status import Status
from groundswell.cascade.workloads import Known, follows
from groundswell.deploy.port import Found, Rollout, Workload
from groundswell.errors import NotFoundError
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.cascade.test_rings import DEV, EU, begin, moved, moves

type MakeWorld = Callable[..., World]
HAND = f"{HOST}/top@sha256:{'b' * 64}"


def asking(world: World, *targets: Workload) -> None:
    for target in targets:
        world.deployer.running.setdefault(str(target), ref("top"))
    world.finder.asking += targets


def test_what_asks_for_it_is_rolled_out_beside_what_is_registered(make_world: MakeWorld) -> None:
    wanted = ({"environment": "dev", "bake": "1h"},)
    world = make_world(registration("top", BASE, deployments=[EU], rings=wanted))
    asking(world, DEV, EU)
    begin(world)
    state = world.states()["top"]
    assert [(ring.name, ring.workloads) for ring in state.rings] == [("dev", (str(DEV),)), ("the rest", (str(EU),))]
    assert moved(world) == ["d"]
    world.drive()
    assert (world.statuses()["top"], moved(world)) == ("done", ["d", "eu"])


def test_an_image_without_registered_workloads_is_looked_for_too(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, approval="required"), registration("other", BASE))
    asking(world, DEV)
    begin(world)
    assert world.statuses() == {"top": "held", "other": "done"}
    assert world.states()["other"].reason == "promoted; nothing runs it"
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()
    assert moved(world) == ["d"]


def test_it_is_followed_by_the_digest_that_we_set(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    asking(world, DEV)
    for layer in ("sha256:base1", "sha256:base2"):
        world.push_base(layer)
        world.drive()
        assert moved(world) == ["d"]


def test_what_a_person_changed_in_it_is_drift(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    asking(world, DEV)
    begin(world)
    world.deployer.running[str(DEV)] = HAND
    world.push_base("sha256:base2")
    world.drive()
    assert (moves(world), world.deployer.running[str(DEV)]) == ({"d": "drifted"}, HAND)
    world.app.workloads.release(str(DEV), who="ann", why="done with it")
    world.push_base("sha256:base3")
    world.drive()
    assert moved(world) == ["d"]


def test_one_that_is_gone_by_now_is_left_out(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[EU]))
    asking(world, DEV)
    observe = world.deployer.observe

    def gone(target: Workload) -> Rollout:
        if target.name == DEV.name:
            raise NotFoundError("it does not exist")
        return observe(target)

    world.deployer.observe = gone  # type: ignore[method-assign]
    begin(world)
    state = world.states()["top"]
    assert (state.status, moved(world)) == (Status.DONE, ["eu"])
    assert [each.why for each in state.rollouts if each.move is Move.SKIPPED] == ["is gone"]


TOP = registration("top", BASE, tag_patterns=("1.*",))
SET = Known(workload=str(DEV), image="top", ours=("x",), former="", cascade="c", at=0.0)


@pytest.mark.parametrize(
    ("image", "known", "expected"),
    [
        (f"{HOST}/top:1", None, True),
        (f"{HOST}/top:1.4", None, True),
        (f"{HOST}/top:2", None, False),
        (f"{HOST}/top", None, False),  # latest
        (f"{HOST}/other:1", None, False),
        ("top:1", None, False),  # Docker Hub's
        ("NO IMAGE", None, False),
        (f"{HOST}/top@sha256:{'a' * 64}", None, True),  # where the stable tags led
        (HAND, None, False),
        (HAND, SET, True),
        (HAND, replace(SET, image="top-2"), False),
        (f"{HOST}/top:2", SET, True),  # it was ours: that somebody changed it is drift
        (f"{HOST}/top:1", replace(SET, image="top-2"), False),
        (f"{HOST}/top:1", replace(SET, image="top-2", ours=()), True),  # released: its tag counts
        (f"{HOST}/top:2", replace(SET, ours=()), False),
        (HAND, replace(SET, ours=()), True),
    ],
)
def test_which_image_it_follows(image: str, known: Known | None, expected: bool) -> None:
    found = Found(workload=workload("d"), image=image)
    assert follows(found, TOP, previous=f"sha256:{'a' * 64}", known=lambda _: known) is expected
