"""Invariant 2: any message may arrive twice, late, or out of order; acting twice on it changes nothing."""

import random
from dataclasses import replace
from typing import Any

import pytest

from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.events import BaseNews
from groundswell.cascade.model import Rebuild
from groundswell.cascade.planning import JOINS, Planner
from tests.invariants.mutations import MakeWorld, Mutation, fails_when, replace_rule, rule
from tests.support.world import BASE, World, ref, registration, workload


def holds(make_world: MakeWorld) -> None:
    for seed in range(3):
        world = make_world(
            registration("top", BASE),
            registration("left", ref("top"), deployments=[workload("web")]),
            registration("bottom", ref("left"), build=[ref("top")]),
            slots=2,
        )
        delivered = listen(world)
        world.broken.add("top")
        world.push_base()
        world.drive(rng=random.Random(seed), double=True)
        world.broken.clear()
        world.app.operator.replay(world.cascade, "top", who="ann", why="mended")
        world.drive(rng=random.Random(seed), double=True)
        assert world.statuses() == {"top": "done", "left": "done", "bottom": "done"}
        built = [request.repository for request in world.builder.requests]
        assert sorted(built) == ["bottom", "left", "top", "top"], "once each, and once more what was replayed"
        before = seen(world)
        late = list(delivered)
        random.Random(seed).shuffle(late)
        world.time += 2 * JOINS
        for name, body in late:
            world.deliver(name, body)
        world.drive()
        assert seen(world) == before, "messages that came once more, late and in another order"


def listen(world: World) -> list[tuple[str, str]]:
    """What is delivered from now on."""
    delivered: list[tuple[str, str]] = []
    deliver = world.deliver

    def noted(name: str, body: str) -> None:
        delivered.append((name, body))
        deliver(name, body)

    world.deliver = noted  # type: ignore[method-assign]
    return delivered


def seen(world: World) -> dict[str, Any]:
    return {
        "cascades": world.cascades,
        "rebuilds": {name: replace(state, outbox=()) for name, state in world.states().items()},
        "builds": list(world.builder.requests),
        "tags": list(world.registry.history),
        "patches": list(world.deployer.patches),
    }


def a_known_digest_is_new(patch: pytest.MonkeyPatch) -> None:
    claim = BaseBook.claim

    def forgetful(self: BaseBook, reference: str, *, digest: str, push: str = "") -> Base:
        return replace(claim(self, reference, digest=digest, push=push), planned=False)

    patch.setattr(BaseBook, "claim", forgetful)
    patch.setattr(Planner, "_overtaken", lambda self, push: False)  # which would notice


def older_news_counts(patch: pytest.MonkeyPatch) -> None:
    news = rule(BaseNews)

    def believed(state: Rebuild, event: BaseNews) -> object:
        forgotten = {base: replace(wait, turn=-1) for base, wait in state.waits.items()}
        return news(replace(state, waits=forgotten), event)

    replace_rule(patch, BaseNews, believed)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [a_known_digest_is_new, older_news_counts])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
