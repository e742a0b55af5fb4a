"""Never twice for the same reason: whole cascades, and what is looked at before a build."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.audit import entries
from groundswell.build.port import BuildRequest, Run, Source
from groundswell.cascade.announce import announce
from groundswell.cascade.codec import rebuild_from_json, rebuild_to_json
from groundswell.cascade.goodbook import GoodBook
from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.repeats import Repeats
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError, PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.registry.port import Image, PlatformImage
from tests.support.world import BASE, HOST, World, commit_of, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]
OTHER = f"{HOST}/mirror/debian:bookworm"


def built(world: World) -> list[str]:
    return [request.repository for request in world.builder.requests]


def chain() -> tuple[Registration, ...]:
    return registration("top", BASE), registration("app", ref("top"))


def multi_arch(layer: str, *others: str) -> Image:
    """An index whose linux/amd64 is always the same for a layer, with other platforms beside it."""
    one = image_of([layer])
    more = tuple(
        PlatformImage(platform=name, digest=digest_of(layer, name), diff_ids=(layer,), config={}) for name in others
    )
    return replace(one, digest=digest_of("index", layer, *others), platforms=(*one.platforms, *more))


def land(world: World, image: Image, reference: str = BASE) -> None:
    """Push, and see it through."""
    world.time += 1.0
    world.registry.put(reference, image)
    world.drive()


def again(world: World, *, force: bool = False) -> None:
    world.time += 1.0
    world.app.operator.replay_all(world.cascade, stage=Stage.BUILD, force=force, who="ann", why="once more")
    world.drive()


def test_platforms_of_a_base_that_land_one_after_another_are_built_on_once(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    land(world, multi_arch("sha256:new"))
    first, stable = world.cascade, world.registry.tags[ref("app")]
    land(world, multi_arch("sha256:new", "linux/arm64"))
    land(world, multi_arch("sha256:new", "linux/arm64", "linux/s390x"))
    assert len(world.cascades) == 3
    assert built(world) == ["top", "app"]
    for state in world.states().values():
        assert (state.status, state.reason) == (
            Status.UNCHANGED,
            f"already built from the same inputs by cascade {first}",
        )
        assert state.run == ""
    assert world.states()["app"].promoted == stable == world.registry.tags[ref("app")]
    assert world.app.engine.pool().running == {}


@pytest.mark.parametrize("seed", range(6))
def test_messages_doubled_and_out_of_order_build_nothing_twice(make_world: MakeWorld, seed: int) -> None:
    world = make_world(*chain(), slots=1)
    rng = random.Random(seed)
    for others in ((), ("linux/arm64",), ("linux/arm64", "linux/s390x")):
        world.time += 1.0
        world.registry.put(BASE, multi_arch("sha256:new", *others))
        world.drive(rng=rng, double=True)
    assert built(world) == ["top", "app"]
    assert world.app.engine.pool().running == {}


pushes = st.lists(
    st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from(["linux/arm64", "linux/s390x"]))), max_size=8
)


@settings(max_examples=12, deadline=None)
@given(pushes)
def test_an_image_is_built_as_often_as_what_it_stands_on_changes(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[tuple[str, set[str]]]
) -> None:
    world = World(tmp_path_factory.mktemp("world"), *chain())
    try:
        layers = ["sha256:base0"]
        for layer, others in sequence:
            land(world, multi_arch(layer, *sorted(others)))
            layers.append(layer)
        changes = sum(before != after for before, after in pairwise(layers))
        assert built(world) == ["top", "app"] * changes
        app = world.registry.image(Reference.parse(ref("app")))
        assert app is not None
        assert app.platforms[0].diff_ids[0] == layers[-1]
    finally:
        world.close()


def test_without_the_book_they_would_be_built_again(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GoodBook, "get", lambda self, image, key: None)
    world = make_world(*chain())
    land(world, multi_arch("sha256:new"))
    land(world, multi_arch("sha256:new", "linux/arm64"))
    assert built(world) == ["top", "app", "top"]  # its content came out unchanged, after a build


def test_the_same_digest_under_another_tag_is_not_built_on_again(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, build=[OTHER]), registration("app", ref("top")))
    world.app.bases.note(OTHER, digest="sha256:old")
    world.registry.on_push = lambda reference, digest: None
    late = world.registry.put(OTHER, image_of(["sha256:new"]))
    world.registry.on_push = world.webhook
    land(world, image_of(["sha256:new"]))
    first = world.cascade
    world.time += 60.0
    world.webhook(Reference.parse(OTHER), late)
    world.drive()
    assert set(world.statuses(first).values()) == {"done"}
    assert set(world.statuses().values()) == {"unchanged"}
    assert len(world.cascades) == 2
    assert built(world) == ["top", "app"]


def test_a_base_that_flips_is_followed_and_ends(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    a, b = image_of(["sha256:a"]), image_of(["sha256:b"])
    land(world, a)
    on_a = world.registry.tags[ref("app")]
    land(world, b)
    assert world.registry.tags[ref("app")] != on_a
    land(world, a)  # known and good, but not what the tags point to: it must be built
    assert world.registry.tags[ref("app")] == on_a
    assert built(world) == ["top", "app"] * 3
    land(world, a)
    again(world)
    assert len(world.cascades) == 3
    assert built(world) == ["top", "app"] * 3


def test_a_replay_from_build_builds_what_changed_only(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.push_base()
    world.drive()
    world.sources["app"] = "2"
    again(world)
    assert built(world) == ["top", "app", "app"]
    assert world.statuses() == {"top": "unchanged", "app": "done"}


def test_a_forced_replay_builds_all(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.push_base()
    world.drive()
    again(world, force=True)
    assert built(world) == ["top", "app"] * 2
    assert {entry["after"]["forced"] for entry in entries(world.app.store) if entry["action"] == "replay"} == {True}
    assert all(state.forced for state in world.states().values())
    world.time += 1.0
    world.app.operator.replay(world.cascade, "app", stage=Stage.BUILD, who="ann", why="not forced")
    world.drive()
    assert built(world) == ["top", "app"] * 2
    assert entries(world.app.store)
    assert world.states()["app"].reason == f"already built from the same inputs by cascade {world.cascade}"
    world.app.operator.replay(world.cascade, "app", force=True, who="ann", why="forced, of itself from build")
    world.drive()
    assert built(world) == ["top", "app", "top", "app", "app"]


def test_force_cannot_begin_later(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.push_base()
    world.drive()
    operator = world.app.operator
    with pytest.raises(InputError, match="cannot begin with scan"):
        operator.replay(world.cascade, "top", stage=Stage.SCAN, force=True, who="ann", why="x")
    with pytest.raises(InputError, match="cannot begin with scan"):
        operator.replay_failed(world.cascade, stage=Stage.SCAN, force=True, who="ann", why="x")


def test_a_forced_push_builds_all(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    land(world, multi_arch("sha256:new"))
    world.registry.on_push = lambda reference, digest: None
    land(world, multi_arch("sha256:new", "linux/arm64"))
    app = world.app
    push = announce(app.store, BASE, urgent=False, force=True, who="ann", why="packages", clock=app.clock)
    world.drive()
    assert push.force
    assert built(world).count("top") == 2
    assert world.states()["top"].forced
    (told,) = entries(app.store, limit=1)
    assert told["after"] == {"push": push.id, "urgent": False, "forced": True}


def test_what_failed_before_is_built_though_its_base_was_built_already(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.broken.add("app")
    land(world, multi_arch("sha256:new"))
    assert world.statuses() == {"top": "done", "app": "failed"}
    world.broken.clear()
    land(world, multi_arch("sha256:new", "linux/arm64"))
    assert world.statuses() == {"top": "unchanged", "app": "done"}
    assert built(world) == ["top", "app", "app"]


def test_what_was_rejected_before_is_built(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.vulnerable.add("top")
    land(world, multi_arch("sha256:new"))
    assert world.statuses() == {"top": "rejected"}
    world.vulnerable.clear()
    land(world, multi_arch("sha256:new", "linux/arm64"))
    assert world.statuses() == {"top": "done"}
    assert built(world) == ["top", "top"]


def test_what_came_out_unchanged_is_not_built_again(make_world: MakeWorld) -> None:
    world = make_world(registration("static", None, build=[BASE]))
    land(world, multi_arch("sha256:new"))
    first = world.states()["static"]
    assert first.reason == "the new image has the content of the old one"
    land(world, multi_arch("sha256:new", "linux/arm64"))
    assert built(world) == ["static"]
    state = world.states()["static"]
    assert state.reason.startswith("already built")
    assert state.promoted == first.previous == world.registry.tags[ref("static")]


def test_a_tag_that_somebody_moved_is_built_anew(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    world.registry.put(ref("top"), image_of(["sha256:by-hand"]))
    again(world)
    assert built(world) == ["top", "top"]
    assert world.statuses() == {"top": "done"}


def test_the_build_is_of_the_commit_that_was_read(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    (request,) = world.builder.requests
    assert request.source == Source(
        location="https://git.example.com/company.git", ref=commit_of("top", "1"), path="top"
    )
    kept = world.states()["top"].inputs
    assert kept["revision"] == request.source.ref
    assert kept["bases"] == {BASE: world.registry.tags[BASE]}


@pytest.mark.parametrize("error", [PermanentError("no such ref"), TemporaryError("no answer")])
def test_an_unknown_revision_is_built_from_its_ref_each_time(make_world: MakeWorld, error: Exception) -> None:
    world = make_world(registration("top", BASE))
    world.revisions.down = error  # type: ignore[assignment]
    world.push_base()
    world.drive()
    again(world)
    assert built(world) == ["top", "top"]
    assert [request.source.ref for request in world.builder.requests] == ["main", "main"]
    assert world.states()["top"].inputs == {"unknown": f"the revision of its source is not known: {error}"}


def test_a_source_that_is_no_git_repository_keeps_its_ref(make_world: MakeWorld) -> None:
    world = make_world(replace(registration("top", BASE), source=Source(location="https://x.example/s.tar.gz")))
    world.push_base()
    world.drive()
    assert world.builder.requests[0].source == Source(location="https://x.example/s.tar.gz")
    assert "key" in world.states()["top"].inputs


def test_a_base_that_cannot_be_read_is_built_on_each_time(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, build=["docker.io/library/golang:1"]))
    world.push_base()
    world.drive()
    again(world)
    assert built(world) == ["top", "top"]
    assert world.states()["top"].inputs == {
        "unknown": "a base could not be read: docker.io/library/golang:1 is not in its registry"
    }


def test_a_run_that_a_lost_start_began_has_no_key(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit may have moved between the two starts, and the run is of the first."""
    world = make_world(registration("top", BASE))
    start, calls = world.builder.start, []

    def lost_once(request: BuildRequest) -> Run:
        run = start(request)
        calls.append(request)
        if len(calls) == 1:
            world.sources["top"] = "2"
            raise TemporaryError("the answer was lost")
        return run

    monkeypatch.setattr(world.builder, "start", lost_once)
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status, len(world.builder.requests)) == (Status.DONE, 1)
    assert state.inputs == {"unknown": "run r0 was started before, maybe from others"}
    again(world)
    assert len(world.builder.requests) == 2


