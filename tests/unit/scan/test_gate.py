"""The gate: which findings refuse an image, and what people are told."""

import json

import pytest

from groundswell.scan.gate import Policy, Verdict, judge
from groundswell.scan.port import Finding, Report, Severity

FIXABLE = Policy()
ALL = Policy(fixable_only=False)


def finding(
    severity: Severity = Severity.CRITICAL, *, flaw: str = "CVE-1", fixed: str = "2", package: str = "zlib1g"
) -> Finding:
    return Finding(id=flaw, package=package, installed="1", fixed=fixed, severity=severity)


def report(*findings: Finding, os: str = "debian 12.5") -> Report:
    return Report(scanner="trivy", digest="sha256:aa", os=os, findings=findings)


@pytest.mark.parametrize(
    ("policy", "found", "passed"),
    [
        (FIXABLE, finding(Severity.CRITICAL), False),
        (FIXABLE, finding(Severity.CRITICAL, fixed=""), True),
        (FIXABLE, finding(Severity.HIGH), True),
        (FIXABLE, finding(Severity.UNKNOWN), True),
        (ALL, finding(Severity.CRITICAL, fixed=""), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.HIGH), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.CRITICAL), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.MEDIUM), True),
        (Policy(threshold=Severity.UNKNOWN), finding(Severity.UNKNOWN), False),
    ],
)
def test_threshold_and_fixability(policy: Policy, found: Finding, passed: bool) -> None:
    verdict = judge(report(found), policy)
    assert verdict.passed is passed
    assert bool(verdict.reasons) is not passed


def test_a_clean_image_passes_and_says_what_was_scanned() -> None:
    verdict = judge(report(), FIXABLE)
    assert verdict.passed
    assert (verdict.digest, verdict.scanner, verdict.os) == ("sha256:aa", "trivy", "debian 12.5")
    assert verdict.counts == dict.fromkeys(("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"), 0)


def test_reasons_name_flaw_package_and_both_versions() -> None:
    fixed, unfixed = finding(flaw="CVE-2"), finding(flaw="CVE-1", fixed="")
    assert judge(report(fixed, unfixed), ALL).reasons == (
        "CVE-1 (CRITICAL) in zlib1g 1: not fixed yet",
        "CVE-2 (CRITICAL) in zlib1g 1: fixed in 2",
    )


def test_worst_first_each_once_whatever_the_order() -> None:
    high, low = finding(Severity.HIGH, flaw="CVE-1"), finding(Severity.LOW, flaw="CVE-0")
    critical = finding(flaw="CVE-9")
    policy = Policy(threshold=Severity.LOW)
    verdict = judge(report(low, critical, high, critical), policy)
    assert [reason.split()[0] for reason in verdict.reasons] == ["CVE-9", "CVE-1", "CVE-0"]
    assert verdict == judge(report(critical, critical, high, low), policy)


def test_everything_is_counted_also_what_is_let_through() -> None:
    found = [finding(severity) for severity in Severity] + [finding(Severity.UNKNOWN, fixed="")]
    assert judge(report(*found), FIXABLE).counts == {
        "UNKNOWN": 2,
        "LOW": 1,
        "MEDIUM": 1,
        "HIGH": 1,
        "CRITICAL": 1,
    }


def test_an_image_without_a_system_needs_its_owners_word() -> None:
    refused = judge(report(os=""), FIXABLE)
    assert not refused.passed
    assert "gate: {os: none}" in refused.reasons[0]
    assert judge(report(os=""), Policy(allow_no_os=True)).passed
    assert not judge(report(finding(), os=""), Policy(allow_no_os=True)).passed


def test_many_reasons_are_cut_and_the_rest_counted() -> None:
    verdict = judge(report(*(finding(flaw=f"CVE-{number:03}") for number in range(60))), FIXABLE)
    assert len(verdict.reasons) == 51
    assert verdict.reasons[-1] == "and 10 more"
    assert verdict.counts["CRITICAL"] == 60


def test_a_verdict_survives_json() -> None:
    verdict = judge(report(finding()), FIXABLE)
    assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
