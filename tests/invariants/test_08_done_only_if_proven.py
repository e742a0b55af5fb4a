"""Invariant 8: a rebuild is done only if its layers begin with the new base's, on every platform."""

from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.build.port import BuildRequest, Run
from groundswell.cascade.events import Disproved, Event, Verified
from groundswell.cascade.model import Command, Rebuild
from groundswell.cascade.stages import Stages
from groundswell.registry import chain
from groundswell.registry.port import Image
from tests.invariants.mutations import Check, MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, image_of, ref, registration


def an_old_base_fails_with_that_reason(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.on_old_base.add("top")
    always_from_the_cache(world)
    former = world.registry.tags[ref("top")]
    pushed = world.push_base()
    world.drive()
    assert world.statuses() == {"top": "failed", "app": "blocked"}
    assert world.states()["top"].reason.startswith(f"not built on {BASE}@{pushed}: ")
    assert world.registry.tags[ref("top")] == former
    assert len(world.builder.requests) == 2, "once more without the cache, and then no more"


def always_from_the_cache(world: World) -> None:
    start = world.builder.start

    def cached(request: BuildRequest) -> Run:
        return start(replace(request, no_cache=False))

    world.builder.start = cached  # type: ignore[method-assign]


def one_platform_on_an_old_base_is_enough(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    built = world.registry.image

    def second_platform_is_old(reference: object) -> Image | None:
        image = built(reference)  # type: ignore[arg-type]
        if image is None:
            return None
        (own,) = image.platforms
        layers = ("sha256:old", "sha256:own") if len(own.diff_ids) > 1 else own.diff_ids
        return replace(image, platforms=(own, replace(own, platform="linux/arm64", diff_ids=layers)))

    world.registry.image = second_platform_is_old  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "failed"}
    assert "linux/arm64" in world.states()["top"].reason


def what_is_proven_is_done(make_world: MakeWorld) -> None:
    """Else a rule that proves nothing would do."""
    world = make_world(registration("top", BASE))
    world.on_old_base.add("top")  # the first time; not without the cache
    pushed = world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status.value, state.attempt) == ("done", 2)
    assert (state.proof["base_digest"], state.proof["layers"]["proven"]) == (pushed, True)


def everything_is_proven(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "groundswell.cascade.stages.prove", lambda image, base: chain.Proof(proven=True, reasons=(), platforms=())
    )


def nothing_is_proven(patch: pytest.MonkeyPatch) -> None:
    nothing = image_of(["sha256:no such layer"])
    patch.setattr("groundswell.cascade.stages.prove", lambda image, base: chain.prove(image, nothing))


def the_first_platform_counts(patch: pytest.MonkeyPatch) -> None:
    def first(image: Image, base: Image) -> chain.Proof:
        return chain.prove(replace(image, platforms=image.platforms[:1]), base)

    patch.setattr("groundswell.cascade.stages.prove", first)


def what_is_disproved_goes_on(patch: pytest.MonkeyPatch) -> None:
    verify = Stages.verify

    def lenient(self: Stages, command: Command, state: Rebuild) -> Event:
        event = verify(self, command, state)
        if not isinstance(event, Disproved):
            return event
        now = self._registry.digest(Reference.parse(ref(state.image))) or ""
        return Verified(at=event.at, proof=event.proof, previous=now, unchanged=False)

    patch.setattr(Stages, "verify", lenient)


CHECKS = [
    (an_old_base_fails_with_that_reason, everything_is_proven),
    (an_old_base_fails_with_that_reason, what_is_disproved_goes_on),
    (one_platform_on_an_old_base_is_enough, everything_is_proven),
    (one_platform_on_an_old_base_is_enough, the_first_platform_counts),
    (what_is_proven_is_done, nothing_is_proven),
]


@pytest.mark.parametrize("check", dict.fromkeys(check for check, _ in CHECKS))
def test_it_holds(make_world: MakeWorld, check: Check) -> None:
    check(make_world)


@pytest.mark.parametrize(("check", "mutation"), CHECKS)
def test_it_can_fail(make_world: MakeWorld, check: Check, mutation: Mutation) -> None:
    fails_when(mutation, check, make_world)
