"""Settle windows: what belongs together becomes one cascade, and nothing that comes late is lost."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from graph.reference import Reference
from groundswell.cascade import planning
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.gathering import Gathered, Plan
from groundswell.cascade.push import Push, Result, queue
from groundswell.cascade.records import Phase, Records
from groundswell.cascade.status import Stage, Status
from groundswell.errors import TemporaryError
from tests.support.world import BASE, HOST, QUEUES, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]

SLIM = f"{HOST}/mirror/debian:12-slim"
NODE = f"{HOST}/mirror/node:20"
OTHER = f"{HOST}/mirror/alpine:3"


def proof(world: World, image: str, cascade: str | None = None) -> object:
    return world.states(cascade)[image].proof["base_digest"]


def later(world: World, seconds: float) -> None:
    """Let time pass, with all that is to be done in it."""
    end = world.time + seconds
    world.drive(until=seconds)
    world.time = max(world.time, end)


def test_tags_of_one_repository_go_into_one_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", SLIM), settle=30.0)
    world.push_base()
    later(world, 10)
    slim = world.push_base("sha256:slim1", SLIM)
    assert world.cascades == []
    assert world.results() == [Result.SETTLING]
    world.drive()
    assert len(world.cascades) == 1
    assert world.statuses() == {"a": "done", "b": "done"}
    assert proof(world, "b") == slim
    told = [
        (entry["result"], entry["cascade"]) for entry in world.app.intake.log() if entry["tag"].startswith("12")
    ]
    assert told == [("cascade", world.cascade)] * 2
    header = world.app.engine.records.header(world.cascade).value
    assert header.bases == {BASE: world.registry.tags[BASE], SLIM: slim}


def test_bases_with_an_image_in_common_go_into_one_cascade_and_others_do_not(make_world: MakeWorld) -> None:
    images = (registration("a", BASE), registration("b", NODE, build=[ref("a")]), registration("c", OTHER))
    world = make_world(*images, settle=30.0)
    for base in (NODE, OTHER, BASE):
        world.push_base(f"sha256:{base}", base)
    world.drive()
    assert sorted(sorted(world.statuses(cascade)) for cascade in world.cascades) == [["a", "b"], ["c"]]
    assert [request.repository for request in world.builder.requests].count("b") == 1


def test_a_window_of_a_base_of_its_own(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("c", OTHER), settle=30.0)
    settings = replace(world.app.settings, settle_bases={f"{HOST}/mirror/alpine:*": 0.0})
    world.app.intake._settle = settings.settle
    world.push_base()
    world.push_base("sha256:alpine1", OTHER)
    world.drive(until=20)
    assert [sorted(world.statuses(cascade)) for cascade in world.cascades] == [["c"]]
    world.drive()
    assert len(world.cascades) == 2


def test_an_urgent_push_does_not_wait_and_takes_the_related_along(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", NODE, build=[BASE]), settle=300.0)
    world.push_base("sha256:node1", NODE)
    world.drive(until=20)
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    queue(
        world.app.store,
        Push(id="u", registry=HOST, repository="mirror/debian", tag="12", digest="", source="hand", urgent=True),
    )
    world.drive(until=200)
    assert world.statuses() == {"a": "done", "b": "done"}
    assert all(state.urgent for state in world.states().values())
    world.drive()
    assert len(world.cascades) == 1


def test_the_same_push_told_urgently_need_not_wait_any_more(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), settle=300.0)
    world.push_base()
    world.drive(until=20)
    queue(
        world.app.store,
        Push(id="u", registry=HOST, repository="mirror/debian", tag="12", digest="", source="hand", urgent=True),
    )
    world.drive(until=60)
    assert world.statuses() == {"a": "done"}


def test_doubled_and_shuffled_webhooks(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", SLIM), settle=30.0)
    for number, base in zip(range(6), [BASE, SLIM] * 3, strict=True):
        digest = world.push_base(f"sha256:{number}", base)
        world.webhook(Reference.parse(base), digest)
    world.drive(rng=random.Random(3), double=True)
    assert len(world.cascades) == 1
    assert world.statuses() == {"a": "done", "b": "done"}
    assert (proof(world, "a"), proof(world, "b")) == (world.registry.tags[BASE], world.registry.tags[SLIM])
    assert len(world.builder.requests) == 2


def test_a_tag_that_flips_back_within_the_window(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), settle=30.0)
    first = world.push_base("sha256:1")
    later(world, 5)
    world.push_base("sha256:2")
    later(world, 5)
    assert world.push_base("sha256:1") == first
    world.drive()
    assert len(world.cascades) == 1
    assert proof(world, "a") == first


@pytest.mark.parametrize("settle", [0.0, 30.0])
def test_the_platforms_of_a_base_that_land_one_after_another(make_world: MakeWorld, settle: float) -> None:
    """Five digests in ten minutes, while builds are under way."""
    images = (
        registration("top", BASE, deployments=[workload("w")]),
        registration("mid", ref("top")),
        registration("leaf", ref("mid")),
    )
    world = make_world(*images, settle=settle)
    for number in range(5):
        world.takes = {"mid": 12, "leaf": 5}
        last = world.push_base(f"sha256:platform{number}")
        later(world, 120)
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 1
    assert set(world.statuses().values()) == {"done"}
    assert proof(world, "top") == last
    assert proof(world, "mid") == world.registry.tags[ref("top")]
    assert proof(world, "leaf") == world.registry.tags[ref("mid")]
    header = world.app.engine.records.header(world.cascade).value
    assert [push.digest for push in header.pushes][-1] == last == header.bases[BASE]
    assert world.app.engine.pool().running == {}
    assert world.deployer.running[str(workload("w"))].endswith(world.registry.tags[ref("top")])


def test_a_push_of_another_base_comes_after_what_is_under_way(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", NODE, build=[ref("a")]))
    world.takes = {"b": 20}
    world.push_base()
    world.drive(until=60)
    first = world.cascade
    node = world.push_base("sha256:node1", NODE)
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 2
    assert set(world.statuses(first).values()) == {"done"}
    assert proof(world, "b", world.cascades[0]) == node
    assert world.registry.images[world.registry.tags[ref("b")]].platforms[0].diff_ids[0] == "sha256:node1"


def test_what_was_cancelled_comes_back_with_a_newer_base(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")), registration("other", BASE))
    world.takes = {"other": 10_000}
    world.push_base()
    world.drive(until=1)
    world.app.operator.cancel(world.cascade, "top", who="ann", why="not now")
    world.drive(until=30)
    assert world.statuses() == {"top": "cancelled", "app": "blocked", "other": "building"}
    base = world.push_base("sha256:base2")
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 1
    assert set(world.statuses().values()) == {"done"}
    assert proof(world, "top") == base


def test_an_urgent_push_hurries_the_cascade_it_joins(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), slots=1)
    world.takes = {"a": 10_000, "b": 10_000}
    world.push_base()
    world.drive(until=20)
    world.registry.on_push = lambda reference, digest: None
    world.push_base("sha256:base2")
    queue(
        world.app.store,
        Push(id="u", registry=HOST, repository="mirror/debian", tag="12", digest="", source="hand", urgent=True),
    )
    world.drive(until=20)
    assert len(world.cascades) == 1
    assert all(state.urgent for state in world.states().values())
    (waiting,) = world.app.engine.pool().waiting.values()
    assert waiting.urgent
    world.takes = {}
    world.drive()
    assert set(world.statuses().values()) == {"done"}


@pytest.mark.parametrize("until", [5, 200])
def test_an_image_that_was_registered_since_joins_too(make_world: MakeWorld, until: int) -> None:
    """Below an image of the cascade that is under way, or done, and above one."""
    world = make_world(registration("top", BASE, deployments=[workload("w")]), registration("slow", BASE))
    world.slow.add("w")
    world.takes = {"slow": 10_000, "top": 2}
    world.push_base()
    world.drive(until=until)
    world.register(registration("new", ref("top")), registration("newer", ref("new"), build=[BASE]))
    world.slow.clear()
    world.takes = {}
    world.push_base("sha256:base2")
    world.drive()
    assert len(world.cascades) == 1
    assert set(world.statuses()) == {"top", "slow", "new", "newer"}
    assert set(world.statuses().values()) == {"done"}
    assert proof(world, "new") == world.registry.tags[ref("top")]
    assert proof(world, "newer") == world.registry.tags[ref("new")]
    header = world.app.engine.records.header(world.cascade).value
    assert (header.total, header.open) == (4, 0)


def test_a_newcomer_follows_another_cascade_that_has_it_already(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", NODE))
    world.takes = {"a": 10_000, "b": 30}
    world.push_base()
    world.push_base("sha256:node1", NODE)
    world.drive(until=30)
    assert len(world.cascades) == 2
    world.app.catalog.register([registration("b", NODE, build=[BASE])], who="ann")
    world.push_base("sha256:base2")
    world.drive(until=20)
    joined = next(cascade for cascade in world.cascades if "a" in world.states(cascade))
    assert world.statuses(joined)["b"] == "waiting"
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 2
    assert {status for cascade in world.cascades for status in world.statuses(cascade).values()} <= {
        "done",
        "unchanged",
    }
    assert world.app.engine.pool().running == {}


def test_a_cascade_that_ended_is_not_joined(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE))
    world.push_base()
    world.drive()
    world.push_base("sha256:base2")
    world.drive()
    assert len(world.cascades) == 2


def test_a_push_over_a_tag_of_ours_takes_over_nothing_but_what_stands_on_it(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")), registration("other", BASE))
    world.takes = {"other": 10_000}
    world.push_base()
    world.drive(until=100)
    first = world.cascade
    world.registry.put(ref("top"), image_of(["sha256:base1", "sha256:by-hand"]))
    world.time += 1
    world.drive(until=100)
    assert world.statuses(first)["other"] == "building"
    assert world.statuses(world.cascades[0]) == {"app": "done"}
    world.takes = {}
    world.drive()
    assert world.statuses(first)["other"] == "done"


def test_a_push_that_our_own_promotion_overtook_starts_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    gathering, bases = world.app.gathering, world.app.bases
    gathering.add(Gathered(reference=ref("top"), digest="sha256:gone", source="test", due=world.time))
    digest = world.push_base()
    bases.claim(BASE, digest=digest)
    gathering.add(Gathered(reference=BASE, digest=digest, source="test", due=world.time))
    bases.note(ref("top"), digest=world.registry.tags[ref("top")])
    assert world.app.planner.plan(BASE)
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    assert list(header.bases) == [BASE]
    assert world.app.planner.plan(ref("top")) == ""
    assert gathering.all(gathering.begun()) == []


def test_a_push_whose_window_passed_unseen_is_planned_by_the_sweep(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), settle=30.0)
    world.push_base()
    world.drive(until=5)
    world.time += 25
    for message in world.app.store.receive(PUSHES, lease=600):
        world.app.store.delete(PUSHES, message)
    world.app.sweep.cascades()
    assert world.cascades == []
    world.time += 65
    world.app.sweep.cascades()
    world.drive()
    assert world.statuses() == {"a": "done"}


def test_the_sweep_goes_on_when_one_cannot_be_planned_yet(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("a", BASE), registration("c", OTHER), settle=30.0)
    world.push_base()
    world.push_base("sha256:alpine1", OTHER)
    world.drive(until=5)
    world.time += 700
    plan = world.app.planner.plan

    def busy(reference: str) -> str:
        if reference == OTHER:
            raise TemporaryError("another is being planned")
        return plan(reference)

    monkeypatch.setattr(world.app.planner, "plan", busy)
    world.app.planner.overdue()
    assert len(world.cascades) == 1
    monkeypatch.undo()
    world.app.planner.overdue()
    assert len(world.cascades) == 2


class Killed(BaseException):
    pass


@pytest.mark.parametrize("settle", [0.0, 30.0])
def test_a_crash_at_any_call_of_the_store_loses_nothing(make_world: MakeWorld, settle: float) -> None:
    """Of two pushes that go into one cascade, and of a third that joins it."""
    for number in count():
        world = make_world(registration("top", BASE), registration("mid", ref("top"), build=[NODE]), settle=settle)
        killer = Killer(world, number)
        world.takes = {"mid": 10_000}
        world.push_base("sha256:node1", NODE)
        world.push_base()
        killer.drive(60)
        world.push_base("sha256:base2")
        killer.drive(60)
        world.takes = {}
        killer.drive(7200)
        statuses = [world.statuses(cascade) for cascade in world.cascades]
        assert len(statuses) == 1 or not settle, number
        assert all(set(each.values()) <= {"done", "unchanged"} for each in statuses), number
        newest = max(world.cascades)
        assert (
            proof(world, "top", next(c for c in world.cascades if "top" in world.states(c)))
            == world.registry.tags[BASE]
        )
        assert world.states(newest)["mid"].status.settled
        assert world.app.engine.pool().running == {}
        world.close()
        if not killer.killed:
            return


class Killer:
    """Dies at one of the store's calls that the intake makes; `killed` says when it came to that."""

    def __init__(self, world: World, number: int) -> None:
        self.killed = self.dealing = False
        self._world = world
        self._left = number
        for name in ("get", "scan", "commit", "send"):
            setattr(world.app.store, name, self._watched(getattr(world.app.store, name)))

    def _watched(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            if self.dealing:
                self._left -= 1
                if self._left == -1:
                    self.killed = True
                    raise Killed
            return real(*args, **kwargs)

        return call

    def _busy(self) -> bool:
        queued = any(self._world.app.store.depth(name) for name in QUEUES)
        return queued or bool(self._world.app.engine.records.open())

    def drive(self, seconds: float) -> None:
        """Deliver, with a message whose handling was cut coming back, and sweep every minute."""
        world = self._world
        end, swept = world.time + seconds, world.time
        while world.time < end and self._busy():
            for name in QUEUES:
                for message in world.app.store.receive(name, limit=32, lease=5):
                    self.dealing = name == PUSHES
                    try:
                        world.deliver(name, message.body)
                    except Killed:
                        continue
                    finally:
                        self.dealing = False
                    world.app.store.delete(name, message)
            world.time += 1
            if world.time - swept > 60:
                swept = world.time
                world.app.sweep.cascades()
                world.app.sweep.slots()


def test_replaying_what_joined(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE))
    world.takes = {"b": 30}
    world.broken.add("a")
    world.push_base()
    world.drive(until=60)
    world.push_base("sha256:base2")
    world.drive()
    assert world.statuses() == {"a": "failed", "b": "done"}
    world.broken.clear()
    world.app.operator.replay(world.cascade, "a", stage=Stage.BUILD, who="ann", why="mended")
    world.drive()
    assert proof(world, "a") == world.registry.tags[BASE]


