"""Whole cascades through the real engine and store, on services that behave or misbehave."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.audit import entries
from groundswell.cascade.codec import command_to_text
from groundswell.cascade.engine import MAX_TRIES, REBUILDS
from groundswell.cascade.model import Command, Kind
from groundswell.cascade.planning import JOINS
from groundswell.cascade.push import Result
from groundswell.cascade.records import Phase
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.scan.port import Report
from tests.support.world import BASE, HOST, World, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]


def diamond() -> tuple[Registration, ...]:
    """top -> (left, right) -> bottom, and a leaf on bottom."""
    return (
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")], deployments=[workload("web")]),
        registration("leaf", ref("bottom")),
    )


def test_a_push_carries_through_a_diamond_in_order_and_builds_each_image_once(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    before = dict(world.registry.tags)
    world.push_base()
    world.drive()
    assert world.statuses() == dict.fromkeys(("top", "left", "right", "bottom", "leaf"), "done")
    built = [request.repository for request in world.builder.requests]
    assert sorted(built) == ["bottom", "leaf", "left", "right", "top"]
    assert built.index("top") < min(built.index("left"), built.index("right"))
    assert max(built.index("left"), built.index("right")) < built.index("bottom") < built.index("leaf")
    for name in ("top", "left", "right", "bottom", "leaf"):
        assert world.registry.tags[ref(name)] != before[ref(name)]
        state = world.states()[name]
        assert (state.promoted, state.previous) == (world.registry.tags[ref(name)], before[ref(name)])
        assert state.proof["base_digest"] == world.registry.tags[str(state.proof["base"])]
    assert (
        world.deployer.running["c/n/deployment/web[app]"] == f"{HOST}/bottom@{world.registry.tags[ref('bottom')]}"
    )
    header = world.app.engine.records.header(world.cascade).value
    assert (header.phase, header.open, header.total) == (Phase.ENDED, 0, 5)


def test_no_tag_ever_points_to_an_unscanned_digest(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    at_start = len(world.registry.history)
    world.push_base()
    world.drive()
    for reference, digest in world.registry.history[at_start:]:
        if reference != BASE and ":gs-" not in reference:
            assert digest in world.scanner.scanned


def test_our_own_pushes_start_nothing(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.push_base()
    world.drive()
    assert len(world.cascades) == 1
    assert sorted(set(world.results())) == sorted({Result.CASCADE, Result.CANDIDATE})


def test_the_same_push_a_hundred_times_is_one_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    for _ in range(100):
        world.push_base()
    world.drive()
    assert len(world.cascades) == 1
    assert world.results().count(Result.KNOWN) == 99
    assert [request.repository for request in world.builder.requests] == ["top"]


@pytest.mark.parametrize("seed", range(12))
def test_messages_doubled_and_out_of_order_change_nothing(make_world: MakeWorld, seed: int) -> None:
    world = make_world(*diamond(), slots=2)
    rng = random.Random(seed)
    world.takes = {name: rng.randrange(3) for name in ("top", "left", "right", "bottom")}
    world.push_base()
    world.drive(rng=rng, double=True)
    assert set(world.statuses().values()) == {"done"}
    assert len(world.builder.requests) == 5
    assert (
        len([entry for entry in world.registry.history if entry[0] == ref("bottom")]) == 2
    )  # once before, once now


def test_the_end_of_a_log_is_told_without_its_colours(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.broken.add("top")
    world.builder.log_text = "\x1b[1mstep 1\x1b[0m\r\n\n\x1b]0;title\x07\x1b[31mboom\x1b[0m\x00\n"
    world.push_base()
    world.drive()
    assert world.states()["top"].reason.endswith("its log ends: step 1 | boom")


def test_a_failure_blocks_what_stands_on_it_and_a_replay_brings_it_back(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.broken.add("left")
    world.push_base()
    world.drive()
    assert world.statuses() == {
        "top": "done",
        "left": "failed",
        "right": "done",
        "bottom": "blocked",
        "leaf": "blocked",
    }
    left = world.states()["left"]
    assert left.failed_stage is Stage.BUILD
    assert left.reason == "run r1 ended as Failed; its log ends: step 1 | boom"
    assert world.states()["leaf"].reason == "blocked by left"
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.ENDED

    world.broken.clear()
    world.app.operator.replay(world.cascade, "left", stage=Stage.BUILD, who="ann", why="repaired")
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.RUNNING
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert [r.repository for r in world.builder.requests].count("right") == 1


def test_a_rejected_image_is_not_promoted_and_a_scan_replay_does_not_rebuild(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.vulnerable.add("top")
    before = world.registry.tags[ref("top")]
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "rejected", "app": "blocked"}
    assert world.registry.tags[ref("top")] == before
    assert "CVE-1" in world.states()["top"].reason
    world.vulnerable.clear()
    world.app.operator.replay(world.cascade, "top", stage=Stage.SCAN, who="ann", why="allow-listed")
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    assert [r.repository for r in world.builder.requests] == ["top", "app"]


def test_a_rebuild_with_the_old_content_is_unchanged_and_so_is_what_waited_only_for_it(
    make_world: MakeWorld,
) -> None:
    world = make_world(
        registration("static", None, build=[BASE]), registration("page", None, build=[ref("static")])
    )
    world.push_base()
    world.drive()
    assert world.statuses() == {"static": "unchanged", "page": "unchanged"}
    assert [r.repository for r in world.builder.requests] == ["static"]


def test_a_build_on_an_old_base_is_done_again_without_cache(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.on_old_base.add("top")
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert [request.no_cache for request in world.builder.requests] == [False, True]


def test_pins_are_reported_not_rebuilt(make_world: MakeWorld) -> None:
    pin = f"{HOST}/mirror/debian@{digest_of('x')}"
    world = make_world(registration("top", BASE), registration("pinned", pin))
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert world.app.engine.records.header(world.cascade).value.pinned == (("pinned", pin),)


def test_a_push_that_only_pins_stand_on_starts_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("pinned", f"{HOST}/mirror/debian:12@{digest_of('x')}"))
    world.push_base()
    world.drive()
    assert world.results() == [Result.PINNED]
    assert world.cascades == []


def test_a_rollout_that_stays_sick_goes_back(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]), registration("app", ref("top")))
    world.unhealthy.add("web")
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.DEPLOY)
    assert "crash loop; rolled back" in state.reason
    assert world.deployer.running["c/n/deployment/web[app]"] == f"{HOST}/old@sha256:old"
    assert world.statuses()["app"] == "done"


def test_a_rollout_without_an_end_goes_back(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    world.slow.add("web")
    world.push_base()
    world.drive()
    assert "not healthy after 3600 s; rolled back" in world.states()["top"].reason
    assert world.deployer.running["c/n/deployment/web[app]"] == f"{HOST}/old@sha256:old"


def test_a_run_without_an_end_is_cancelled(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.takes = {"top": 1_000_000}
    world.push_base()
    world.drive(until=7000)
    world.app.sweep.cascades()
    assert world.statuses() == {"top": "building"}
    world.drive(until=300)
    world.app.sweep.cascades()
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.BUILD)
    assert state.reason == "still building after 2 h: given up; see what holds it up, then replay"
    assert world.builder.cancelled == ["r0"]
    assert world.app.engine.pool().running == {}


def test_a_workload_that_somebody_moved_is_left_alone(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    world.push_base()
    observe = world.deployer.observe
    seen: list[str] = []

    def meddle(target):  # type: ignore[no-untyped-def]
        rollout = observe(target)
        seen.append(rollout.image)
        world.deployer.running[str(target)] = "somebody/else:1"
        return rollout

    world.deployer.observe = meddle  # type: ignore[method-assign]
    world.drive()
    assert "moved to somebody/else:1 by somebody else" in world.states()["top"].reason
    assert world.deployer.patches == []


def test_a_missing_workload_fails_the_deploy(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    world.deployer.running.clear()
    world.push_base()
    world.drive()
    assert world.states()["top"].failed_stage is Stage.DEPLOY
    assert "does not exist" in world.states()["top"].reason


def test_a_service_that_is_down_for_a_while_costs_only_time(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.builder.down = TemporaryError("throttled", delay=30)
    world.push_base()
    world.drive(until=100)
    assert world.statuses() == {"top": "ready"}
    world.builder.down = None
    world.drive()
    assert world.statuses() == {"top": "done"}


def test_a_service_that_stays_down_ends_in_a_failure_that_says_so(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.scanner.down = TemporaryError("scanner timed out")
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.SCAN)
    assert state.reason == f"gave up after {MAX_TRIES} tries: scanner timed out"


def test_a_scanner_that_refuses_is_not_a_pass(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    before = world.registry.tags[ref("top")]
    world.scanner.down = PermanentError("no database for this OS")
    world.push_base()
    world.drive()
    assert world.states()["top"].failed_stage is Stage.SCAN
    assert world.registry.tags[ref("top")] == before


def test_slots_are_never_exceeded_and_the_longest_path_goes_first(make_world: MakeWorld) -> None:
    chain = [registration("a1", BASE), registration("a2", ref("a1")), registration("a3", ref("a2"))]
    flat = [registration(f"z{index}", BASE) for index in range(4)]
    world = make_world(*chain, *flat, slots=1)
    world.takes = {item.name: 2 for item in (*chain, *flat)}
    world.push_base()
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert world.builder.requests[0].repository == "a1"
    assert world.app.engine.pool().running == {}


def test_a_much_newer_push_of_the_same_base_supersedes_what_is_under_way(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    world.takes = {"top": 1000}
    world.push_base("sha256:base1")
    world.drive(until=20)
    first = world.cascade
    assert world.statuses(first)["top"] == "building"
    world.time += JOINS
    world.push_base("sha256:base2")
    world.takes = {}
    world.drive()
    assert len(world.cascades) == 2
    assert set(world.statuses(first).values()) == {"superseded"}
    assert set(world.statuses(world.cascade).values()) == {"done"}
    base = world.registry.tags[BASE]
    assert world.states()["top"].proof["base_digest"] == base
    assert world.builder.cancelled == ["r0"]


def test_a_push_of_another_base_waits_for_what_is_under_way(make_world: MakeWorld) -> None:
    other = f"{HOST}/mirror/tools:1"
    world = make_world(registration("app", BASE, build=[other]))
    world.registry.put(other, image_of(["sha256:tools0"]))
    world.drive()
    count = len(world.cascades)
    world.takes = {"app": 10}
    world.push_base("sha256:base1")
    world.drive(until=20)
    first = world.cascade
    world.push_base("sha256:tools1", other)
    world.drive(until=10)
    assert len(world.cascades) == count + 2
    assert world.statuses(world.cascade)["app"] == "waiting"
    assert world.states()["app"].reason == f"waits for {first}/app"
    world.drive()
    assert world.statuses(first)["app"] == "done"
    assert world.statuses(world.cascade)["app"] in ("done", "unchanged")


def test_a_rebuilt_base_re_queues_what_was_built_on_the_older_one(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.push_base()
    world.drive()
    world.sources["top"] = "2"
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="new source")
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    assert world.states()["app"].proof["base_digest"] == world.registry.tags[ref("top")]
    assert [r.repository for r in world.builder.requests].count("app") == 2


def test_an_image_that_is_registered_no_more_fails_by_name(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    real = world.app.catalog.registration

    def gone(name: str) -> Registration:
        raise NotFoundError(f"no image {name} is registered")

    world.app.catalog.registration = gone  # type: ignore[method-assign]
    world.drive()
    assert world.states()["top"].reason == "no image top is registered"
    world.app.catalog.registration = real  # type: ignore[method-assign]


def test_a_run_whose_log_cannot_be_read_still_says_how_it_ended(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken.add("top")

    def unreadable(registry: str, run: str) -> str:
        raise TemporaryError("log storage away")

    world.builder.log = unreadable  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    assert (
        "ended as Failed: exit status 1 (its log cannot be read: log storage away)" in world.states()["top"].reason
    )


def test_operators_must_give_a_reason_and_are_audited(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken.add("top")
    world.push_base()
    world.drive()
    with pytest.raises(InputError, match="needs a reason"):
        world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why=" ")
    with pytest.raises(InputError, match="needs a reason"):
        world.app.operator.cancel(world.cascade, "top", who="ann", why=" ")
    world.time += 1
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="try")
    world.time += 1
    world.app.operator.cancel(world.cascade, "top", who="bob", why="stop")
    cancel, replay = list(entries(world.app.store, limit=2))
    assert (cancel["action"], cancel["who"], cancel["why"]) == ("cancel", "bob", "stop")
    assert cancel["subject"] == f"{world.cascade}/top"
    assert (cancel["before"]["status"], cancel["after"]["status"]) == ("ready", "cancelled")
    assert (replay["action"], replay["who"], replay["after"]["status"]) == ("replay", "ann", "ready")


def test_an_image_that_another_cascade_rebuilds_is_not_replayed(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken.add("top")
    world.push_base("sha256:base1")
    world.drive()
    first = world.cascade
    world.takes = {"top": 100}
    world.push_base("sha256:base2")
    world.drive(until=20)
    with pytest.raises(InputError, match=f"being rebuilt by cascade {world.cascade}"):
        world.app.operator.replay(first, "top", stage=Stage.BUILD, who="ann", why="x")


def test_a_poisoned_message_becomes_a_failed_rebuild(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.takes = {"top": 100}
    world.push_base()
    world.drive(until=20)
    bodies = []
    while not bodies:
        world.time += 1
        bodies = [message.body for message in world.app.store.receive(REBUILDS, limit=32, lease=600)]
    world.app.engine.poisoned(bodies[0])
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.BUILD)
    assert "replay" in state.reason


def test_a_poisoned_message_of_an_earlier_turn_fails_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    stale = Command(kind=Kind.SCAN, cascade=world.cascade, image="top", turn=1)
    world.app.engine.poisoned(command_to_text(stale))
    assert world.statuses() == {"top": "done"}


def test_a_candidate_that_the_registry_shows_a_moment_later_is_waited_for(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    digest, asked = world.registry.digest, 0

    def late(reference: Reference) -> str | None:
        nonlocal asked
        if reference.tag is not None and reference.tag.startswith("gs-"):
            asked += 1
            return digest(reference) if asked > 2 else None
        return digest(reference)

    monkeypatch.setattr(world.registry, "digest", late)
    world.push_base()
    world.drive()
    assert (world.statuses(), len(world.builder.requests), asked) == ({"top": "done"}, 1, 3)


def test_a_build_name_that_cannot_be_forgotten_costs_nothing(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))

    def refuse(registry: str, name: str) -> None:
        raise PermanentError(f"{name} is locked in {registry}")

    monkeypatch.setattr(world.builder, "forget", refuse)
    world.push_base()
    world.drive()
    assert (world.statuses(), len(world.builder.requests)) == ({"top": "done"}, 1)


def test_a_candidate_that_was_purged_is_said_to_be_gone(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.vulnerable.add("top")
    world.push_base()
    world.drive()
    del world.registry.images[world.states()["top"].candidate]
    world.app.operator.replay(world.cascade, "top", stage=Stage.VERIFY, who="ann", why="look again")
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.VERIFY)
    assert state.reason.endswith("is no longer in the registry; replay from build")


def test_without_the_base_nothing_is_proven(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(registration("top", BASE))
    pushed, read = world.push_base(), world.registry.image
    monkeypatch.setattr(world.registry, "image", lambda named: None if named.digest == pushed else read(named))
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.VERIFY)
    assert state.reason == f"the base {BASE}@{pushed} is not in its registry, so nothing can be proven"


@pytest.mark.parametrize("verdict", [{}, {"passed": False}, {"passed": True, "digest": "sha256:another"}])
def test_nothing_is_promoted_but_the_very_digest_that_passed(make_world: MakeWorld, verdict: Any) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    before = list(world.registry.history)
    state = replace(world.states()["top"], verdict=verdict)
    promote = world.app.engine._works[Kind.PROMOTE]
    command = Command(kind=Kind.PROMOTE, cascade=world.cascade, image="top", turn=state.turn)
    with pytest.raises(PermanentError, match="not a pass for this digest"):
        promote(command, state)
    assert world.registry.history == before


def test_asking_for_what_is_not_there(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    with pytest.raises(NotFoundError, match="no cascade nope"):
        world.app.engine.records.header("nope")
    with pytest.raises(NotFoundError, match="no image nope in cascade"):
        world.app.engine.records.rebuild(world.cascade, "nope")


def test_a_tag_that_somebody_else_moved_meanwhile_is_not_overwritten(make_world: MakeWorld) -> None:
    """A fix pushed by hand while the candidate is scanned: the image is built again, from its newer source."""
    world = make_world(registration("top", BASE))
    scan = world.scanner.scan

    def push_by_hand(reference: Reference) -> Report:
        world.scanner.scan = scan  # type: ignore[method-assign]
        world.sources["top"] = "fix"
        world.registry.put(ref("top"), image_of(["sha256:base0", digest_of("top", "fix")]))
        return scan(reference)

    world.scanner.scan = push_by_hand  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.attempt) == (Status.DONE, 2)
    assert any("its tag was moved to sha256:" in moment.reason for moment in state.history)
    stable = [digest for reference, digest in world.registry.history if reference == ref("top")]
    own = [world.registry.images[digest].platforms[0].diff_ids[-1] for digest in stable]
    assert own == [digest_of("top", "1"), digest_of("top", "fix"), digest_of("top", "fix")]
