"""Every way in which a scan can go wrong, through the whole engine: tried again, then failed with the reason."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from groundswell.build.port import Run, RunStatus
from groundswell.cascade.engine import MAX_TRIES
from groundswell.cascade.status import Stage, Status
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.defender import report
from groundswell.scan.panel import Panel
from groundswell.scan.port import Report, Scanner
from tests.support.resource_graph import row
from tests.support.scan_fakes import (
    NOW,
    OTHER,
    FakeArtifacts,
    FakeRuns,
    Scanning,
    command,
    database,
    flaw,
    trivy_report,
)
from tests.support.world import BASE, World, ref, registration

type MakeWorld = Callable[..., World]
type Leave = Callable[[FakeArtifacts, str, str], object]
"""What a run leaves in the registry: given that, the digest that it scanned, and its own id."""

DAY = 86400.0
FOR_EVER = f"gave up after {MAX_TRIES} tries: "


class Leaving(FakeRuns):
    """Each run leaves what `leave` attaches, and ends as `status`."""

    def __init__(self, artifacts: FakeArtifacts, leave: Leave, status: RunStatus) -> None:
        super().__init__(status=status)
        self.artifacts = artifacts
        self.leave = leave
        self.find_fails: GroundswellError | None = None

    def find(self, registry: str, name: str) -> Run | None:
        if self.find_fails:
            raise self.find_fails
        return super().find(registry, name)

    def run(
        self, registry: str, name: str, text: str, *, secrets: Mapping[str, str], timeout: int, pool: str | None
    ) -> Run:
        begun = super().run(registry, name, text, secrets=secrets, timeout=timeout, pool=pool)
        scanned = re.search(r"top@(sha256:[0-9a-f]{64})", text)
        assert scanned
        self.leave(self.artifacts, scanned[1], begun.id)
        return begun


def put(content: bytes, *, fresh: bool = True, attached_to: str = "") -> Leave:
    """A report of Trivy's by a good database, an old one unless `fresh`."""
    at = NOW if fresh else NOW - 8 * DAY

    def leave(artifacts: FakeArtifacts, digest: str, run: str) -> None:
        filled = content.replace(b"DIGEST", digest.encode())
        artifacts.attach(filled, run=run, subject=attached_to or digest, database=database(at), at=NOW)

    return leave


def trivys(**changes: str) -> bytes:
    return json.dumps(trivy_report("DIGEST", **changes)).encode()


def nothing(artifacts: FakeArtifacts, digest: str, run: str) -> None:
    del artifacts, digest, run


@dataclass(frozen=True, kw_only=True)
class Case:
    leave: Leave = nothing
    status: RunStatus = RunStatus.SUCCEEDED
    reason: str
    tries: int = 1
    """Runs that are begun before it is given up."""


OFTEN = MAX_TRIES
CASES: Mapping[str, Case] = {
    "the run fails": Case(
        status=RunStatus.FAILED, reason=FOR_EVER + "run .* ended as Failed; its log", tries=OFTEN
    ),
    "the run times out": Case(status=RunStatus.TIMEOUT, reason=FOR_EVER + ".* ended as Timeout", tries=OFTEN),
    "the run is stopped": Case(status=RunStatus.CANCELED, reason=FOR_EVER + ".* ended as Canceled", tries=OFTEN),
    "the service fails": Case(status=RunStatus.ERROR, reason=FOR_EVER + ".* ended as Error", tries=OFTEN),
    "the run never ends": Case(status=RunStatus.RUNNING, reason="no report after 50 min: trivy is at work as run"),
    "the run attaches nothing": Case(reason=FOR_EVER + ".* attached no report to", tries=OFTEN),
    "the report is cut": Case(leave=put(trivys()[:-30]), reason=FOR_EVER + ".*not whole JSON", tries=OFTEN),
    "the report is huge": Case(
        leave=put(b" " * 5000), reason="the report on .* has 5000 bytes, more than the 4000"
    ),
    "it is about another image": Case(leave=put(trivys().replace(b"DIGEST", OTHER.encode())), reason=f".*{OTHER}"),
    "it hangs on another image": Case(
        leave=put(trivys(), attached_to=OTHER), reason="the report .* is attached to"
    ),
    "the system is not recognised": Case(leave=put(trivys(family="none")), reason=".*not recognise the system"),
    "the release is not covered": Case(leave=put(trivys(name="99.1")), reason=".*no advisories for debian 99"),
    "the database is old": Case(leave=put(trivys(), fresh=False), reason="Trivy's database is 8.* days old"),
    "the database says nothing": Case(
        leave=lambda artifacts, digest, run: artifacts.attach(
            trivys().replace(b"DIGEST", digest.encode()), run=run, subject=digest, at=NOW
        ),
        reason="Trivy's report came without what its database says",
    ),
}


def scanned(world: World, scanner: Scanner, name: str = "trivy") -> None:
    world.time = NOW
    vars(world.app)["panel"] = Panel({name: scanner})
    world.push_base()
    world.drive()


