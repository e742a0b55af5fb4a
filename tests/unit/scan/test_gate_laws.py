"""What must hold of the gate for every report and every policy, and the matrix of scanner, verdict and policy."""

import itertools
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.scan.gate import judge
from groundswell.scan.policy import Allowance, Ban, Mode, Policy
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.strictness import loosened
from groundswell.scan.verdict import Verdict

NOW = 1_800_000_000.0
SUBJECT = Reference(registry="r.example.com", repository="app", tag=None, digest="sha256:aa")

FINDINGS = st.builds(
    Finding,
    id=st.sampled_from(["CVE-1", "CVE-2", "CVE-3"]),
    package=st.sampled_from(["a", "b"]),
    installed=st.sampled_from(["1", "2"]),
    fixed=st.sampled_from(["", "3"]),
    severity=st.sampled_from(list(Severity)),
    layer=st.sampled_from(["", "sha256:b", "sha256:o"]),
    fix_known=st.booleans(),
    cleared=st.sampled_from(["", "", "not_affected: not reachable"]),
)
REPORTS = st.builds(
    Report,
    scanner=st.sampled_from(["trivy", "aqua"]),
    digest=st.sampled_from(["sha256:aa", "sha256:aa", "sha256:aa", "sha256:bb"]),
    os=st.sampled_from(["debian 12", "debian 12", ""]),
    findings=st.lists(FINDINGS, max_size=4).map(tuple),
    packages=st.sampled_from([None, (), (Package(name="a", version="1"),)]),
    scanned_at=st.sampled_from([NOW, NOW, NOW, NOW - 1e6, None]),
    database_at=st.sampled_from([NOW, NOW - 1e6, None]),
    says_os=st.booleans(),
)
POLICIES = st.builds(
    Policy,
    threshold=st.sampled_from(list(Severity)),
    fixable_only=st.booleans(),
    unknown_as=st.sampled_from([Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL]),
    mode=st.sampled_from(list(Mode)),
    allow_no_os=st.booleans(),
    allow_unsaid_os=st.booleans(),
    scanners=st.sampled_from([(), ("trivy",), ("aqua", "trivy")]),
    max_database_age=st.sampled_from([None, 3600.0]),
    allow=st.sampled_from(
        [
            (),
            (Allowance(id="CVE-1", package="a", reason="r", expires=NOW + 1),),
            (Allowance(id="CVE-2", package="*", reason="r", expires=NOW - 1),),
        ]
    ),
    never=st.sampled_from([(), (Ban(package="a", versions=("1",), reason=""),)]),
)
MANY = st.lists(REPORTS, max_size=3)
CURRENT = st.none() | st.lists(REPORTS, min_size=1, max_size=2)


def verdict(reports: list[Report], policy: Policy, current: list[Report] | None) -> Verdict:
    return judge(reports, policy, subject=SUBJECT, now=NOW, current=current, base_layers=["sha256:b"])


@given(MANY, POLICIES, CURRENT, st.randoms())
def test_order_makes_no_difference(
    reports: list[Report], policy: Policy, current: list[Report] | None, rng: Any
) -> None:
    def shuffled(report: Report) -> Report:
        return replace(report, findings=tuple(rng.sample(report.findings, len(report.findings))))

    again = verdict([shuffled(report) for report in reports], policy, current and list(map(shuffled, current)))
    assert again == verdict(reports, policy, current)


@given(MANY.filter(bool), POLICIES, CURRENT, FINDINGS, st.data())
def test_a_further_finding_never_makes_it_pass(
    reports: list[Report], policy: Policy, current: list[Report] | None, finding: Finding, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(reports) - 1))
    more = list(reports)
    more[which] = replace(reports[which], findings=(*reports[which].findings, finding))
    if not verdict(reports, policy, current).passed:
        assert not verdict(more, policy, current).passed


@given(MANY, POLICIES, CURRENT, st.sampled_from(list(Severity)))
def test_a_stricter_threshold_passes_no_more(
    reports: list[Report], policy: Policy, current: list[Report] | None, threshold: Severity
) -> None:
    loose, strict = sorted((policy.threshold, threshold), reverse=True)
    if not verdict(reports, replace(policy, threshold=loose), current).passed:
        assert not verdict(reports, replace(policy, threshold=strict), current).passed


@given(MANY, POLICIES, POLICIES, CURRENT)
def test_what_passes_a_policy_that_is_no_looser_passes_the_other(
    reports: list[Report], new: Policy, other: Policy, current: list[Report] | None
) -> None:
    old = new
    for field in fields(Policy):  # as far from the new one as it may be
        further = replace(old, **{field.name: getattr(other, field.name)})
        old = old if loosened(new, further) else further
    assert not loosened(new, old)
    if verdict(reports, new, current).passed:
        assert verdict(reports, old, current).passed


