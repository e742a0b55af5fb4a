"""What every scanner promises, kept by all of them: by Trivy here and as a run, by commands, and by Defender.

The images and the flaws in them are the same for all, so that one report can be held against another.
"""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.local.bases import Variant
from groundswell.local.oci import make_image
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy
from groundswell.scan.port import Finding, NotYetError, Report, Scanner, Severity
from groundswell.scan.trivy import TrivyScanner
from groundswell.scan.verdict import Verdict
from tests.support.layers import layer
from tests.support.resource_graph import defender_world, row
from tests.support.scan_runs import ScanWorld, scan_world, wait_for

pytestmark = pytest.mark.stack

CRITICAL = Finding(
    id="CVE-2026-90001",
    package="zlib1g",
    installed=str(Variant.VULNERABLE),
    fixed=str(Variant.FIXED),
    severity=Severity.CRITICAL,
)
UNFIXED = ("CVE-2026-90003",)
STATUS = "Package: zlib1g\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: n\n\n"
COMMANDS = {
    "sarif": "image --format sarif --output {report} --db-repository DATABASE --image-src remote {image}",
    "cyclonedx": (
        "image --format cyclonedx --scanners vuln --output {report} --db-repository DATABASE "
        "--image-src remote {registry}/{repository}@{digest}"
    ),
}


@dataclass(frozen=True, kw_only=True)
class World:
    runs: ScanWorld
    scanners: dict[str, Scanner]
    vulnerable: Reference
    fixed: Reference


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        runs = stack.enter_context(scan_world(tmp_path_factory.mktemp("runs")))
        vulnerable, fixed = runs.base(Variant.VULNERABLE), runs.base(Variant.FIXED)
        asked = defender_world(runs.folder, runs.login.registry, files=runs.certificates)
        defender = stack.enter_context(asked)
        for reference, flaws in ((vulnerable, (CRITICAL.id, *UNFIXED)), (fixed, UNFIXED)):
            for flaw in flaws:
                defender.graph.rows.append(_row(reference, flaw))
        scanners: dict[str, Scanner] = {
            "binary": TrivyScanner(runs.binary, runs.folder / "cache", runs.credentials),
            "trivy": runs.scanner("trivy"),
            "defender": defender.scanner,
        }
        for format_, command in COMMANDS.items():
            scanners[format_] = runs.scanner(
                format_,
                kind="command",
                image=runs.trivy["image"],
                command=command.replace("DATABASE", runs.trivy["database"]),
                format=format_,
            )
        yield World(runs=runs, scanners=scanners, vulnerable=vulnerable, fixed=fixed)


def _row(reference: Reference, flaw: str) -> dict[str, object]:
    critical = flaw == CRITICAL.id
    software = {
        "packageName": CRITICAL.package if critical else "libc6",
        "version": CRITICAL.installed if critical else "1",
        "fixedVersion": CRITICAL.fixed if critical else "",
        "fixStatus": "FixAvailable" if critical else "NoFixAvailable",
    }
    severity = "Critical" if critical else "Low"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return row(
        reference.digest or "",
        flaw,
        software=software,
        details=severity,
        score=None,
        status={"severity": severity},
        timeGenerated=now,
    )


@pytest.fixture(params=["binary", "trivy", "sarif", "cyclonedx", "defender"])
def scanner(request: pytest.FixtureRequest, world: World) -> Scanner:
    return world.scanners[request.param]


def judged(report: Report) -> Verdict:
    subject = Reference(registry="r.example.com", repository="tests/image", tag=None, digest=report.digest)
    return judge([report], Policy(allow_unsaid_os=not report.says_os), subject=subject, now=time.time())


def test_what_is_found_names_image_scanner_and_repair(world: World, scanner: Scanner) -> None:
    report = wait_for(scanner, world.vulnerable)
    assert report.digest == world.vulnerable.digest
    found = {finding.id: finding for finding in report.findings}
    assert {CRITICAL.id, *UNFIXED} <= set(found)
    critical = found[CRITICAL.id]
    assert (critical.package, critical.severity) == (CRITICAL.package, Severity.CRITICAL)
    assert (critical.fixed, critical.fix_known) == (CRITICAL.fixed, True)
    assert all(not found[flaw].fixed and found[flaw].fix_known for flaw in UNFIXED)
    assert report.scanned_at is not None
    assert abs(report.scanned_at - time.time()) < 300
    assert report.os.startswith("debian") if report.says_os else report.os == ""
    verdict = judged(report)
    assert not verdict.passed
    assert all(reason.startswith(f"{CRITICAL.id} (CRITICAL) in zlib1g") for reason in verdict.reasons)


def test_the_update_repairs_it(world: World, scanner: Scanner) -> None:
    report = wait_for(scanner, world.fixed)
    assert CRITICAL.id not in {finding.id for finding in report.findings}
    assert judged(report).passed


def test_asked_again_it_says_the_same(world: World, scanner: Scanner) -> None:
    first, second = wait_for(scanner, world.fixed), wait_for(scanner, world.fixed)
    assert set(first.findings) == set(second.findings)