def in_a_run(leave: Leave, status: RunStatus, world: World) -> tuple[Scanning, Leaving]:
    artifacts = FakeArtifacts()
    runs = Leaving(artifacts, leave, status)
    return Scanning(runs=runs, artifacts=artifacts, max_report=4000), runs


def nothing_was_promoted(world: World, before: str) -> bool:
    return world.registry.tags[ref("top")] == before


@pytest.mark.parametrize("case", CASES)
def test_a_scan_that_goes_wrong_is_no_pass(make_world: MakeWorld, case: str) -> None:
    expected = CASES[case]
    world = make_world(registration("top", BASE))
    before = world.registry.tags[ref("top")]
    scanning, runs = in_a_run(expected.leave, expected.status, world)
    scanned(world, scanning.scanner)
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.SCAN)
    assert re.match(expected.reason, state.reason), state.reason
    assert len(runs.begun) == expected.tries
    assert nothing_was_promoted(world, before)


def test_a_good_report_passes_so_that_the_others_mean_something(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanning, runs = in_a_run(put(trivys()), RunStatus.SUCCEEDED, world)
    scanned(world, scanning.scanner)
    assert world.states()["top"].status is Status.DONE
    assert len(runs.begun) == 1


def test_a_severity_that_nobody_knows_is_refused(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    strange = json.dumps(trivy_report("DIGEST", flaw(Severity="WORRYING"))).encode()
    scanning, _ = in_a_run(put(strange), RunStatus.SUCCEEDED, world)
    scanned(world, scanning.scanner)
    state = world.states()["top"]
    assert (state.status, "CVE-1 (UNKNOWN)" in state.reason) == (Status.REJECTED, True)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TemporaryError("ACR Tasks answered 503", delay=1), f"{FOR_EVER}ACR Tasks answered 503"),
        (PermanentError("ACR Tasks answered 403"), "ACR Tasks answered 403"),
    ],
)
def test_a_service_that_is_away_or_refuses(make_world: MakeWorld, error: GroundswellError, reason: str) -> None:
    world = make_world(registration("top", BASE))
    before = world.registry.tags[ref("top")]
    scanning, runs = in_a_run(put(trivys()), RunStatus.SUCCEEDED, world)
    runs.find_fails = error
    scanned(world, scanning.scanner)
    state = world.states()["top"]
    assert (state.status, state.reason) == (Status.FAILED, reason)
    assert nothing_was_promoted(world, before)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"version": "2.1.0", "runs": []}'])
def test_a_command_whose_report_is_none(make_world: MakeWorld, content: bytes) -> None:
    world = make_world(registration("top", BASE))

    def leave(artifacts: FakeArtifacts, digest: str, run: str) -> None:
        artifacts.manifests[digest] = b'{"config": {}}'
        artifacts.attach(content, run=run, subject=digest, scanner="other", at=NOW)

    scanning, runs = in_a_run(leave, RunStatus.SUCCEEDED, world)
    scanning.name, scanning.entry = "other", command("sarif")
    scanned(world, scanning.scanner, "other")
    state = world.states()["top"]
    assert state.status is Status.FAILED
    assert state.reason.startswith(FOR_EVER)
    assert len(runs.begun) == MAX_TRIES


class Asked:
    """Defender's answer, once it has one."""

    def __init__(self, answers: Iterator[list[object]]) -> None:
        self.answers = answers
        self.asked = 0

    def scan(self, reference: object) -> Report:
        self.asked += 1
        digest = str(getattr(reference, "digest", ""))
        rows = [row(digest, **each) if isinstance(each, dict) else each for each in next(self.answers)]
        return report(rows, scanner="defender", digest=digest)


def test_an_image_that_defender_never_assesses_is_no_pass(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    before = world.registry.tags[ref("top")]

    def never() -> Iterator[list[object]]:
        while True:
            yield []

    defender = Asked(never())
    scanned(world, defender, "defender")
    state = world.states()["top"]
    assert state.status is Status.FAILED
    assert re.fullmatch(r"no report after 50 min: defender, sha256:\w+: has not assessed it yet", state.reason)
    assert nothing_was_promoted(world, before)
    assert 40 < defender.asked < 70, "about once a minute"


def test_an_image_that_defender_assesses_later_passes_then(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    healthy = {"status": {"code": "Healthy"}, "timeGenerated": "2027-01-15T08:00:00Z"}
    scanned(world, Asked(iter([[], [], [], [healthy]])), "defender")
    assert world.states()["top"].status is Status.DONE


def test_what_is_replayed_is_scanned_again(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    scanning, runs = in_a_run(nothing, RunStatus.FAILED, world)
    scanned(world, scanning.scanner)
    runs.leave, runs.status = put(trivys()), RunStatus.SUCCEEDED
    world.app.operator.replay(world.cascade, "top", stage=Stage.SCAN, who="ann", why="the scanner is mended")
    world.drive()
    assert world.states()["top"].status is Status.DONE
