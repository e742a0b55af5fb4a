"""The scan stage: under which policy a candidate is judged, what it is compared with, and what that costs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.cascade.gating import base_layers, layers_of_base
from groundswell.cascade.model import Rebuild
from groundswell.cascade.scanbook import ScanBook
from groundswell.cascade.status import Stage, Status
from groundswell.errors import GroundswellError, NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.verdict import Verdict
from groundswell.store.port import ANY, Put
from tests.support.world import BASE, World, image_of, ref, registration

type MakeWorld = Callable[..., World]

NO_WORSE: Mapping[str, Any] = {"mode": "no-worse"}


def flaw(id_: str, layer: str = "") -> Finding:
    return Finding(id=id_, package="p", installed="1", fixed="2", severity=Severity.CRITICAL, layer=layer)


class Scans:
    """A scanner whose findings are told by digest, and which counts what it is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found: dict[str, tuple[Finding, ...]] = {}
        self.fails: dict[str, GroundswellError] = {}
        self.asked: list[str] = []
        self.database_at = 5.0
        world.scanner.scan = self.scan  # type: ignore[method-assign]

    def scan(self, reference: Reference) -> Report:
        assert reference.digest
        self.asked.append(reference.digest)
        if reference.digest in self.fails:
            raise self.fails[reference.digest]
        return Report(
            scanner="fake",
            digest=reference.digest,
            os="debian 12",
            findings=self.found.get(reference.digest, self.found.get("", ())),
            packages=(Package(name="p", version="1", layer="sha256:base1"),),
            scanned_at=self.world.time,
            database_at=self.database_at,
        )


def rebuilt(world: World, layer: str = "sha256:base1") -> tuple[Rebuild, Verdict]:
    world.push_base(layer)
    world.drive()
    state = world.states()["top"]
    return state, Verdict.from_json(state.verdict)


def production(world: World) -> str:
    return world.registry.tags[ref("top")]


def test_a_clean_candidate_costs_one_scan(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    state, verdict = rebuilt(world)
    assert state.status is Status.DONE
    assert len(scans.asked) == 1
    assert (verdict.compared, verdict.notes) == ("", ())


def test_what_was_scanned_before_is_compared_for_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    scans.found[""] = (Finding(id="CVE-9", package="p", installed="1", fixed="", severity=Severity.LOW),)
    first, _ = rebuilt(world)
    scans.found[""] = ()
    _, verdict = rebuilt(world, "sha256:base2")
    assert len(scans.asked) == 2
    assert verdict.compared == first.promoted
    assert [(line.id, line.state) for line in verdict.fixed] == [("CVE-9", "fixed")]


def test_a_scan_with_other_advisories_is_not_compared(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    rebuilt(world)
    scans.database_at = 6.0
    _, verdict = rebuilt(world, "sha256:base2")
    assert (len(scans.asked), verdict.compared) == (2, "")
    scans.found[""] = (flaw("CVE-1"),)
    scans.database_at = 7.0
    _, verdict = rebuilt(world, "sha256:base3")
    assert (len(scans.asked), verdict.compared) == (4, production(world))


def test_no_worse_compares_with_what_production_runs(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate=NO_WORSE))
    scans = Scans(world)
    before = production(world)
    scans.found[""] = scans.found[before] = (flaw("CVE-1"),)
    state, verdict = rebuilt(world)
    assert state.status is Status.DONE
    assert scans.asked == [state.candidate, before]
    assert [(line.id, line.state, line.refused) for line in verdict.findings] == [("CVE-1", "carried", True)]
    assert verdict.notes[0].startswith("not clean: 1 refused")


def test_no_worse_refuses_what_it_adds(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate=NO_WORSE))
    scans = Scans(world)
    scans.found[""] = (flaw("CVE-1"), flaw("CVE-2"))
    scans.found[production(world)] = (flaw("CVE-1"),)
    state, _ = rebuilt(world)
    assert state.status is Status.REJECTED
    assert state.reason.startswith("CVE-2 ")