def test_a_tag_is_not_scanned(world: World, scanner: Scanner) -> None:
    tagged = Reference(registry=world.fixed.registry, repository=world.fixed.repository, tag="1", digest=None)
    with pytest.raises(PermanentError, match="digest"):
        scanner.scan(tagged)


def test_an_image_that_is_not_there_is_not_clean(world: World, scanner: Scanner) -> None:
    missing = world.fixed.with_digest("sha256:" + "ab" * 32)
    with pytest.raises(GroundswellError) as caught:
        wait_for(scanner, missing)
    assert "sha256:abab" in str(caught.value)


# What runs promise besides.

SYSTEMS = [
    pytest.param({"var/lib/dpkg/status": STATUS}, "does not recognise the system", id="no os-release"),
    pytest.param(
        {"etc/os-release": "ID=strange\nVERSION_ID=9\n", "var/lib/dpkg/status": STATUS},
        "does not recognise the system",
        id="strange system",
    ),
    pytest.param(
        {"etc/debian_version": "99.1\n", "var/lib/dpkg/status": STATUS}, "debian 99", id="a release not covered"
    ),
    pytest.param({"etc/debian_version": "12.1\n"}, "record of its packages", id="package database removed"),
]


@pytest.mark.parametrize(("files", "said"), SYSTEMS)
def test_a_run_too_refuses_what_the_database_cannot_judge(world: World, files: dict[str, str], said: str) -> None:
    reference = world.runs.pushed(make_image([layer(files)], config={}))
    with pytest.raises(PermanentError, match=said):
        wait_for(world.scanners["trivy"], reference)


def test_all_that_trivy_writes_says_the_same(world: World) -> None:
    """The same Trivy here, as a run, and in two formats that any scanner may write."""

    def told(name: str) -> set[tuple[str, str, str, Severity]]:
        findings = wait_for(world.scanners[name], world.vulnerable).findings
        return {(each.id, each.package, each.fixed, each.severity) for each in findings}

    assert told("binary") == told("trivy") == told("sarif") == told("cyclonedx")
    here, run, bom = (wait_for(world.scanners[name], world.vulnerable) for name in ("binary", "trivy", "cyclonedx"))
    assert (here.os, here.packages, here.database_at) == (run.os, run.packages, run.database_at)
    assert here.findings == run.findings
    assert bom.os == here.os
    assert {(each.package, each.layer) for each in bom.findings} == {
        (each.package, each.layer) for each in here.findings
    }


def test_a_scan_is_one_run_however_often_it_is_asked_for(world: World) -> None:
    scanner = world.runs.scanner("once")
    with pytest.raises(NotYetError, match="once was begun as run"):
        scanner.scan(world.fixed)
    before = set(world.runs.builder.named(world.runs.login.registry))
    wait_for(scanner, world.fixed)
    assert set(world.runs.builder.named(world.runs.login.registry)) == before


def test_the_report_hangs_on_the_image_and_the_log_holds_no_password(world: World) -> None:
    wait_for(world.scanners["trivy"], world.vulnerable)
    listed = world.runs.artifacts.referrers(world.vulnerable)
    assert listed
    (mine,) = [each for each in listed if each["annotations"]["dev.groundswell.scanner"] == "trivy"]
    assert mine["artifactType"] == "application/vnd.groundswell.scan.v1"
    run = mine["annotations"]["dev.groundswell.run"]
    log = world.runs.builder.log(world.runs.login.registry, run)
    assert "Attached to" in log
    assert world.runs.login.password not in log


def test_where_the_registry_lists_no_referrers_the_report_is_found_by_a_tag(tmp_path: Path) -> None:
    with scan_world(tmp_path, lists_referrers=False) as runs:
        reference = runs.base(Variant.VULNERABLE)
        assert CRITICAL.id in {finding.id for finding in wait_for(runs.scanner(), reference).findings}
        assert runs.artifacts.referrers(reference) is None


def test_a_scanner_that_fails_is_told_by_the_end_of_its_log(world: World) -> None:
    broken = world.runs.scanner("broken", database=f"{world.runs.login.registry}/tools/nothing:2")
    with pytest.raises(TemporaryError, match=r"run c\w+ of broken ended as Failed; its log ends: .*exit status 1"):
        wait_for(broken, world.fixed)


def test_a_command_that_writes_nothing_has_no_report(world: World) -> None:
    silent = world.runs.scanner(
        "silent",
        kind="command",
        image=world.runs.trivy["image"],
        command="version --format {report} {image}",
        format="sarif",
        ignore_exit=True,
    )
    with pytest.raises(TemporaryError, match=r"of silent ended as Failed; .*report\.json"):
        wait_for(silent, world.fixed)


def test_secrets_reach_the_scanner_and_not_the_log(world: World) -> None:
    secret = "q7R4-not-for-the-log"
    told = world.runs.scanner(
        "secretive",
        kind="command",
        image=world.runs.trivy["image"],
        command="image --{WORD} --output {report} {image}",
        format="sarif",
        secrets={"WORD": secret},
    )
    with pytest.raises(TemporaryError) as caught:
        wait_for(told, world.fixed)
    run = re.search(r"run (c\w+) of secretive", str(caught.value))
    assert run
    log = world.runs.builder.log(world.runs.login.registry, run[1])
    assert "unknown flag: --***" in log
    assert secret not in log