def test_a_crash_after_promotion_leaves_the_book_written(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written before the promotion is said: that command comes back, and with it the entry."""
    world = make_world(registration("top", BASE))
    note, calls = Repeats.note, []

    def dies_once(self: Repeats, image: Registration, state: Rebuild, digest: str, **more: Any) -> None:
        calls.append(digest)
        if len(calls) == 1:
            raise TemporaryError("the process died")
        note(self, image, state, digest, **more)

    monkeypatch.setattr(Repeats, "note", dies_once)
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done"}
    again(world)
    assert built(world) == ["top"]


def test_the_rollouts_of_what_was_already_built_are_left_alone(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    land(world, multi_arch("sha256:new"))
    patches = list(world.deployer.patches)
    land(world, multi_arch("sha256:new", "linux/arm64"))
    assert world.statuses() == {"top": "unchanged"}
    assert world.deployer.patches == patches
    again(world)
    assert world.statuses() == {"top": "unchanged"}
    world.app.operator.replay(world.cascade, "top", stage=Stage.VERIFY, who="ann", why="prove it")
    world.drive()
    assert (world.statuses()["top"], world.states()["top"].proof["layers"]["proven"]) == ("unchanged", True)
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="ann", why="it was moved back")
    world.drive()
    assert world.statuses() == {"top": "done"}


@pytest.mark.parametrize(("meanwhile", "kept"), [("stays", True), ("moves", False), ("goes", False)])
def test_a_build_base_that_moved_since_it_was_read_keeps_the_build_out_of_the_book(
    make_world: MakeWorld, meanwhile: str, kept: bool
) -> None:
    """The run may have pulled the new one: what came of it must not be taken for what the old one gives."""
    world = make_world(registration("top", BASE, build=[OTHER]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(OTHER, image_of(["sha256:tools0"]))
    world.takes = {"top": 30}
    world.webhook(Reference.parse(BASE), world.registry.put(BASE, image_of(["sha256:new"])))
    world.drive(until=40)
    assert world.statuses() == {"top": "building"}
    if meanwhile == "moves":
        world.registry.put(OTHER, image_of(["sha256:tools1"]))
    if meanwhile == "goes":
        del world.registry.tags[OTHER]
    world.drive()
    state = world.states()["top"]
    assert state.status is Status.DONE
    assert (GoodBook(world.app.store).get("top", state.inputs["key"]) is not None) == kept


# What is looked at.


def look(world: World, image: Registration, waits: dict[str, Wait] | None = None) -> tuple[Source, str]:
    repeats = Repeats(
        revisions=world.revisions,
        registry=world.registry,
        good=GoodBook(world.app.store),
        clock=world.app.clock,
    )
    state = Rebuild(cascade="c", image=image.name, status=Status.READY, waits=waits or {})
    seen = repeats.look(image, state)
    assert (seen.inputs is None) == bool(seen.why)
    return seen.source, seen.why


def test_a_base_must_be_where_its_rebuild_put_it(make_world: MakeWorld) -> None:
    image = registration("top", BASE)
    world = make_world(image)
    now = world.registry.tags[BASE]
    assert look(world, image, {BASE: Wait(outcome=Outcome.PROMOTED, digest=now)})[1] == ""
    for free in (
        Wait(outcome=Outcome.UNCHANGED, digest="sha256:x"),
        Wait(outcome=Outcome.PROMOTED),  # of a rebuild in an older cascade
    ):
        assert look(world, image, {"base": free})[1] == ""
    source, why = look(world, image, {BASE: Wait(outcome=Outcome.PROMOTED, digest="sha256:x")})
    assert why == "no base is at sha256:x any more, or yet"
    assert source.ref == commit_of("top", "1")


def test_a_pin_is_taken_at_its_word_and_manifests_are_read_once(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = f"docker.io/library/golang:1@{digest_of('go')}"
    image = registration("top", BASE, build=[pinned])
    world = make_world(image)
    read: list[Reference] = []
    whole = world.registry.image

    def counted(reference: Reference) -> Image | None:
        read.append(reference)
        return whole(reference)

    monkeypatch.setattr(world.registry, "image", counted)
    repeats = Repeats(
        revisions=world.revisions,
        registry=world.registry,
        good=GoodBook(world.app.store),
        clock=world.app.clock,
    )
    state = Rebuild(cascade="c", image="top", status=Status.READY, waits={})
    for _ in range(2):
        seen = repeats.look(image, state).inputs
        assert seen is not None
        assert seen.bases == {BASE: world.registry.tags[BASE], pinned: digest_of("go")}
    assert [str(reference) for reference in read] == [f"{BASE}@{world.registry.tags[BASE]}"]


def test_a_base_whose_manifests_are_gone_is_not_known(make_world: MakeWorld) -> None:
    image = registration("top", BASE)
    world = make_world(image)
    world.registry.images.clear()
    assert look(world, image)[1].endswith("is not in its registry")


def test_an_image_without_bases_has_a_key_too(make_world: MakeWorld) -> None:
    image = registration("scratch", None)
    assert look(make_world(image), image)[1] == ""


def test_a_rebuild_of_an_older_program_has_no_inputs(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    document = rebuild_to_json(world.states()["top"])
    del document["inputs"], document["forced"]
    old = rebuild_from_json(document)
    assert (old.inputs, old.forced) == ({}, False)