def test_a_rejected_candidate_is_explained_and_blamed(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    scans.found[""] = (flaw("CVE-1", "sha256:base1"), flaw("CVE-2", "sha256:own"))
    scans.found[production(world)] = (flaw("CVE-1"), flaw("CVE-0"))
    state, verdict = rebuilt(world)
    assert state.status is Status.REJECTED
    assert {line.id: (line.state, line.blame) for line in verdict.findings} == {
        "CVE-1": ("carried", "base"),
        "CVE-2": ("new", "image"),
    }
    assert [line.id for line in verdict.fixed] == ["CVE-0"]
    assert "CVE-1 (CRITICAL) in p 1: fixed in 2, from its base" in state.reason


@pytest.mark.parametrize("error", [PermanentError("no longer there"), TemporaryError("away")])
def test_production_that_cannot_be_scanned_does_not_keep_a_verdict_from_being_given(
    make_world: MakeWorld, error: GroundswellError
) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    scans.found[""] = (flaw("CVE-1"),)
    scans.fails[production(world)] = error
    state, verdict = rebuilt(world)
    assert state.status is Status.REJECTED
    assert verdict.compared == ""
    assert "to compare with: " in verdict.notes[-1]
    assert str(error) in verdict.notes[-1]


def test_no_worse_fails_closed_when_production_cannot_be_scanned(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate=NO_WORSE))
    scans = Scans(world)
    scans.found[""] = (flaw("CVE-1"),)
    scans.fails[production(world)] = PermanentError("no longer there")
    state, verdict = rebuilt(world)
    assert state.status is Status.REJECTED
    assert verdict.notes == (
        "there is no scan of what production runs to compare with, so it must be clean",
        "what production runs cannot be scanned to compare with: no longer there",
    )


def test_no_worse_tries_again_when_production_cannot_be_scanned_now(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate=NO_WORSE))
    scans = Scans(world)
    scans.found[""] = scans.found[production(world)] = (flaw("CVE-1"),)
    scans.fails[production(world)] = TemporaryError("away")
    world.push_base()
    world.drive(until=12.0)
    assert world.states()["top"].status is Status.SCANNING
    scans.fails.clear()
    world.drive()
    assert world.states()["top"].status is Status.DONE


def test_the_policy_is_the_one_in_force_when_it_is_scanned(make_world: MakeWorld) -> None:
    """A person allows a finding and replays the scan: the image is not built again for it."""
    world = make_world(registration("top", BASE, owner="platform"))
    scans = Scans(world)
    scans.found[""] = (flaw("CVE-1"),)
    state, _ = rebuilt(world)
    assert state.status is Status.REJECTED
    allow = [{"id": "CVE-1", "reason": "not called", "expires": "2030-01-01"}]
    world.app.catalog.register([registration("top", BASE, gate={"allow": allow})], who="ann")
    world.app.operator.replay(world.cascade, "top", stage=Stage.SCAN, who="ann", why="allowed")
    world.drive()
    state = world.states()["top"]
    assert state.status is Status.DONE
    assert state.verdict["findings"][0]["allowed"] == "until 2030-01-01: not called"


def test_teams_and_global_policies_count(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, owner="platform"))
    Scans(world)
    never = [{"package": "p", "reason": "banned"}]
    document = {"version": 1, "global": {}, "teams": {"platform": {"never": never}}, "vex": []}
    world.app.policies.set(document, who="ann", why="banned")
    state, _ = rebuilt(world)
    assert (state.status, state.reason) == (Status.REJECTED, "p 1 is never allowed (banned), from its base")


def test_an_image_that_is_no_longer_registered_keeps_its_gate(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, gate={"fixable_only": False}))
    scans = Scans(world)
    scans.found[""] = (Finding(id="CVE-1", package="p", installed="1", fixed="", severity=Severity.CRITICAL),)

    def unregister(reference: Reference) -> Report:
        world.scanner.scan = scans.scan  # type: ignore[method-assign]
        world.app.catalog.unregister(["top"], who="ann", why="retired")
        return scans.scan(reference)

    world.scanner.scan = unregister  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    assert world.states()["top"].status is Status.REJECTED


