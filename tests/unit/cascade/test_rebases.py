"""Rebases in place of builds: whole cascades, and every reason to build after all."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.api.telling import rebuild_told
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Cancelled, Held, Rebased, Superseded
from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.cascade.model import Kind, Outcome, Rebuild, Wait
from groundswell.cascade.status import Stage, Status
from groundswell.cli.rebuild import lines as told_lines
from groundswell.cli.told import rebuild
from groundswell.errors import PermanentError, TemporaryError
from groundswell.lineage.model import REBASE, REBASE_THEN_REBUILD, REBUILD, Registration
from groundswell.registry.inherit import NotRebasableError
from tests.support.world import BASE, HOST, World, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]
TOOLS = f"{HOST}/mirror/tools:1"


def top(**rest: Any) -> Registration:
    return registration("top", BASE, **{"strategy": REBASE, **rest})


def pushed(world: World, layer: str) -> str:
    digest = world.push_base(layer)
    world.drive()
    return digest


def reasons(state: Rebuild) -> list[str]:
    return [moment.reason for moment in state.history]


def built(world: World) -> list[str]:
    return [request.repository for request in world.builder.requests]


def layers(world: World, reference: str) -> tuple[str, ...]:
    image = world.registry.image(Reference.parse(reference))
    assert image is not None
    return image.platforms[0].diff_ids


def test_what_was_built_once_is_rebased_from_then_on(make_world: MakeWorld) -> None:
    world = make_world(top(deployments=[workload("web")]))
    old = world.registry.tags[ref("top")]
    first = pushed(world, "sha256:base1")
    state = world.states()["top"]
    assert f"run r0; not rebased: what {ref('top')} was built from is not known" in reasons(state)
    assert state.previous == old
    for number in (2, 3):
        before = world.registry.tags[ref("top")]
        base = pushed(world, f"sha256:base{number}")
        state = world.states()["top"]
        assert (state.status, state.run, state.attempt) == (Status.DONE, "", 1)
        assert f"rebased onto {BASE}@{base}: nothing was run" in reasons(state)
        assert state.inputs["rebased"] == {"image": before, "base": first}
        assert state.proof["layers"]["proven"]
        assert state.verdict["passed"]
        assert state.candidate == state.promoted == world.registry.tags[ref("top")]
        assert state.candidate == world.registry.tags[f"{HOST}/top:{state.candidate_tag}"]
        assert world.deployer.running[str(workload("web"))].endswith(state.promoted)
        assert layers(world, ref("top")) == (f"sha256:base{number}", digest_of("top", "1"))
        first = base
    assert built(world) == ["top"]
    assert world.app.engine.pool().running == {}


def test_a_chain_is_rebased_one_upon_the_other(make_world: MakeWorld) -> None:
    world = make_world(top(), registration("app", ref("top"), strategy=REBASE))
    pushed(world, "sha256:base1")
    pushed(world, "sha256:base2")
    assert built(world) == ["top", "app"]
    assert world.statuses() == {"top": "done", "app": "done"}
    assert layers(world, ref("app")) == ("sha256:base2", digest_of("top", "1"), digest_of("app", "1"))
    stood = world.states()["app"].inputs["rebased"]["base"]
    assert stood == world.states(world.cascades[1])["top"].promoted


@pytest.mark.parametrize("seed", range(4))
def test_messages_doubled_and_out_of_order(make_world: MakeWorld, seed: int) -> None:
    world = make_world(top(), registration("app", ref("top"), strategy=REBASE), slots=1)
    rng = random.Random(seed)
    for number in (1, 2, 3):
        world.push_base(f"sha256:base{number}")
        world.drive(rng=rng, double=True)
    assert built(world) == ["top", "app"]
    assert layers(world, ref("app"))[0] == "sha256:base3"
    assert world.app.engine.pool().running == {}


# Built after all.


def not_rebased(world: World, image: str = "top") -> str:
    """Why the last rebuild of an image was built."""
    (found,) = (reason for reason in reasons(world.states()[image]) if "; not rebased: " in reason)
    return found.partition("; not rebased: ")[2]


def test_when_its_source_moved(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    before = world.states()["top"].inputs["revision"]
    world.sources["top"] = "2"
    pushed(world, "sha256:base2")
    state = world.states()["top"]
    assert not_rebased(world) == f"its source moved from {before} to {state.inputs['revision']}"
    assert state.status is Status.DONE
    pushed(world, "sha256:base3")
    assert len(built(world)) == 2


def test_when_a_base_of_its_build_moved(make_world: MakeWorld) -> None:
    world = make_world()
    world.registry.put(TOOLS, image_of(["sha256:tools"]))
    world.register(top(build=[TOOLS]))
    pushed(world, "sha256:base1")
    world.registry.on_push = lambda *_: None
    world.registry.put(TOOLS, image_of(["sha256:other tools"]))
    world.registry.on_push = world.webhook
    pushed(world, "sha256:base2")
    assert not_rebased(world) == f"the build needs {TOOLS}, which moved"
    pushed(world, "sha256:base3")
    assert len(built(world)) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"build": (TOOLS,)}, f"its bases are others: {TOOLS} is there only now"),
        ({"runtime": TOOLS}, f"its bases are others: {BASE} is there only before"),
        ({"build_args": {"A": "1"}}, "how it is built was registered anew"),
        ({"target": "small"}, "how it is built was registered anew"),
    ],
)
def test_when_it_was_registered_anew(make_world: MakeWorld, change: dict[str, Any], why: str) -> None:
    world = make_world(top())
    world.registry.put(TOOLS, image_of(["sha256:tools"]))
    pushed(world, "sha256:base1")
    world.app.catalog.register([replace(top(), **change)], who="ann")
    if "runtime" in change:
        world.registry.put(TOOLS, image_of(["sha256:tools 2"]))
        world.drive()
    else:
        pushed(world, "sha256:base2")
    assert not_rebased(world) == why


def test_when_a_base_is_gone_from_its_dockerfile(make_world: MakeWorld) -> None:
    world = make_world()
    world.registry.put(TOOLS, image_of(["sha256:tools"]))
    world.register(top(build=[TOOLS]))
    pushed(world, "sha256:base1")
    world.app.catalog.register([top()], who="ann")
    pushed(world, "sha256:base2")
    assert not_rebased(world) == f"its bases are others: {TOOLS} is there only before"


def test_when_the_registry_refuses(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")

    def refuse(*_: object, **__: object) -> str:
        raise NotRebasableError("the ONBUILD triggers of the new base are others")

    monkeypatch.setattr(world.registry, "rebase", refuse)
    pushed(world, "sha256:base2")
    assert not_rebased(world) == "the ONBUILD triggers of the new base are others"
    assert world.statuses() == {"top": "done"}


def test_when_its_layers_do_not_begin_with_those_of_its_base(make_world: MakeWorld) -> None:
    world = make_world(top())
    base = pushed(world, "sha256:base1")
    squashed = image_of(["sha256:all in one"])
    book = GoodBook(world.app.store)
    good = book.of("top", world.registry.tags[ref("top")])
    assert good is not None
    assert good.base == base
    world.registry.on_push = lambda *_: None
    book.note("top", replace(good, digest=world.registry.put(ref("top"), squashed)))
    world.registry.on_push = world.webhook
    pushed(world, "sha256:base2")
    assert not_rebased(world) == "its layers do not begin with those of the base that it was built on"


def test_when_somebody_else_pushed_what_is_stable(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    world.registry.on_push = lambda *_: None
    world.registry.put(ref("top"), image_of(["sha256:by hand"]))
    world.registry.on_push = world.webhook
    pushed(world, "sha256:base2")
    assert not_rebased(world) == f"what {ref('top')} was built from is not known"


def test_when_nothing_is_stable(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    del world.registry.tags[ref("top")]
    pushed(world, "sha256:base2")
    assert not_rebased(world) == f"what {ref('top')} was built from is not known"


def test_when_its_inputs_are_in_doubt(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    world.revisions.down = PermanentError("no such branch")
    pushed(world, "sha256:base2")
    assert not_rebased(world) == "the revision of its source is not known: no such branch"


def test_when_it_stands_on_no_base(make_world: MakeWorld) -> None:
    world = make_world(registration("tool", None, build=[BASE], strategy=REBASE))
    pushed(world, "sha256:base1")
    assert not_rebased(world, "tool") == "it stands on no base"


def test_when_a_person_insists_or_it_stands_there_already(make_world: MakeWorld) -> None:
    world = make_world(top(strategy=REBASE_THEN_REBUILD))
    pushed(world, "sha256:base1")
    base = pushed(world, "sha256:base2")
    assert built(world) == ["top"]
    world.time += 1.0
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="a build, please")
    world.drive()
    assert not_rebased(world) == f"{ref('top')} stands on {BASE}@{base} already"
    pushed(world, "sha256:base3")
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, force=True, who="ann", why="cleaner")
    world.drive()
    assert built(world) == ["top"] * 3
    assert "run r2" in reasons(world.states()["top"])


def test_what_is_disproved_is_built_without_cache(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")

    def lie(image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        del old, new
        return world.registry.put(f"{HOST}/{image.repository}:{tag}", image_of(["sha256:elsewhere"]))

    monkeypatch.setattr(world.registry, "rebase", lie)
    pushed(world, "sha256:base2")
    state = world.states()["top"]
    assert (state.status, state.attempt, state.run) == (Status.DONE, 2, "r1")
    assert any(reason.endswith("once more without cache") for reason in reasons(state))
    assert world.builder.requests[-1].no_cache


def test_a_registry_that_does_not_answer_is_asked_again(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    asked, rebase = [], world.registry.rebase

    def at_last(image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        asked.append(tag)
        if len(asked) < 3:
            raise TemporaryError("busy")
        return rebase(image, old=old, new=new, tag=tag)

    monkeypatch.setattr(world.registry, "rebase", at_last)
    pushed(world, "sha256:base2")
    assert len(asked) == 3
    assert built(world) == ["top"]
    assert world.statuses() == {"top": "done"}


def test_a_base_that_moves_while_it_is_rebased(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    rebase = world.registry.rebase

    def slowly(image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        monkeypatch.setattr(world.registry, "rebase", rebase)
        world.push_base("sha256:base3")
        return rebase(image, old=old, new=new, tag=tag)

    monkeypatch.setattr(world.registry, "rebase", slowly)
    pushed(world, "sha256:base2")
    assert built(world) == ["top"]
    assert layers(world, ref("top"))[0] == "sha256:base3"


# What counts as built.


def test_a_rebase_is_good_enough_for_who_wants_no_more(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    pushed(world, "sha256:base2")
    first = world.cascade
    world.time += 1.0
    world.app.operator.replay(first, "top", stage=Stage.BUILD, who="ann", why="once more")
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.reason) == (
        Status.UNCHANGED,
        f"already built from the same inputs by cascade {first}",
    )
    world.app.catalog.register([top(strategy=REBUILD)], who="ann")
    world.app.operator.replay(first, "top", stage=Stage.BUILD, who="ann", why="once more")
    world.drive()
    assert built(world) == ["top", "top"]


def test_the_newest_of_what_gave_a_digest(make_world: MakeWorld) -> None:
    book = GoodBook(make_world().app.store)
    assert book.of("top", "sha256:d") is None
    book.note("top", Good(key="aa", digest="sha256:d", cascade="c1", at=2.0, base="sha256:b"))
    book.note("top", Good(key="bb", digest="sha256:d", cascade="c2", at=1.0))
    book.note("top", Good(key="cc", digest="sha256:e", cascade="c3", at=3.0))
    found = book.of("top", "sha256:d")
    assert found is not None
    assert (found.cascade, found.base) == ("c1", "sha256:b")


# The rule.

EVENT = Rebased(
    at=9, digest="sha256:c", onto="base:1@sha256:b1", built_on={"base:1": "sha256:b1"}, spec={}, inputs={}
)


def ready(**changes: object) -> Rebuild:
    waits = {"base:1": Wait(outcome=Outcome.PROMOTED, digest="sha256:b1", turn=0)}
    state = Rebuild(cascade="c1", image="app", status=Status.READY, waits=waits, attempt=1, turn=5)
    return replace(state, **changes)  # type: ignore[arg-type]


def test_the_slot_is_given_back_before_it_is_verified() -> None:
    state, commands = decide(ready(), EVENT)
    assert [command.kind for command in commands] == [Kind.RELEASE, Kind.VERIFY]
    assert (state.status, state.candidate, state.run) == (Status.VERIFYING, "sha256:c", "")


def test_on_a_base_that_moved_it_begins_again() -> None:
    moved = {"base:1": Wait(outcome=Outcome.PROMOTED, digest="sha256:b2", turn=7)}
    state, commands = decide(ready(waits=moved), EVENT)
    assert (state.status, state.attempt, state.candidate, state.inputs) == (Status.READY, 2, "", {})
    assert [command.kind for command in commands] == [Kind.RELEASE, Kind.ADMIT]


@pytest.mark.parametrize(
    "stop", [Cancelled(at=8, who="ann", why="x"), Held(at=8, who="ann", why="x"), Superseded(at=8, by="c2")]
)
def test_one_that_was_stopped_meanwhile_has_nothing_to_stop(stop: Cancelled | Held | Superseded) -> None:
    stopped, _ = decide(ready(), stop)
    assert decide(stopped, EVENT) == (stopped, ())


# Looking.


def test_one_image_tells_how_it_came_to_be(make_world: MakeWorld) -> None:
    world = make_world(top())
    pushed(world, "sha256:base1")
    before, old = world.registry.tags[ref("top")], world.registry.tags[BASE]
    pushed(world, "sha256:base2")
    state = world.states()["top"]
    lines = [line.strip() for line in told_lines(rebuild(rebuild_told(state, world.time)))]
    assert f"rebased from {before}, which stood on {old}; not built" in lines
    assert f"proof      rebased, without a run: {state.candidate}" in lines