@given(MANY, POLICIES, CURRENT)
def test_no_worse_passes_all_that_clean_passes(
    reports: list[Report], policy: Policy, current: list[Report] | None
) -> None:
    if verdict(reports, replace(policy, mode=Mode.CLEAN), current).passed:
        assert verdict(reports, replace(policy, mode=Mode.NO_WORSE), current).passed


@given(MANY, POLICIES, CURRENT)
def test_no_worse_adds_nothing_to_production(
    reports: list[Report], policy: Policy, current: list[Report] | None
) -> None:
    result = verdict(reports, replace(policy, mode=Mode.NO_WORSE), current)
    if result.passed:
        assert all(line.state == "carried" for line in result.findings if line.refused)


@given(MANY, POLICIES, CURRENT)
def test_a_refusal_has_a_reason_and_a_pass_has_none(
    reports: list[Report], policy: Policy, current: list[Report] | None
) -> None:
    result = verdict(reports, policy, current)
    assert result.passed is not bool(result.reasons)
    assert not (result.passed and {report.digest for report in reports} != {"sha256:aa"})
    assert Verdict.from_json(result.to_json()) == result


# The matrix: what the scanners say, what it is held to, what comes of it.

BAD = Finding(id="CVE-1", package="a", installed="1", fixed="2", severity=Severity.CRITICAL)
CLEAN = Report(scanner="trivy", digest="sha256:aa", os="debian 12", findings=(), scanned_at=NOW)
SCANS: dict[str, list[Report]] = {
    "clean": [CLEAN],
    "bad": [replace(CLEAN, findings=(BAD,))],
    "unfixed": [replace(CLEAN, findings=(replace(BAD, fixed=""),))],
    "unrated": [replace(CLEAN, findings=(replace(BAD, severity=Severity.UNKNOWN),))],
    "high": [replace(CLEAN, findings=(replace(BAD, severity=Severity.HIGH),))],
    "both clean": [CLEAN, replace(CLEAN, scanner="aqua")],
    "one bad": [CLEAN, replace(CLEAN, scanner="aqua", findings=(BAD,))],
    "sarif": [replace(CLEAN, scanner="sarif", os="", says_os=False)],
    "none": [],
    "other digest": [replace(CLEAN, digest="sha256:bb")],
    "stale": [replace(CLEAN, scanned_at=NOW - 1e6)],
    "no system": [replace(CLEAN, os="")],
}
HELD_TO: dict[str, tuple[Policy, list[Report] | None]] = {
    "default": (Policy(), None),
    "strict": (Policy(threshold=Severity.HIGH, fixable_only=False), None),
    "two scanners": (Policy(scanners=("aqua", "trivy")), None),
    "allowed": (Policy(allow=(Allowance(id="CVE-1", package="*", reason="r", expires=NOW + 1),)), None),
    "expired": (Policy(allow=(Allowance(id="CVE-1", package="*", reason="r", expires=NOW),)), None),
    "no worse": (Policy(mode=Mode.NO_WORSE), [replace(CLEAN, findings=(BAD,))]),
    "no worse than clean": (Policy(mode=Mode.NO_WORSE), [CLEAN]),
    "no system": (Policy(allow_no_os=True), None),
    "believed": (Policy(allow_unsaid_os=True), None),
}
PASSES: dict[str, set[str]] = {
    "default": {"clean", "unfixed", "high", "both clean"},
    "strict": {"clean", "both clean"},
    "two scanners": {"both clean"},
    "allowed": {"clean", "bad", "unfixed", "unrated", "high", "both clean", "one bad"},
    "expired": {"clean", "unfixed", "high", "both clean"},
    "no worse": {"clean", "bad", "unfixed", "unrated", "high", "both clean", "one bad"},
    "no worse than clean": {"clean", "unfixed", "high", "both clean"},
    "no system": {"clean", "unfixed", "high", "both clean", "sarif", "no system"},
    "believed": {"clean", "unfixed", "high", "both clean", "sarif"},
}


@pytest.mark.parametrize(("scan", "held_to"), list(itertools.product(SCANS, HELD_TO)))
def test_the_matrix(scan: str, held_to: str) -> None:
    policy, current = HELD_TO[held_to]
    assert verdict(SCANS[scan], policy, current).passed is (scan in PASSES[held_to])
