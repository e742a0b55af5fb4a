"""Invariant 7: a scanner that errors, times out, or does not recognise the image's system is not a pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.cascade.events import Event, Scanned
from groundswell.cascade.model import Command, Rebuild
from groundswell.cascade.stages import Stages
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy
from groundswell.scan.port import NotYetError, Report
from groundswell.scan.verdict import Verdict
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, ref, registration


def holds(make_world: MakeWorld) -> None:
    errors = (
        PermanentError("the database is too old"),
        TemporaryError("no end in 120 s"),
        NotYetError("no report"),
    )
    for error in errors:
        world = make_world(registration("top", BASE))
        world.scanner.down = error
        assert what_becomes(world) == "failed", f"the scanner says: {error}"
    for said, changes in WORTHLESS.items():
        world = make_world(registration("top", BASE))
        world.scanner.scan = partial(changed, world.scanner.scan, changes)  # type: ignore[method-assign]
        end = "failed" if "scanned_at" in changes else "rejected"  # a scan of long ago is made again first
        assert what_becomes(world) == end, f"no findings, and {said}"


WORTHLESS: Mapping[str, Mapping[str, Any]] = {
    "no system": {"os": ""},
    "of another image": {"digest": "sha256:another"},
    "of long ago": {"scanned_at": 0.0},
}


def changed(scan: Callable[[Reference], Report], changes: Mapping[str, Any], reference: Reference) -> Report:
    return replace(scan(reference), findings=(), **changes)


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
    def trusting(reports: Sequence[Report], policy: Policy, **rest: Any) -> Verdict:
        return judge(reports, replace(policy, allow_no_os=True), **rest)

    patch.setattr("groundswell.cascade.gating.judge", trusting)


def another_image_s_report_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    def trusting(reports: Sequence[Report], policy: Policy, *, subject: Reference, **rest: Any) -> Verdict:
        digest = subject.digest or ""
        return judge([replace(report, digest=digest) for report in reports], policy, subject=subject, **rest)

    patch.setattr("groundswell.cascade.gating.judge", trusting)


def a_stale_scan_is_a_pass(patch: pytest.MonkeyPatch) -> None:
    for user in ("scan.gate", "cascade.gating"):
        patch.setattr(f"groundswell.{user}.stale", lambda *_: ())


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize(
    "mutation",
    [
        an_error_is_a_pass,
        a_timeout_is_a_pass,
        no_system_is_a_pass,
        another_image_s_report_is_a_pass,
        a_stale_scan_is_a_pass,
    ],
)
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