@pytest.mark.parametrize("settle", [0.0, 30.0])
@pytest.mark.parametrize("again", [1, 2])
def test_the_newest_digest_wins_however_slowly_an_older_one_was_read(
    make_world: MakeWorld, settle: float, again: int
) -> None:
    """Between reading a digest and entering it, somebody else reads a newer one, and is done with it."""
    world = make_world(registration("top", BASE), settle=settle)
    world.push_base("sha256:1")
    read, left = world.registry.digest, again

    def slow(reference: Reference) -> str | None:
        nonlocal left
        old = read(reference)
        if left:
            left -= 1
            world.registry.digest = read  # type: ignore[method-assign]
            world.push_base(f"sha256:newer{left}")
            for message in world.app.store.receive(PUSHES, limit=32, lease=600):
                world.deliver(PUSHES, message.body)
                world.app.store.delete(PUSHES, message)
            world.registry.digest = slow  # type: ignore[method-assign]
        return old

    world.registry.digest = slow  # type: ignore[method-assign]
    world.drive()
    known = world.app.bases.get(BASE)
    assert known is not None
    assert (known.digest, known.planned) == (world.registry.tags[BASE], True)
    assert world.statuses() == {"top": "done"}
    assert proof(world, "top") == world.registry.tags[BASE]


