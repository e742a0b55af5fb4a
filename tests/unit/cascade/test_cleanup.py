"""Our own tags in the registries: what keeps one, and what takes it away."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.cascade import cleanup
from groundswell.cascade.alerts import Alert
from groundswell.cascade.cleanup import Cleaned
from groundswell.cascade.ids import new_id
from groundswell.cascade.model import FORMER, Rollout, candidate_mark, former_tag
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from tests.support.world import BASE, HOST, World, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]
DAY = 86_400.0


def push(world: World, layer: str) -> str:
    """Push the base and see it through; returns what is stable after that."""
    world.push_base(layer)
    world.drive()
    world.app.sweep.run()
    return world.registry.tags[ref("top")]


def tags(world: World, repository: str = "top") -> dict[str, str]:
    prefix = f"{HOST}/{repository}:"
    return {
        reference.removeprefix(prefix): digest
        for reference, digest in world.registry.tags.items()
        if reference.startswith(prefix)
    }


def ours(world: World) -> list[str]:
    return sorted(tag for tag in tags(world) if tag.startswith("gs-"))


def clean(world: World, *, days: float = 31.0) -> Cleaned:
    world.time += days * DAY
    return world.app.cleanup.run()


def test_what_was_stable_keeps_a_tag_when_another_is_promoted(make_world: MakeWorld) -> None:
    world = make_world(replace(registration("top", BASE), tags=("1", "1.0")))
    by_hand = world.registry.put(f"{HOST}/top:1.0", image_of(["sha256:by hand"]))
    before = world.registry.tags[ref("top")]
    promoted = push(world, "sha256:base1")
    assert tags(world)[former_tag("top", before)] == before
    assert tags(world)[former_tag("top", by_hand)] == by_hand
    assert tags(world)["1"] == tags(world)["1.0"] == promoted
    assert former_tag("top", promoted) not in tags(world)
    again = push(world, "sha256:base2")
    assert tags(world)[former_tag("top", promoted)] == promoted
    assert again != promoted
    assert len(world.cascades) == 2
    assert all(tag.startswith(FORMER) == ("former" in tag) for tag in ours(world))


def test_unless_the_settings_keep_none(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    vars(world.app)["settings"] = replace(world.app.settings, keep_former=0)
    push(world, "sha256:base1")
    assert [tag for tag in ours(world) if tag.startswith(FORMER)] == []


def test_one_that_is_gone_by_then_is_not_kept(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(registration("top", BASE))
    promote = world.registry.promote

    def gone(candidate: Reference, names: list[str]) -> None:
        if names[0].startswith(FORMER):
            raise NotFoundError(f"{candidate} is no longer in the registry")
        promote(candidate, names)

    monkeypatch.setattr(world.registry, "promote", gone)
    push(world, "sha256:base1")
    assert world.statuses() == {"top": "done"}


def test_old_candidates_lose_their_tags_and_the_last_formers_keep_theirs(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    first = world.registry.tags[ref("top")]
    stable = [push(world, f"sha256:base{number}") for number in range(1, 8)]
    assert len([tag for tag in ours(world) if not tag.startswith(FORMER)]) == 7
    done = clean(world)
    assert done == Cleaned(tags=9)
    kept = {former_tag("top", digest) for digest in stable[1:6]}
    assert set(ours(world)) == kept
    assert former_tag("top", first) not in tags(world)
    assert tags(world)["1"] == stable[-1]
    assert clean(world) == Cleaned()


def test_young_ones_stay(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    push(world, "sha256:base1")
    before = ours(world)
    assert clean(world, days=29.0) == Cleaned()
    assert ours(world) == before


def test_nothing_is_taken_away_when_the_settings_say_so(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    vars(world.app)["settings"] = replace(world.app.settings, keep_candidates_days=0)
    push(world, "sha256:base1")
    before = ours(world)
    assert clean(world, days=1000.0) == Cleaned()
    assert ours(world) == before


def test_other_peoples_tags_stay(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.on_push = lambda *_: None
    old = new_id(world.time)
    names = [
        "1.0",
        f"{candidate_mark(old, 'other')}1",  # another image's, or another installation's
        f"{candidate_mark(old, 'top')}x",
        f"{candidate_mark('0000aa', 'top')}1",
        f"{candidate_mark('iiiiiiiiii', 'top')}1",
        former_tag("other", "sha256:" + "a" * 64),
        "gs-mine",
    ]
    for name in names:
        world.registry.put(f"{HOST}/top:{name}", image_of([f"sha256:{name}"]))
    vars(world.app)["settings"] = replace(world.app.settings, keep_former=0)
    assert clean(world, days=1000.0) == Cleaned()
    assert set(names) < set(tags(world))


def leave_only_a_candidate(world: World) -> tuple[str, str]:
    """An old candidate whose digest has no other tag; returns the tag and the digest."""
    world.registry.on_push = lambda *_: None
    tag = f"{candidate_mark(new_id(world.time - 60 * DAY), 'top')}1"
    return tag, world.registry.put(f"{HOST}/top:{tag}", image_of([f"sha256:{tag}"]))


def test_the_last_tag_of_what_runs_stays(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    tag, digest = leave_only_a_candidate(world)
    world.deployer.running[str(workload("web"))] = f"{HOST}/top@{digest}"
    assert clean(world) == Cleaned(kept=1)
    assert tags(world)[tag] == digest
    world.registry.put(f"{HOST}/top:other", world.registry.images[digest])
    assert clean(world) == Cleaned(tags=1)


@pytest.mark.parametrize(("workloads", "kept"), [(("a/b/deployment/found[web]",), 1), ((), 0)])
def test_the_last_tag_of_what_runs_without_being_registered_stays(
    make_world: MakeWorld, workloads: tuple[str, ...], kept: int
) -> None:
    world = make_world(registration("top", BASE))
    _, digest = leave_only_a_candidate(world)
    known = Alert(image="top", digest=digest, reference=f"{HOST}/top@{digest}", workloads=workloads)
    world.app.alerts.put(known, None)
    assert clean(world) == Cleaned(kept=kept, tags=1 - kept)


@pytest.mark.parametrize(
    ("runs", "kept"),
    [(f"{HOST}/top:1", 1), (f"{HOST}/top@{digest_of('else')}", 0), ("", 0)],
    ids=["a tag", "another digest", "nothing"],
)
def test_what_a_workload_may_run(make_world: MakeWorld, runs: str, kept: int) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    leave_only_a_candidate(world)
    world.deployer.running = {str(workload("web")): runs} if runs else {}
    assert clean(world) == Cleaned(kept=kept, tags=1 - kept)


def test_a_cluster_that_does_not_answer_keeps_all(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    leave_only_a_candidate(world)

    def silent(*_: object) -> None:
        raise TemporaryError("the cluster does not answer")

    monkeypatch.setattr(world.deployer, "observe", silent)
    assert clean(world) == Cleaned(kept=1)


def test_what_an_open_cascade_needs_stays(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    world.slow.add("web")
    world.push_base("sha256:base1")
    world.drive(until=60.0)
    (state,) = world.states().values()
    assert state.status.value == "deploying"
    tag, digest = leave_only_a_candidate(world)
    stored = world.app.engine.records.rebuild(state.cascade, "top")
    back = Rollout(workload=str(workload("web")), former=f"{HOST}/top@{digest}", image="x")
    world.app.engine.records.save(state.cascade, [(stored, replace(stored.value, rollouts=(back,)))], at=world.time)
    assert clean(world) == Cleaned(kept=1)
    assert {tag, state.candidate_tag} <= set(tags(world))


def test_images_that_share_a_repository_have_formers_each(make_world: MakeWorld) -> None:
    one = registration("top", BASE)
    two = replace(registration("top", BASE), name="top/debug", tags=("debug",), target="debug")
    world = make_world(one)
    world.app.catalog.register([two], who="ann")
    world.registry.put(f"{HOST}/top:debug", image_of(["sha256:base0", "sha256:debug"]))
    for number in range(1, 8):
        push(world, f"sha256:base{number}")
    clean(world)
    # Both build the same here, so a digest may be either's: each keeps five.
    kept = [tag for tag in ours(world) if tag.startswith(FORMER)]
    for name in ("top", "top/debug"):
        assert sum(tag.startswith(former_tag(name, "x:").rstrip("-")) for tag in kept) == 5


# Trouble.


def test_a_repository_that_is_not_there_is_no_trouble(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))

    def unknown(registry: str, repository: str) -> None:
        raise NotFoundError(f"{registry}/{repository}")

    monkeypatch.setattr(world.registry, "tagged", unknown)
    assert clean(world) == Cleaned()


def test_without_the_right_to_delete_it_is_told_and_the_others_are_cleaned(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE), registration("app", BASE))
    world.push_base("sha256:base1")
    world.drive()
    world.app.sweep.run()
    untag = world.registry.untag

    def refuse(reference: Reference) -> None:
        if reference.repository == "app":
            raise PermanentError("403; give the identity the roles AcrPull, AcrPush and AcrDelete on it")
        untag(reference)

    monkeypatch.setattr(world.registry, "untag", refuse)
    assert clean(world) == Cleaned(tags=1, failed=1)


def test_a_round_has_an_end(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleanup, "MOST", 2)
    world = make_world(registration("top", BASE), registration("app", BASE))
    for number in range(1, 4):
        world.push_base(f"sha256:base{number}")
        world.drive()
        world.app.sweep.run()
    rounds = [clean(world) for _ in range(4)]
    assert [each.tags for each in rounds] == [2, 2, 2, 0]
    assert [each.more for each in rounds] == [True, True, True, False]


def test_a_round_that_takes_long_leaves_the_rest(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(*(registration(f"i{number}", BASE) for number in range(3)))
    world.push_base("sha256:base1")
    world.drive()
    world.app.sweep.run()
    untag = world.registry.untag

    def slowly(reference: Reference) -> None:
        untag(reference)
        world.time += cleanup.SECONDS

    monkeypatch.setattr(world.registry, "untag", slowly)
    rounds = [clean(world) for _ in range(4)]
    assert [(each.tags, each.more) for each in rounds] == [(1, True), (1, True), (1, True), (0, False)]
