"""Invariant 10: digest-pinned edges are not rebuilt: they are reported as stale, with the pin to change."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from graph.impact import Impact, impact
from graph.lineage import Lineage, Node
from groundswell.cascade.stale import Cause, survey
from groundswell.lineage.model import node
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, ref, registration


def holds(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    pin = f"{BASE}@{world.registry.tags[BASE]}"
    world.register(registration("pinned", pin), registration("above", ref("pinned")))
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert [request.repository for request in world.builder.requests] == ["top"]
    assert world.app.engine.records.header(world.cascade).value.pinned == (("pinned", pin),)
    stale = {item.image: item for item in report(world).images}
    assert set(stale) == {"pinned", "above"}
    assert (stale["pinned"].cause, stale["above"].cause) == (Cause.PINNED, Cause.BLOCKED)
    assert pin in stale["pinned"].detail


def report(world: World) -> Any:
    app = world.app
    return survey(
        catalog=app.catalog,
        bases=app.bases,
        records=app.engine.records,
        registry=app.registry,
        deployer=lambda: app.deployer,
    )


def pins_are_read_as_tags(patch: pytest.MonkeyPatch) -> None:
    def unpinned(value: Mapping[str, Any]) -> Node:
        made = node(value)
        return replace(made, runtime=made.runtime.partition("@")[0] if made.runtime else None)

    patch.setattr("groundswell.lineage.catalog.node", unpinned)


def pins_are_not_told(patch: pytest.MonkeyPatch) -> None:
    def silent(lineage: Lineage, *references: str) -> Impact:
        return replace(impact(lineage, *references), held=())

    patch.setattr("groundswell.cascade.planning.impact", silent)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [pins_are_read_as_tags, pins_are_not_told])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
