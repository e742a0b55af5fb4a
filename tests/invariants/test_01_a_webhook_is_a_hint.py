"""Invariant 1: a webhook is a hint, never the truth: the digest is read back, and the newest one wins."""

import pytest

from graph.reference import Reference
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, FakeRegistry, World, digest_of, registration


def holds(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.on_push = lambda reference, digest: None
    older, newest = world.push_base("sha256:base1"), world.push_base("sha256:base2")
    world.registry.on_push = world.webhook
    for said in (newest, older, digest_of("what was never pushed")):  # late, and a lie
        world.webhook(Reference.parse(BASE), said)
    world.drive()
    planned = [world.app.engine.records.header(cascade).value.digest for cascade in world.cascades]
    assert planned == [newest]
    assert world.states()["top"].proof["base_digest"] == newest


def nothing_is_read_back(patch: pytest.MonkeyPatch) -> None:
    """The registry's answer is what the last webhook said."""
    said: dict[str, str] = {}
    webhook, digest = World.webhook, FakeRegistry.digest

    def noted(self: World, reference: Reference, hint: str) -> None:
        said[str(reference)] = hint
        webhook(self, reference, hint)

    patch.setattr(World, "webhook", noted)
    patch.setattr(FakeRegistry, "digest", lambda self, ref: said.get(str(ref)) or digest(self, ref))


def the_oldest_wins(patch: pytest.MonkeyPatch) -> None:
    def first(self: FakeRegistry, reference: Reference) -> str | None:
        pushed = (digest for tag, digest in self.history[1:] if tag == str(reference))
        return reference.digest or next(pushed, None) or self.tags.get(str(reference))

    patch.setattr(FakeRegistry, "digest", first)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [nothing_is_read_back, the_oldest_wins])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
