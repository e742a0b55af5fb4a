"""Invariant 6: no stable tag points to an unscanned or rejected image; deployed is by digest, after promotion."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.cascade.events import Event, RolloutsPlanned
from groundswell.cascade.model import Command, Rebuild
from groundswell.cascade.rolling import Rolling
from groundswell.cascade.stages import Stages
from groundswell.deploy.port import Workload
from groundswell.scan.policy import Policy
from groundswell.scan.port import Report
from groundswell.scan.verdict import Verdict
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, HOST, FakeDeployer, FakeRegistry, World, ref, registration, workload


def holds(make_world: MakeWorld) -> None:
    world = make_world(
        registration("good", BASE, deployments=[workload("web")]),
        registration("bad", BASE, deployments=[workload("job")]),
    )
    world.vulnerable.add("bad")
    former = world.registry.tags[ref("bad")]
    moved: list[tuple[str, bool]] = []
    patched: list[str] = []
    watch_tags(world, moved)
    watch_patches(world, patched)
    world.push_base()
    world.drive()
    assert [tag for tag, scanned in moved if not scanned] == [], "not scanned at the moment when it got its tag"
    assert (world.statuses(), world.registry.tags[ref("bad")]) == ({"good": "done", "bad": "rejected"}, former)
    good = world.registry.tags[ref("good")]
    assert {tag for tag, _ in moved} == {ref("good")}
    assert patched == [f"{HOST}/good@{good} promoted"]


def watch_tags(world: World, moved: list[tuple[str, bool]]) -> None:
    """Note of every stable tag that is moved whether what it points to has been scanned by then."""
    announce = world.registry.on_push

    def looked(reference: Reference, digest: str) -> None:
        if str(reference) != BASE and not (reference.tag or "").startswith("gs-"):
            moved.append((str(reference), digest in world.scanner.scanned))
        announce(reference, digest)

    world.registry.on_push = looked


def watch_patches(world: World, patched: list[str]) -> None:
    """Note what workloads are given, and whether a stable tag pointed there by then."""
    patch = world.deployer.patch

    def looked(workload: Workload, image: str, *, cause: str) -> None:
        promoted = image.partition("@")[2] in world.registry.tags.values()
        patched.append(f"{image} {'promoted' if promoted else 'not promoted'}")
        patch(workload, image, cause=cause)

    world.deployer.patch = looked  # type: ignore[method-assign]


def everything_passes_the_gate(patch: pytest.MonkeyPatch) -> None:
    def lenient(reports: Sequence[Report], policy: Policy, **_: object) -> Verdict:
        return Verdict(
            passed=True, digest=reports[0].digest, scanner="", os="", reasons=(), counts={}, tally={"refused": 0}
        )

    patch.setattr("groundswell.cascade.gating.judge", lenient)


def it_is_promoted_before_it_is_scanned(patch: pytest.MonkeyPatch) -> None:
    scan = Stages.scan

    def hasty(self: Stages, command: Command, state: Rebuild) -> Event:
        self._registry.promote(Reference.parse(f"{HOST}/{state.image}@{state.candidate}"), ["1"])
        return scan(self, command, state)

    patch.setattr(Stages, "scan", hasty)


def it_is_deployed_by_tag(patch: pytest.MonkeyPatch) -> None:
    deploy = Rolling.deploy

    def by_tag(self: Rolling, command: Command, state: Rebuild) -> Event:
        event = deploy(self, command, state)
        assert isinstance(event, RolloutsPlanned)
        named = tuple(replace(each, image=f"{HOST}/{state.image}:1") for each in event.rollouts)
        return replace(event, rollouts=named)

    patch.setattr(Rolling, "deploy", by_tag)


def it_is_deployed_before_it_is_promoted(patch: pytest.MonkeyPatch) -> None:
    scan = Stages.scan

    def hasty(self: Stages, command: Command, state: Rebuild) -> Event:
        deployer = self._rolling._deployer
        assert isinstance(deployer, FakeDeployer)
        deployer.patch(workload("web"), f"{HOST}/{state.image}@{state.candidate}", cause="at once")
        return scan(self, command, state)

    patch.setattr(Stages, "scan", hasty)
    candidates_have_no_tag(patch)


def candidates_have_no_tag(patch: pytest.MonkeyPatch) -> None:
    """So that only a stable tag makes a digest count as promoted."""
    digest = FakeRegistry.digest

    def found(self: FakeRegistry, reference: Reference) -> str | None:
        seen = digest(self, reference)
        if (reference.tag or "").startswith("gs-"):
            self.tags.pop(str(reference), None)
        return seen

    patch.setattr(FakeRegistry, "digest", found)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize(
    "mutation",
    [
        everything_passes_the_gate,
        it_is_promoted_before_it_is_scanned,
        it_is_deployed_by_tag,
        it_is_deployed_before_it_is_promoted,
    ],
)
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