def test_layers_of_the_base() -> None:
    assert base_layers(image_of(["a", "b"]), image_of(["a"])) == ["a"]
    assert layers_of_base({}) is None
    assert layers_of_base({"run": "r"}) == ()
    assert layers_of_base({"base": "b"}) is None
    assert layers_of_base({"base": "b", "base_layers": ["a"]}) == ["a"]


def test_a_scan_is_found_again_as_it_was(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    book = ScanBook(world.app.store)
    report = Scans(world).scan(Reference(registry="r", repository="a", tag=None, digest="sha256:1"))
    book.keep("top", report)
    assert book.find("top", "sha256:1", report) == report
    assert book.find("top", "sha256:2", report) is None
    newer = {"v": 2, "report": {"digest": "sha256:1"}}
    world.app.store.commit("good", "new", [Put(row="scan:fake", value=newer, etag=ANY)])
    assert book.find("new", "sha256:1", report) is None
    assert book.find("other", "sha256:1", report) is None
    bare = Report(scanner="bare", digest="sha256:1", os="", findings=(flaw("CVE-1"),))
    book.keep("top", bare)
    assert book.find("top", "sha256:1", bare) is None  # nobody knows with which advisories it was made
    kept = Report(scanner="bare", digest="sha256:1", os="", findings=(flaw("CVE-1"),), database_at=1.0)
    book.keep("top", kept)
    assert book.find("top", "sha256:1", kept) == kept


def test_what_passed_is_kept_with_the_good_build_once_it_is_promoted(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    Scans(world)
    state, _ = rebuilt(world)
    rows = [record.row for record in world.app.store.scan("good", "top")]
    assert rows[-1] == "scan:fake"
    assert len(rows) == 2
    book = ScanBook(world.app.store)
    bare = Report(scanner="bare", digest="sha256:9", os="", findings=())
    book.hold("top", [bare])
    assert book.held("top", "sha256:9") == ()  # nobody knows with which advisories it was made
    book.hold("top", [bare, replace(bare, scanner="dated", database_at=1.0)])
    assert [put.row for put in book.held("top", "sha256:9")] == ["scan:dated"]
    assert book.held("other", state.candidate) == ()


def test_a_scan_is_kept_although_it_is_not_known_what_was_built(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    Scans(world)
    world.revisions.down = TemporaryError("git is away")
    rebuilt(world)
    assert [record.row for record in world.app.store.scan("good", "top")] == ["scan:fake"]


def test_a_scan_that_is_too_large_to_store_is_not_kept(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world(registration("top", BASE))

    def refuse(*_: object) -> list[str]:
        raise PermanentError("too large")

    report = Scans(world).scan(Reference(registry="r", repository="a", tag=None, digest="sha256:1"))
    monkeypatch.setattr(world.app.store, "commit", refuse)
    ScanBook(world.app.store).keep("top", report)
    assert "scan not kept" in caplog.text


def test_an_image_that_is_no_longer_registered_is_judged_as_it_was_built(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE, gate={"os": "none"}))
    known = world.app.catalog.registration

    def gone(name: str, *, age: float = 0.0) -> Registration:
        if age:  # so the gate asks, and nobody else
            raise NotFoundError(f"{name} is not registered")
        return known(name)

    monkeypatch.setattr(world.app.catalog, "registration", gone)
    Scans(world)
    state, _ = rebuilt(world)
    assert state.status is Status.DONE


def test_a_scan_of_long_ago_is_made_again_and_fails_when_it_stays_old(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scans = Scans(world)
    scan, asked = scans.scan, 0

    def old(reference: Reference) -> Report:
        nonlocal asked
        asked += 1
        return replace(scan(reference), scanned_at=1.0 if asked < until else world.time)

    world.scanner.scan = old  # type: ignore[method-assign]
    until = 3
    assert rebuilt(world)[0].status is Status.DONE
    assert asked == 3
    until = 1000
    world.push_base("sha256:base2")
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.SCAN)
    assert "older than the 24 hours allowed; scan again" in state.reason
