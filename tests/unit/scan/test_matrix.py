"""Every scanner, every kind of image, every policy: what passes, and what may be promoted for no scanner's sake.

Each scanner's own document is made and read as in production, so a scanner that says the same in other words gets
the same verdict.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.errors import GroundswellError
from groundswell.scan import defender
from groundswell.scan.coverage import PUBLISHED
from groundswell.scan.formats import read
from groundswell.scan.gate import judge
from groundswell.scan.policy import Allowance, Ban, Mode, Policy
from groundswell.scan.port import Report, Severity
from groundswell.scan.report import parse
from groundswell.scan.source import Source
from tests.support.resource_graph import row

NOW = 1_800_000_000.0
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
SUBJECT = Reference(registry="contoso.azurecr.io", repository="shop/web", tag=None, digest=DIGEST)
UNRATED = ""


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """As told to each scanner: `severity` in words, UNRATED for none; `fixed` is empty where nothing repairs it."""

    id: str = "CVE-1"
    severity: str = "critical"
    fixed: str = "2"


type Write = Callable[[Sequence[Flaw], str, float], Report]


def time_of(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat()


def trivy(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    found = [
        {
            "VulnerabilityID": each.id,
            "PkgName": "p",
            "InstalledVersion": "1",
            "FixedVersion": each.fixed,
            "Severity": each.severity.upper() or "UNKNOWN",
        }
        for each in flaws
    ]
    packages = [{"Name": "p", "Version": "1"}]
    document = {
        "SchemaVersion": 2,
        "Metadata": {"OS": {"Family": "debian", "Name": "12.5"}, "RepoDigests": [f"x@{digest}"]},
        "Results": [{"Class": "os-pkgs", "Type": "debian", "Packages": packages, "Vulnerabilities": found}],
    }
    content = json.dumps(document).encode()
    return parse(content, digest=DIGEST, buckets=PUBLISHED, scanned_at=at, database_at=at)


def by_format(name: str, document: Mapping[str, Any], at: float) -> Report:
    return read(name, json.dumps(document).encode(), Source(scanner=name, digest=DIGEST, made_at=at))


def sarif(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    rules = [{"id": each.id, "properties": {"tags": [each.severity.upper() or "UNKNOWN"]}} for each in flaws]
    results = [
        {
            "ruleId": each.id,
            "message": {"text": "old"},
            "properties": {"package": "p", "installedVersion": "1", "fixedVersion": each.fixed},
        }
        for each in flaws
    ]
    run = {
        "tool": {"driver": {"name": "Scanly", "rules": rules}},
        "results": results,
        "artifacts": [{"location": {"uri": f"web@{digest}"}}],
    }
    return by_format("sarif", {"version": "2.1.0", "runs": [run]}, at)


def cyclonedx(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    found = [
        {
            "id": each.id,
            "ratings": [{"severity": each.severity or "unknown"}],
            "affects": [{"ref": "p"}],
            **({"recommendation": f"Upgrade p to version {each.fixed}"} if each.fixed else {}),
        }
        for each in flaws
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {
            "timestamp": time_of(at),
            "tools": {"components": [{"name": "trivy"}]},
            "component": {"version": digest},
        },
        "components": [
            {"type": "operating-system", "name": "debian", "version": "12.5"},
            {"type": "library", "bom-ref": "p", "name": "p", "version": "1"},
        ],
        "vulnerabilities": found,
    }
    return by_format("cyclonedx", document, at)


def aqua(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    found = [
        {"name": each.id, "fix_version": each.fixed, **({"aqua_severity": each.severity} if each.severity else {})}
        for each in flaws
    ]
    document = {
        "metadata": {"repo_digests": [f"x@{digest}"]},
        "os": "debian",
        "version": "12.5",
        "scan_started": {"seconds": at},
        "data_date": at,
        "resources": [
            {"resource": {"name": "p", "version": "1"}, "scanned": True, "vulnerabilities": found},
        ],
        "vulnerability_summary": {"total": len(found)},
    }
    return by_format("aqua", document, at)


def twistcli(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    found = [
        {
            "id": each.id,
            "packageName": "p",
            "packageVersion": "1",
            "severity": each.severity,
            "status": f"fixed in {each.fixed}" if each.fixed else "open",
        }
        for each in flaws
    ]
    result = {
        "digest": digest,
        "distro": "Debian GNU/Linux 12 (bookworm)",
        "scanTime": time_of(at),
        "packages": [{"name": "p", "version": "1"}],
        "vulnerabilities": found,
        "vulnerabilityDistribution": {"total": len(found)},
    }
    return by_format("twistcli", {"results": [result]}, at)


def by_defender(flaws: Sequence[Flaw], digest: str, at: float) -> Report:
    rows = [
        row(
            digest,
            each.id,
            software={
                "packageName": "p",
                "version": "1",
                "fixedVersion": each.fixed,
                "fixStatus": "FixAvailable" if each.fixed else "NoFixAvailable",
            },
            status={"severity": each.severity},
            details="",
            score=None,
            timeGenerated=time_of(at),
        )
        for each in flaws
    ]
    rows += [row(digest, "assessed", status={"code": "Healthy"}, timeGenerated=time_of(at))]
    return defender.report(rows, scanner="defender", digest=DIGEST)


SCANNERS: Mapping[str, Write] = {
    "trivy": trivy,
    "sarif": sarif,
    "cyclonedx": cyclonedx,
    "aqua": aqua,
    "twistcli": twistcli,
    "defender": by_defender,
}

CONTENTS: Mapping[str, Sequence[Flaw]] = {
    "clean": (),
    "critical": (Flaw(),),
    "unfixed": (Flaw(fixed=""),),
    "high": (Flaw(severity="high"),),
    "low": (Flaw(severity="low"),),
    "unrated": (Flaw(severity=UNRATED),),
}

ALLOWED = Allowance(id="CVE-1", package="*", reason="not reachable", expires=NOW + 1)
POLICIES: Mapping[str, tuple[Policy, str]] = {
    # What each passes, of CONTENTS. `no-worse` compares with an image that has the same flaw, `no-worse, new` with
    # one that has another.
    "default": (Policy(), "clean unfixed high low"),
    "high": (Policy(threshold=Severity.HIGH), "clean unfixed low"),
    "anything": (Policy(threshold=Severity.LOW), "clean unfixed"),
    "anything, fixable or not": (Policy(threshold=Severity.LOW, fixable_only=False), "clean"),
    "fixable or not": (Policy(fixable_only=False), "clean high low"),
    "unrated is medium": (Policy(unknown_as=Severity.MEDIUM), "clean unfixed high low unrated"),
    "no-worse": (Policy(mode=Mode.NO_WORSE), "clean critical unfixed high low unrated"),
    "no-worse, new": (Policy(mode=Mode.NO_WORSE), "clean unfixed high low"),
    "allowed": (Policy(allow=(ALLOWED,)), "clean critical unfixed high low unrated"),
    "allowed until now": (Policy(allow=(replace(ALLOWED, expires=NOW),)), "clean unfixed high low"),
}
BEFORE: Mapping[str, Sequence[Flaw]] = {
    "no-worse": (Flaw(),),
    "no-worse, new": (Flaw(id="CVE-9"),),
}


def passes(
    reports: Sequence[Report], policy: Policy, *, current: Sequence[Report] | None = None, now: float = NOW
) -> bool:
    """Under `policy`, by scanners whose formats may have no place for a system."""
    unsaid = not any(report.says_os for report in reports)
    verdict = judge(reports, replace(policy, allow_unsaid_os=unsaid), subject=SUBJECT, now=now, current=current)
    assert verdict.passed is not bool(verdict.reasons)
    return verdict.passed


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_scanner_by_content_by_policy(scanner: str, content: str, policy: str) -> None:
    write = SCANNERS[scanner]
    held_to, passed = POLICIES[policy]
    current = [write(BEFORE[policy], DIGEST, NOW)] if policy in BEFORE else None
    report = write(CONTENTS[content], DIGEST, NOW)
    assert passes([report], held_to, current=current) is (content in passed.split())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("other", SCANNERS)
def test_a_clean_report_beside_it_makes_no_image_better(other: str, content: str, policy: str) -> None:
    """Of two that must have reported, the worse word counts, whoever says it."""
    held_to, passed = POLICIES[policy]
    clean = replace(trivy((), DIGEST, NOW), scanner="other")
    both = [clean, SCANNERS[other](CONTENTS[content], DIGEST, NOW)]
    current = [trivy(BEFORE[policy], DIGEST, NOW)] if policy in BEFORE else None
    required = replace(held_to, scanners=("other", other))
    assert passes(both, required, current=current) is (content in passed.split())
    assert not passes(both[:1], required, current=current), "the other has not reported"
    assert not passes(both[1:], required, current=current)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_nothing_passes_on_a_report_that_says_nothing_of_it_now(scanner: str, policy: str) -> None:
    """An old one, one from the future, one on another image: whatever production runs."""
    write, held_to = SCANNERS[scanner], POLICIES[policy][0]
    current = [write(BEFORE[policy], DIGEST, NOW)] if policy in BEFORE else None
    report = write((), DIGEST, NOW)
    assert passes([report], held_to, current=current)
    assert not passes([], held_to, current=current)
    assert not passes([replace(report, digest=OTHER)], held_to, current=current)
    assert not passes([write((), DIGEST, NOW - 86401)], held_to, current=current)
    assert not passes([write((), DIGEST, NOW + 601)], held_to, current=current)
    assert not passes([replace(report, scanned_at=None)], held_to, current=current)
    aged = replace(held_to, max_database_age=3600.0)
    assert passes([report], aged, current=current) is (report.database_at is not None)
    with pytest.raises(GroundswellError, match=OTHER):
        write((), OTHER, NOW)


@pytest.mark.parametrize("scanner", SCANNERS)
def test_what_a_format_has_no_place_for_is_not_taken_for_granted(scanner: str) -> None:
    report = SCANNERS[scanner]((), DIGEST, NOW)
    verdict = judge([report], Policy(), subject=SUBJECT, now=NOW)
    assert verdict.passed is report.says_os
    banned = Policy(never=(Ban(package="log4j*", versions=("*",), reason="log4shell"),))
    assert passes([report], banned) is (report.packages is not None)
    assert report.says_os is (scanner != "sarif")
    assert (report.packages is None) is (scanner in ("sarif", "defender"))
