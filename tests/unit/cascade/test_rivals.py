"""One active rebuild per image, whatever comes back: what is the case when two cascades want the same image."""

from collections.abc import Callable

import pytest

from groundswell.cascade.basebook import MOVING
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.gathering import Gathered
from groundswell.cascade.model import Rebuild
from groundswell.cascade.push import Result
from groundswell.cascade.records import Records
from groundswell.cascade.rivals import goes_first
from groundswell.cascade.status import Stage, Status
from groundswell.errors import TemporaryError
from groundswell.lineage.model import Registration
from groundswell.store.port import ANY, Delete
from tests.support.world import BASE, HOST, World, image_of, ref, registration

type MakeWorld = Callable[..., World]

TOOLS = f"{HOST}/mirror/tools:1"
LONG = 1000


def with_tools(make_world: MakeWorld, *images: Registration) -> World:
    world = make_world(*images)
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    return world


def fail_at(world: World, image: str) -> str:
    """A push of the base, whose cascade fails at an image; returns the cascade."""
    world.broken.add(image)
    world.push_base()
    world.drive()
    world.broken.clear()
    return world.cascade


def test_what_comes_back_waits_for_the_same_image_elsewhere(make_world: MakeWorld) -> None:
    world = with_tools(make_world, registration("x", BASE), registration("app", ref("x"), build=[TOOLS]))
    older = fail_at(world, "x")
    assert world.statuses(older)["app"] == "blocked"
    world.takes = {"app": LONG}
    world.push_base("sha256:tools1", TOOLS)
    world.drive(until=30)
    newer = world.cascade
    assert world.statuses(newer) == {"app": "building"}
    world.app.operator.replay(older, "x", stage=Stage.BUILD, who="ann", why="mended")
    world.drive(until=300)
    assert world.statuses(older) == {"x": "done", "app": "waiting"}
    assert world.states(older)["app"].reason == f"waits for {newer}/app"
    world.takes = {}
    world.drive()
    assert (world.statuses(newer)["app"], world.statuses(older)["app"]) in (
        ("done", "done"),
        ("done", "unchanged"),
    )
    assert world.app.engine.pool().running == {}


def test_what_has_not_begun_elsewhere_waits_for_what_comes_back(make_world: MakeWorld) -> None:
    world = with_tools(
        make_world,
        registration("x", BASE),
        registration("y", TOOLS),
        registration("app", ref("x"), build=[ref("y")]),
    )
    older = fail_at(world, "x")
    world.takes = {"y": LONG, "app": LONG}
    world.push_base("sha256:tools1", TOOLS)
    world.drive(until=30)
    newer = world.cascade
    assert world.statuses(newer) == {"y": "building", "app": "waiting"}
    world.app.operator.replay(older, "x", stage=Stage.BUILD, who="ann", why="mended")
    world.drive(until=300)
    assert world.statuses(older)["app"] == "building"
    world.takes["y"] = 0
    world.drive(until=300)
    assert world.statuses(newer) == {"y": "done", "app": "waiting"}
    assert world.states(newer)["app"].reason == f"waits for {older}/app"
    world.takes = {}
    world.drive()
    assert {world.statuses(older)["app"], world.statuses(newer)["app"]} <= {"done", "unchanged"}


def test_what_comes_back_alone_waits_for_nobody(make_world: MakeWorld) -> None:
    world = with_tools(make_world, registration("x", BASE), registration("z", TOOLS))
    older = fail_at(world, "x")
    world.takes = {"z": LONG}
    world.push_base("sha256:tools1", TOOLS)
    world.drive(until=30)
    world.app.operator.replay(older, "x", stage=Stage.BUILD, who="ann", why="mended")
    world.drive(until=300)
    assert world.statuses(older) == {"x": "done"}


@pytest.mark.parametrize(
    ("status", "older", "expected"),
    [
        (Status.READY, True, True),
        (Status.READY, False, False),
        (Status.WAITING, False, True),
        (Status.BUILDING, True, False),
        (Status.HELD, True, False),
    ],
)
def test_who_has_begun_goes_first_and_else_the_older(status: Status, older: bool, expected: bool) -> None:
    back = Rebuild(cascade="b", image="x", status=Status.READY, waits={})
    other = Rebuild(cascade="c" if older else "a", image="x", status=status, waits={})
    assert goes_first(back, other) is expected


def test_a_push_that_was_dealt_with_is_not_planned_again(make_world: MakeWorld) -> None:
    """A worker that stood still since it read the book, and lets the push wait when all is over."""
    world = make_world(registration("top", BASE))
    digest = world.push_base()
    world.drive()
    late = Gathered(reference=BASE, digest=digest, source="webhook", due=world.time)
    world.app.gathering.add(late)
    assert world.app.planner.plan(BASE) == ""
    assert world.app.gathering.waiting(BASE) is None
    assert len(world.cascades) == 1
    assert world.statuses() == {"top": "done"}


def test_the_digest_before_a_promotion_under_way_is_no_push(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the book and the registry: read back just then, the tag is still at what it was before."""
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    promote = world.registry.promote

    def away(*_: object) -> None:
        raise TemporaryError("away", delay=60)

    monkeypatch.setattr(world.registry, "promote", away)
    world.push_base()
    world.drive(until=30)
    assert world.statuses()["top"] == "promoting"
    world.time += MOVING  # the registry is away for long
    world.app.reconcile.bases()
    world.drive(until=30)
    monkeypatch.setattr(world.registry, "promote", promote)
    world.drive()
    assert len(world.cascades) == 1
    assert world.statuses() == {"top": "done", "app": "done"}


@pytest.mark.parametrize("known", ["archived", "never seen", "ended"])
def test_a_tag_of_ours_that_somebody_moves_is_a_push(make_world: MakeWorld, known: str) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base()
    world.drive()
    match known:
        case "archived":
            world.app.store.commit("cascades", world.cascade, [Delete(row="image:top", etag=ANY)])
        case "never seen":
            world.app.store.commit("bases", "bases", [Delete(row=ref("top"), etag=ANY)])
    world.time += MOVING
    world.registry.put(ref("top"), image_of(["sha256:base1", "sha256:by-hand"]))
    world.drive()
    assert len(world.cascades) == 2
    assert world.statuses() == {"app": "done"}


def test_a_planner_that_stood_still_until_its_cascade_had_ended_starts_nothing(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    (message,) = world.app.store.receive(PUSHES, lease=600)
    mine, enlist = world.app, Records.enlist

    def stand_still(records: Records, cascade: str) -> None:
        enlist(records, cascade)
        monkeypatch.undo()
        world.time += 601
        world.app = world.another()
        world.drive()
        world.app.sweep.cascades()
        world.app = mine

    monkeypatch.setattr(Records, "enlist", stand_still)
    assert mine.intake.handle(message.body) is Result.GAVE_UP  # for now: it looks again
    world.drive()
    assert len(world.cascades) == 1
    assert world.statuses() == {"top": "done"}
    assert [request.repository for request in world.builder.requests] == ["top"]
    assert mine.engine.records.open() == []
