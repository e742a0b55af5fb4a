"""A scan that works elsewhere: looked at again and again, given up in the end, and never taken for clean."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from graph.reference import Reference
from groundswell.cascade.deadlines import DEADLINES, SCAN
from groundswell.cascade.decide import decide
from groundswell.cascade.engine import MAX_TRIES, SCANS
from groundswell.cascade.events import Nudged
from groundswell.cascade.model import Command, Kind, Rebuild
from groundswell.cascade.polling import Polling
from groundswell.cascade.status import Status
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.panel import Panel
from groundswell.scan.port import Finding, NotYetError, Report, Severity
from groundswell.scan.verdict import Verdict
from tests.support.world import BASE, World, ref, registration

type MakeWorld = Callable[..., World]

CANDIDATE = Command(kind=Kind.SCAN, cascade="c", image="app", turn=3)


class Elsewhere:
    """A scanner that answers what it is told, in turn, and then with its findings. It notes when it is asked."""

    def __init__(self, world: World, *answers: GroundswellError | None, name: str = "fake") -> None:
        self.world = world
        self.answers = list(answers)
        self.name = name
        self.asked: list[float] = []
        self.digests: list[str] = []
        self.findings: Sequence[Finding] = ()

    def scan(self, reference: Reference) -> Report:
        assert reference.digest
        self.asked.append(self.world.time)
        self.digests.append(reference.digest)
        if self.answers and (answer := self.answers.pop(0)):
            raise answer
        return Report(
            scanner=self.name,
            digest=reference.digest,
            os="debian 12",
            findings=tuple(self.findings),
            scanned_at=self.world.time,
            database_at=5.0,
        )


def scanned_by(world: World, *scanners: Elsewhere) -> None:
    vars(world.app)["panel"] = Panel({each.name: each for each in scanners})


def rebuilt(world: World) -> Rebuild:
    world.push_base()
    world.drive()
    return world.states()["top"]


def gaps(times: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(times)]


def test_a_report_that_is_not_there_yet_is_waited_for_less_and_less_often(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanner = Elsewhere(world, *[NotYetError("run cf1 is at work")] * 6)
    scanned_by(world, scanner)
    state = rebuilt(world)
    assert state.status is Status.DONE
    assert gaps(scanner.asked) == pytest.approx([10, 20, 40, 60, 60, 60], abs=1.0)


def test_what_is_never_there_fails_with_what_was_waited_for(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanner = Elsewhere(world, *[NotYetError("run cf1 of trivy is Queued")] * 1000)
    scanned_by(world, scanner)
    before = world.registry.tags[ref("top")]
    state = rebuilt(world)
    assert (state.status, state.reason) == (Status.FAILED, "no report after 50 min: run cf1 of trivy is Queued")
    assert world.registry.tags[ref("top")] == before
    assert DEADLINES[Status.SCANNING] > SCAN


def test_a_scan_that_fails_is_begun_again_but_not_for_ever(make_world: MakeWorld) -> None:
    """Between two failures the new run is waited for, which must not make the engine forget that it failed."""
    world = make_world(registration("top", BASE))
    answers = [NotYetError("at work"), TemporaryError("run cf1 ended as Failed", delay=1)] * 100
    scanned_by(world, Elsewhere(world, *answers))
    state = rebuilt(world)
    assert state.status is Status.FAILED
    assert state.reason == f"gave up after {MAX_TRIES} tries: run cf1 ended as Failed"


def test_a_scan_that_works_at_the_second_try(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanned_by(world, Elsewhere(world, NotYetError("at work"), TemporaryError("away"), NotYetError("at work")))
    assert rebuilt(world).status is Status.DONE


def test_every_scanner_must_have_reported_and_the_verdict_says_who_said_what(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate={"scanners": ["a", "b"]}))
    first, second = Elsewhere(world, name="a"), Elsewhere(world, NotYetError("b is at work"), name="b")
    flaw = Finding(id="CVE-1", package="p", installed="1", fixed="2", severity=Severity.MEDIUM)
    first.findings, second.findings = [flaw], [replace(flaw, severity=Severity.CRITICAL)]
    scanned_by(world, first, second)
    state = rebuilt(world)
    assert state.status is Status.REJECTED
    (line,) = Verdict.from_json(state.verdict).findings
    assert (line.severity, line.said) == ("CRITICAL", {"a": "MEDIUM", "b": "CRITICAL"})


def test_a_required_scanner_that_there_is_not_is_no_pass(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate={"scanners": ["a", "b"]}))
    scanned_by(world, Elsewhere(world, name="a"))
    state = rebuilt(world)
    assert (state.status, state.reason) == (Status.REJECTED, "b must scan it, but has not reported")


@pytest.mark.parametrize("mode", ["clean", "no-worse"])
def test_what_production_runs_is_waited_for_too(make_world: MakeWorld, mode: str) -> None:
    world = make_world(registration("top", BASE, gate={"mode": mode}))
    scanner = Elsewhere(world, None, NotYetError("at work"))
    scanner.findings = [Finding(id="CVE-1", package="p", installed="1", fixed="2", severity=Severity.CRITICAL)]
    scanned_by(world, scanner)
    production = world.registry.tags[ref("top")]
    state = rebuilt(world)
    assert state.status is (Status.DONE if mode == "no-worse" else Status.REJECTED)
    assert Verdict.from_json(state.verdict).compared == production
    assert scanner.digests == [state.candidate, production] * 2


def test_production_is_compared_for_nothing_only_when_all_scanners_have_a_scan_of_it(
    make_world: MakeWorld,
) -> None:
    world = make_world(registration("top", BASE, gate={"scanners": ["a"]}))
    first, second = Elsewhere(world, name="a"), Elsewhere(world, name="b")
    scanned_by(world, first, second)
    assert rebuilt(world).status is Status.DONE
    world.app.catalog.register([registration("top", BASE, gate={"scanners": ["a", "b"]})], who="test")
    flaw = Finding(id="CVE-1", package="p", installed="1", fixed="2", severity=Severity.CRITICAL)
    for layer, scans in (("sha256:base2", 2), ("sha256:base3", 1)):
        first.findings = [flaw]
        first.digests.clear()
        production = world.registry.tags[ref("top")]
        world.push_base(layer)
        world.drive()
        state = world.states()["top"]
        assert state.status is Status.REJECTED
        assert first.digests == [state.candidate, production][:scans]
        assert Verdict.from_json(state.verdict).compared == production


def test_the_sweep_looks_once_more_and_begins_no_second_round_of_looks() -> None:
    polling = Polling(poll=5.0, clock=lambda: 0.0)
    scanning = Rebuild(cascade="c", image="app", status=Status.SCANNING, waits={}, turn=3, outbox=(CANDIDATE,))
    _, (look,) = decide(scanning, Nudged(at=1.0))
    assert (look.kind, look.data) == (Kind.SCAN, {"once": True})
    assert polling.next(look) is None
    later = polling.next(replace(CANDIDATE, tries=2))
    assert later is not None
    assert (later.delay, later.tries) == (10.0, 2)


def test_a_scan_whose_message_was_lost_is_taken_up_by_the_sweep(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanner = Elsewhere(world, *[NotYetError("at work")] * 3)
    scanned_by(world, scanner)
    world.push_base()
    while not scanner.asked:
        world.drive(until=1)
    world.time += 11.0
    (lost,) = world.app.store.receive(SCANS, limit=32, lease=600)
    world.app.store.delete(SCANS, lost)
    while world.states()["top"].status is Status.SCANNING:
        world.time += 61.0
        world.app.sweep.run()
        world.drive(until=30)
        assert len(scanner.asked) < 10
    assert world.states()["top"].status is Status.DONE


def test_a_scanner_that_refuses_the_image_fails_it_at_once(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanned_by(world, Elsewhere(world, NotYetError("at work"), PermanentError("no advisories for this system")))
    state = rebuilt(world)
    assert (state.status, state.reason) == (Status.FAILED, "no advisories for this system")
