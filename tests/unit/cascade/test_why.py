"""Why an image was, or was not, rebuilt, as the records tell it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.cascade.engine import PUSHES
from groundswell.cascade.events import Superseded
from groundswell.cascade.planning import JOINS
from groundswell.cascade.schedule import Entry
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.why import Answer, look
from groundswell.errors import NotFoundError
from groundswell.lineage.model import Registration
from groundswell.store.port import ANY, Delete
from tests.support.world import BASE, HOST, World, image_of, ref, registration

type MakeWorld = Callable[..., World]
OTHER = f"{HOST}/mirror/tools:1"


def ask(world: World, image: str, cascade: str | None = None) -> Answer:
    app = world.app
    return look(
        image,
        cascade,
        catalog=app.catalog,
        records=app.engine.records,
        bases=app.bases,
        places=app.engine.pool(),
        log=app.intake.log(1000),
    )


def diamond() -> tuple[Registration, ...]:
    return (
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", "docker.io/library/alpine:3", build=[ref("top")]),
        registration("bottom", ref("left"), build=[ref("right")]),
    )


def paths(answer: Answer) -> list[str]:
    return [
        " ".join([path[0].base, *(f"-{'+'.join(step.kinds)}-> {step.image}" for step in path)])
        for path in answer.paths
    ]


def test_a_rebuilt_image_tells_push_paths_moves_and_proof(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.registry.on_push = lambda reference, digest: None
    world.registry.put("docker.io/library/alpine:3", image_of(["sha256:alpine"]))
    world.registry.on_push = world.webhook
    pushed = world.push_base()
    world.drive()
    answer = ask(world, "bottom")
    assert answer.told == f"bottom is done in cascade {world.cascade}: promoted; nothing runs it"
    assert (answer.cascade, answer.status) == (world.cascade, Status.DONE)
    assert [(push.reference, push.digest, push.source) for push in answer.pushes] == [(BASE, pushed, "webhook")]
    assert sorted(paths(answer)) == [
        f"{BASE} -runtime-> top -build-> right -build-> bottom",
        f"{BASE} -runtime-> top -runtime-> left -runtime-> bottom",
    ]
    assert [moment.status for moment in answer.history] == [
        Status.WAITING,
        Status.READY,
        Status.BUILDING,
        Status.VERIFYING,
        Status.SCANNING,
        Status.PROMOTING,
        Status.DONE,
    ]
    assert all(moment.reason for moment in answer.history)
    assert answer.proof["base"] == ref("left")
    assert answer.verdict["passed"] is True
    assert (answer.waits, answer.reasons) == ((), ())
    assert answer.to_json()["paths"][0][0]["kinds"]


def test_many_ways_are_cut_short(make_world: MakeWorld) -> None:
    middle = [registration(f"m{number}", ref("top")) for number in range(7)]
    bottom = registration("bottom", ref("m0"), build=[ref(item.name) for item in middle[1:]])
    world = make_world(registration("top", BASE), *middle, bottom)
    world.push_base()
    world.drive()
    answer = ask(world, "bottom")
    assert (len(answer.paths), answer.more_paths) == (5, True)


@pytest.mark.parametrize(
    ("spoil", "status", "says"),
    [
        ("broken", "failed", "at build, since 20"),
        ("vulnerable", "rejected", "--from scan --reason TEXT"),
    ],
)
def test_a_blocked_image_names_the_root_cause_and_the_way_back(
    make_world: MakeWorld, spoil: str, status: str, says: str
) -> None:
    world = make_world(*diamond())
    getattr(world, spoil).add("top")
    world.push_base()
    world.drive()
    answer = ask(world, "bottom")
    assert answer.told == f"bottom is blocked in cascade {world.cascade}: blocked by top"
    (chain,) = answer.waits
    assert [(link.image, link.status) for link in chain][::2] == [("bottom", "blocked"), ("top", status)]
    assert says in chain[-1].reason
    assert f"to bring it back: groundswell replay {world.cascade} top" in chain[-1].reason
    top = ask(world, "top", world.cascade)
    where = " at build" if spoil == "broken" else ""
    assert top.told.startswith(f"top is {status}{where} in cascade {world.cascade}: ")
    assert top.waits == ()


def test_a_waiting_image_names_what_is_under_way(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    (chain,) = ask(world, "bottom").waits
    assert chain[0].image == "bottom"
    assert (chain[-1].image, chain[-1].status) == ("top", "building")
    assert "run r0" in chain[-1].reason
    world.app.operator.cancel(world.cascade, "top", who="ann", why="no")
    world.drive(until=10)
    (chain,) = ask(world, "bottom").waits
    assert "cancelled by ann: no; to bring it back" in chain[-1].reason


def test_one_in_line_tells_its_place(make_world: MakeWorld) -> None:
    world = make_world(registration("a", BASE), registration("b", BASE), registration("c", OTHER), slots=1)
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.app.bases.note(OTHER, digest=world.registry.tags[OTHER])
    world.registry.on_push = world.webhook
    world.takes = {"a": 1000, "b": 1000}
    world.push_base()
    world.drive(until=20)
    waits = next(name for name, status in world.statuses().items() if status == "ready")
    ((link,),) = ask(world, waits).waits
    assert link.reason.startswith(
        "it is number 1 of 1 in its cascade's line for a build slot (1 slot is taken); since"
    )
    world.registry.put(OTHER, image_of(["sha256:tools1"]))
    world.drive(until=20)
    ((link,),) = ask(world, waits).waits
    assert "beside 1 other cascade in line" in link.reason


def test_a_follower_waits_for_the_same_image_in_an_older_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[OTHER]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.app.bases.note(OTHER, digest=world.registry.tags[OTHER])
    world.registry.on_push = world.webhook
    world.takes = {"app": 1000}
    world.push_base()
    world.drive(until=20)
    older = world.cascade
    world.time += 1
    world.registry.put(OTHER, image_of(["sha256:tools1"]))
    world.drive(until=20)
    answer = ask(world, "app")
    assert answer.cascade == world.cascade != older
    (chain,) = answer.waits
    assert [(link.cascade, link.status) for link in chain] == [(world.cascade, "waiting"), (older, "building")]
    assert paths(answer) == [f"{OTHER} -build-> app"]


def test_a_rebuild_that_another_waits_for_and_that_is_gone_is_told_as_such(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[OTHER]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.app.bases.note(OTHER, digest=world.registry.tags[OTHER])
    world.registry.on_push = world.webhook
    world.takes = {"app": 1000}
    world.push_base()
    world.drive(until=20)
    older = world.cascade
    world.time += 1
    world.registry.put(OTHER, image_of(["sha256:tools1"]))
    world.drive(until=20)
    world.app.store.commit("cascades", older, [Delete(row="image:app", etag=ANY)])
    ((_, gone),) = ask(world, "app").waits
    assert (gone.cascade, gone.image, gone.status) == (older, "app", "gone")


@pytest.mark.parametrize(
    ("running", "says"),
    [
        ({"app": "waiting"}, "it is about to get in line for a build slot"),
        ({"app": "mine"}, "it has a build slot: its run is about to be started"),
        ({"app": "another"}, "it is in line until cascade zz has built the same image"),
    ],
)
def test_one_that_is_ready_says_what_keeps_it(make_world: MakeWorld, running: dict[str, str], says: str) -> None:
    world = make_world(registration("app", BASE))
    world.push_base()
    world.app.engine.admit = lambda commands: None  # type: ignore[method-assign]
    world.deliver(PUSHES, world.app.store.receive(PUSHES)[0].body)
    me = Entry(cascade=world.cascade, image="app", turn=0, priority=1.0, since=world.time)
    twin = replace(me, cascade="zz")
    if running["app"] == "mine":
        world.app.engine._pools.admit([me])
    elif running["app"] == "another":
        world.app.engine._pools.admit([twin])
        world.app.engine._pools.admit([me])
    ((link,),) = ask(world, "app").waits
    assert link.reason.startswith(f"{says}; since 20")


def test_news_that_has_not_arrived_yet_is_told(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base()
    world.app.engine._news = lambda command, *, again: []  # type: ignore[method-assign]
    world.app.engine._told = lambda cascade, commands: ([], commands)  # type: ignore[method-assign]
    world.drive()
    ((_, top),) = ask(world, "app").waits
    assert (top.image, top.status) == ("top", "done")
    assert top.reason.endswith("promoted; nothing runs it; the news of it has not arrived yet")


def test_held_images_say_what_to_change(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, tag_patterns=("1.*",)))
    pin = f"{BASE}@{world.registry.tags[BASE]}"
    world.register(registration("pinned", pin), registration("above", ref("pinned")))
    world.app.catalog.register([registration("fixed", f"{HOST}/top:1.4")], who="ann")
    never = ask(world, "pinned")
    assert never.told == "pinned is never rebuilt by a push: all that it stands on is held"
    assert "by the digest" in never.reasons[0]
    world.push_base()
    world.drive()
    answer = ask(world, "pinned")
    assert answer.told == f"pinned is held in cascade {world.cascade}"
    assert "which no push moves: change it there; it is at " in answer.reasons[0]
    assert "a tag that is not moved: name a newer one there" in ask(world, "fixed").reasons[0]
    above = ask(world, "above", world.cascade)
    assert above.told == f"above is not in cascade {world.cascade}"
    assert above.reasons[0].startswith("pinned, on which it stands, is held: its Dockerfile names")


def test_one_that_stands_on_something_else(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("apart", OTHER), registration("none", None))
    assert ask(world, "none").reasons == ("it stands on no base (lineage)",)
    quiet = ask(world, "apart")
    assert quiet.told == "apart is in none of the newest 200 cascades"
    assert quiet.reasons == (f"no push of {OTHER} among the newest 1000 (push log)",)
    world.push_base()
    world.drive()
    apart = ask(world, "apart", world.cascade)
    assert apart.told == f"apart is not in cascade {world.cascade}: it does not stand on {BASE}"
    assert apart.reasons == (f"it stands on {OTHER} (lineage)",)
    assert "is of nothing it stands on (push log)" in ask(world, "apart").reasons[-1]


def test_one_whose_push_came_to_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("app", OTHER))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.app.bases.note(OTHER, digest=world.registry.tags[OTHER])
    world.webhook(world.app.catalog.registration("app").references[0].with_tag("1"), "sha256:x")
    world.push_base(reference=OTHER, layer="sha256:tools0")
    world.registry.on_push = world.webhook
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.drive()
    assert any("known: its digest was known already" in reason for reason in ask(world, "app").reasons)


def test_registered_and_unregistered_afterwards(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    world.time += 10
    world.app.catalog.register([registration("late", BASE)], who="ann")
    late = ask(world, "late", world.cascade)
    assert late.told == f"late is not in cascade {world.cascade}"
    assert late.reasons[0].startswith("it was registered 20")
    assert late.reasons[0].split(" by ", 1)[1].startswith("ann, after the cascade was planned")
    world.app.catalog.unregister(["late"], who="bob", why="gone")
    gone = ask(world, "late", world.cascade)
    assert "no image late is registered (its last record: unregistered 20" in gone.reasons[0]
    with pytest.raises(NotFoundError, match="none of the newest 200 cascades holds it"):
        ask(world, "late")
    with pytest.raises(NotFoundError, match="no image never is registered, and none"):
        ask(world, "never")
    with pytest.raises(NotFoundError, match="no cascade nope"):
        ask(world, "top", "nope")


def test_edges_that_came_later_are_told_apart(make_world: MakeWorld) -> None:
    world = make_world(registration("top", OTHER), registration("app", ref("top")))
    world.registry.on_push = lambda reference, digest: None
    world.app.catalog.register([registration("first", BASE)], who="ann")
    world.registry.put(ref("first"), image_of(["sha256:base0", "sha256:first"]))
    world.registry.on_push = world.webhook
    world.push_base()
    world.drive()
    world.time += 10
    world.app.catalog.register([registration("top", BASE)], who="ann")
    assert "so it did not lead there then" in ask(world, "app", world.cascade).reasons[0]


def test_what_came_after_is_told_too(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    first = world.cascade
    world.time += 60
    world.push_base("sha256:base2")
    world.drive()
    answer = ask(world, "top", first)
    assert any(f"it started cascade {world.cascade} (push log)" in reason for reason in answer.reasons)
    world.broken.add("top")
    world.push_base("sha256:base3")
    world.drive()
    world.broken.clear()
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="mended")
    world.drive()
    assert any("replayed from build by ann: mended" in moment.reason for moment in ask(world, "top").history)


def test_one_that_a_superseded_base_blocks_names_the_successor(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    world.app.engine.advance(world.cascade, "top", Superseded(at=world.time, by="zz"))
    world.drive()
    ((_, top),) = ask(world, "app").waits
    assert (top.status, top.reason.partition(": ")[2]) == ("superseded", "superseded by cascade zz")


def test_superseded_ones_name_their_successor(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.takes = {"top": 1000}
    world.push_base()
    world.drive(until=20)
    first = world.cascade
    world.time += JOINS
    world.push_base("sha256:base2")
    world.drive(until=20)
    answer = ask(world, "app", first)
    assert answer.told == f"app is superseded in cascade {first}: superseded by cascade {world.cascade}"
    assert answer.waits == ()
