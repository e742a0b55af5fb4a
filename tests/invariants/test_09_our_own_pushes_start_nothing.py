"""Invariant 9: our own pushes (candidates, promotions) start no second cascade for images already in this one."""

import pytest

from groundswell.cascade import model
from groundswell.cascade.basebook import BaseBook
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, ref, registration


def holds(make_world: MakeWorld) -> None:
    world = make_world(
        registration("top", BASE),
        registration("left", ref("top")),
        registration("bottom", ref("left"), build=[ref("top")]),
    )
    world.push_base()
    world.drive(double=True)
    assert set(world.statuses().values()) == {"done"}
    ours = [tag for tag, _ in world.registry.history if f":{model.FORMER}" not in tag][-6:]
    assert sum(":gs-" in tag for tag in ours) == 3, "each candidate was announced"
    assert {tag for tag in ours if ":gs-" not in tag} == {ref(name) for name in ("top", "left", "bottom")}
    assert len(world.cascades) == 1
    assert sorted(request.repository for request in world.builder.requests) == ["bottom", "left", "top"]


def promotions_are_not_in_the_book(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BaseBook, "promoting", lambda self, references, **_: None)


def candidates_have_a_stable_tag(patch: pytest.MonkeyPatch) -> None:
    """And are announced under it, before anything is promoted."""
    patch.setattr(model.Rebuild, "candidate_tag", property(lambda self: "1"))


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [promotions_are_not_in_the_book, candidates_have_a_stable_tag])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