def test_a_tag_that_is_removed_while_it_is_entered(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    digest = world.push_base()
    digests = iter([digest, None])
    real, world.registry.digest = world.registry.digest, lambda _: next(digests)  # type: ignore[method-assign]
    world.drive()
    assert world.results() == [Result.MISSING]
    world.registry.digest = real  # type: ignore[method-assign]
    world.webhook(Reference.parse(BASE), digest)
    world.drive()
    assert world.statuses() == {"top": "done"}


def active(world: World, image: str) -> list[str]:
    """The cascades in which an image is under way."""
    begun = (Status.READY, Status.BUILDING, Status.VERIFYING, Status.SCANNING, Status.PROMOTING, Status.DEPLOYING)
    return [
        cascade
        for cascade in world.cascades
        if image in (states := world.states(cascade)) and states[image].status in begun
    ]


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_comes_back_waits_for_a_later_cascade_that_has_begun_with_it(
    make_world: MakeWorld, *, cancelled: bool
) -> None:
    """An image has one active rebuild, also when its base moves again after another cascade took the image over."""
    images = (registration("slow", BASE), registration("x", BASE, build=[NODE]), registration("y", ref("x")))
    world = make_world(*images)
    world.takes = {"slow": 10_000}
    world.push_base()
    world.drive(until=60)
    first = world.cascade
    if cancelled:
        world.app.operator.replay(first, "x", stage=Stage.BUILD, force=True, who="ann", why="again")
        world.app.operator.cancel(first, "x", who="ann", why="no")
    else:
        assert world.statuses(first) == {"slow": "building", "x": "done", "y": "done"}
    world.takes |= {"x": 50}
    world.push_base("sha256:node1", NODE)
    world.drive(until=60)
    second = next(cascade for cascade in world.cascades if cascade != first)
    assert world.statuses(second) == {"x": "building", "y": "waiting"}
    base = world.push_base("sha256:base2")
    world.drive(until=60)
    assert len(world.cascades) == 2
    assert world.states(first)["x"].reason == f"waits for {second}/x"
    assert active(world, "x") == [second]
    world.takes = {}
    world.drive()
    for cascade in (first, second):
        assert set(world.statuses(cascade).values()) <= {"done", "unchanged"}
    assert world.registry.images[world.registry.tags[ref("x")]].platforms[0].diff_ids[0] == "sha256:base2"
    assert proof(world, "x", first) == base
    assert world.app.engine.pool().running == {}


def test_a_base_that_is_named_as_a_rebuild_elsewhere_would_be(make_world: MakeWorld) -> None:
    """`team/app` is a base here, and not the image `app` of a cascade called `team`."""
    world = make_world(registration("team/app", BASE), registration("app", ref("team/app")))
    world.push_base()
    world.drive()
    assert world.statuses() == {"team/app": "done", "app": "done"}


def test_whoever_finishes_a_plan_tells_those_that_are_waited_for(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies when its records are written, and nothing else is: no sweep is needed to go on."""
    world = make_world(registration("a", BASE), registration("x", BASE, build=[NODE]))
    world.takes = {"x": 10_000}
    world.push_base("sha256:node1", NODE)
    world.drive(until=30)
    first = world.cascade
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Killed

        patch.setattr(Records, "set_phase", die)
        world.push_base()
        with pytest.raises(Killed):
            world.drive(until=30)
    world.time += 700
    world.drive(until=30)
    second = next(cascade for cascade in world.cascades if cascade != first)
    assert (second, "x") in world.states(first)["x"].dependants
    assert world.statuses(second) == {"a": "done", "x": "waiting"}
    world.takes = {}
    world.drive()
    assert set(world.statuses(second).values()) <= {"done", "unchanged"}


def test_no_two_cascades_have_one_id(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of one second differ by chance, which a burst puts to the test."""
    drawn = iter(["one", "one", "one", "two", "three"])
    monkeypatch.setattr(planning, "new_id", lambda _: next(drawn))
    world = make_world(registration("a", BASE), registration("b", NODE), registration("c", OTHER))
    for base in (BASE, NODE, OTHER):
        world.push_base(f"sha256:{base}", base)
    world.drive()
    assert sorted(world.cascades) == ["one", "three", "two"]
    assert [sorted(world.statuses(cascade)) for cascade in ("one", "two", "three")] == [["a"], ["b"], ["c"]]


def test_an_id_that_a_plan_holds_is_not_drawn_again(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["one", "one", "two"])
    monkeypatch.setattr(planning, "new_id", lambda _: next(drawn))
    world = make_world(registration("a", BASE), registration("b", NODE))
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise Killed

        patch.setattr(Records, "enlist", die)
        world.push_base()
        with pytest.raises(Killed):
            world.drive()
    world.push_base("sha256:node1", NODE)
    world.drive(until=60)
    assert world.cascades == ["two"]
    world.time += 700
    world.drive()
    assert {cascade: sorted(world.statuses(cascade)) for cascade in world.cascades} == {"one": ["a"], "two": ["b"]}


def test_an_image_that_comes_in_blocked_is_not_counted_as_open(make_world: MakeWorld) -> None:
    world = make_world(registration("x", BASE), registration("z", BASE))
    world.takes = {"z": 10_000}
    world.broken.add("x")
    world.push_base()
    world.drive(until=60)
    assert world.statuses() == {"x": "failed", "z": "building"}
    world.register(registration("app", ref("x")))
    world.drive(until=60)
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert world.statuses() == {"x": "failed", "z": "building", "app": "blocked"}
    assert world.app.engine.records.header(world.cascade).value.open == 1
    world.takes = {}
    world.broken.clear()
    world.app.operator.replay(world.cascade, "x", who="ann", why="mended")
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    assert (header.phase, header.open, header.total) == (Phase.ENDED, 0, 3)


@pytest.mark.parametrize("late", [False, True])
def test_a_push_that_nothing_stands_on_any_more_when_it_is_planned(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    world = make_world(registration("a", BASE), registration("c", OTHER), settle=30.0)
    world.push_base()
    world.drive(until=5)
    plan = world.app.planner.plan

    def move(reference: str) -> str:
        world.app.catalog.register([registration("a", OTHER)], who="ann")
        return plan(reference)

    if late:  # while it is being planned
        monkeypatch.setattr(world.app.planner, "plan", move)
    else:
        world.app.catalog.register([registration("a", OTHER)], who="ann")
    world.drive()
    assert world.results() == [Result.UNKNOWN]
    world.time += 100
    world.app.sweep.cascades()
    assert world.app.engine.records.open() == []
    assert world.cascades == []
    assert world.app.gathering.all(world.app.gathering.begun()) == []
    known = world.app.bases.get(BASE)
    assert known is not None
    assert known.planned


def test_a_worker_that_was_paused_does_not_take_the_same_digest_for_the_same_push(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends its plan late: by then the tag moved on, and back, and that push waits."""
    world = make_world(registration("top", BASE), registration("slow", BASE), settle=30.0)
    world.takes = {"slow": 10_000}
    ends: list[Plan] = []
    finish = world.app.gathering.finish
    monkeypatch.setattr(world.app.gathering, "finish", lambda plan: (ends.append(plan), finish(plan)))
    first = world.push_base("sha256:1")
    later(world, 60)
    world.push_base("sha256:2")
    later(world, 60)
    assert world.push_base("sha256:1") == first
    later(world, 5)
    (push,) = ends[0].pushes
    world.app.bases.planned(push.reference, digest=push.digest, cascade=world.cascade, seen_at=push.seen_at)
    finish(ends[0])
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 1
    assert (proof(world, "top"), proof(world, "slow")) == (first, first)


def test_an_image_waits_for_a_base_that_comes_into_its_cascade_later(make_world: MakeWorld) -> None:
    world = make_world(registration("a", OTHER), registration("f", ref("a"), build=[BASE]), registration("z", BASE))
    world.takes = {"z": 10_000}
    world.push_base()
    world.drive(until=60)
    assert world.statuses() == {"f": "unchanged", "z": "building"}
    world.takes["a"] = 10_000
    world.app.catalog.register([registration("a", BASE)], who="test")
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert world.statuses() == {"a": "building", "f": "waiting", "z": "building"}
    assert world.states()["f"].reason == "waits for a"
    world.takes = {}
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert [request.repository for request in world.builder.requests].count("f") == 2  # once for each push


def test_an_image_that_now_stands_on_another_of_its_cascade_is_told_of_it(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("f", BASE), registration("z", BASE))
    world.takes = {"z": 10_000}
    world.push_base()
    world.drive(until=60)
    world.app.catalog.register([registration("f", ref("a"))], who="test")
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert world.statuses() == {"a": "done", "f": "done", "z": "building"}
    world.takes = {}
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert world.states()["f"].proof["base_digest"] == world.registry.tags[ref("a")]


def test_a_rollout_that_fails_after_its_base_moved_is_built_on_the_new_one(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    world.slow.add("web")
    world.push_base()
    world.drive(until=60)
    assert world.statuses() == {"top": "deploying"}
    world.push_base("sha256:base2")
    world.drive(until=60)
    assert world.statuses() == {"top": "deploying"}
    world.slow.clear()
    world.unhealthy.add("web")
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.DEPLOY)
    assert state.proof["base_digest"] == world.registry.tags[BASE]


def test_a_cascade_that_is_planned_on_with_another_lineage_counts_what_there_is(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("a", BASE))
    world.push_base()
    (message,) = world.app.store.receive(PUSHES, lease=600)
    with monkeypatch.context() as patch:

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(Records, "set_phase", die)
        with pytest.raises(KeyboardInterrupt):
            world.app.intake.handle(message.body)
    world.app.catalog.register([registration("b", BASE), registration("c", ref("b"))], who="test")
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(ref("b"), image_of(["sha256:base0", "sha256:b"]))
    world.registry.put(ref("c"), image_of(["sha256:base0", "sha256:b", "sha256:c"]))
    world.registry.on_push = world.webhook
    world.time += 600
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    assert set(world.statuses()) == {"a", "b", "c"}
    assert (header.phase, header.open, header.total) == (Phase.ENDED, 0, 3)


def test_what_stands_on_a_tag_pushed_by_hand_is_held_to_what_its_rebuild_promoted(make_world: MakeWorld) -> None:
    """Both in one window: the tag is pushed over, and then promoted by the rebuild of its image."""
    world = make_world(registration("top", BASE), registration("app", ref("top")), settle=30.0)
    world.registry.put(ref("top"), image_of(["sha256:base0", "sha256:by-hand"]))
    world.push_base()
    world.drive()
    assert len(world.cascades) == 1
    assert world.statuses() == {"top": "done", "app": "done"}
    assert proof(world, "app") == world.registry.tags[ref("top")]
