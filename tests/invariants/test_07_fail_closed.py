"""Invariant 7: a scanner that errors, times out, or does not recognise the image's system is not a pass."""

from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.cascade.model import Command, Event, Rebuild, Scanned
from groundswell.cascade.stages import Stages
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.gate import Policy, Verdict, judge
from groundswell.scan.port import Report
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, ref, registration


def holds(make_world: MakeWorld) -> None:
    for error in (PermanentError("the database is too old"), TemporaryError("it did not end in 120 s")):
        world = make_world(registration("top", BASE))
        world.scanner.down = error
        assert what_becomes(world) == "failed", f"the scanner says: {error}"
    world = make_world(registration("top", BASE))
    scan = world.scanner.scan

    def sees_no_system(reference: Reference) -> Report:
        return replace(scan(reference), os="", findings=())

    world.scanner.scan = sees_no_system  # type: ignore[method-assign]
    assert what_becomes(world) == "rejected", "no findings, and no system"


def what_becomes(world: World) -> str:
    former = world.registry.tags[ref("top")]
    world.push_base()
    world.drive()
    if world.registry.tags[ref("top")] != former:
        return "promoted"
    return world.statuses()["top"]


def an_error_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    scan = Stages.scan

    def trusting(self: Stages, command: Command, state: Rebuild) -> Event:
        try:
            return scan(self, command, state)
        except GroundswellError:
            verdict = {"passed": True, "digest": state.candidate}
            return Scanned(at=self._clock(), passed=True, verdict=verdict, reason="")

    patch.setattr(Stages, "scan", trusting)


def a_timeout_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    scan = Stages.scan

    def trusting(self: Stages, command: Command, state: Rebuild) -> Event:
        try:
            return scan(self, command, state)
        except TemporaryError:
            verdict = {"passed": True, "digest": state.candidate}
            return Scanned(at=self._clock(), passed=True, verdict=verdict, reason="")

    patch.setattr(Stages, "scan", trusting)


def no_system_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    def trusting(report: Report, policy: Policy) -> Verdict:
        return judge(report, replace(policy, allow_no_os=True))

    patch.setattr("groundswell.cascade.stages.judge", trusting)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [an_error_is_a_pass, a_timeout_is_a_pass, no_system_is_a_pass])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
