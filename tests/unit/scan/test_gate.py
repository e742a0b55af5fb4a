"""The gate: which findings refuse an image, and what people are told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.scan.gate import describe, judge
from groundswell.scan.policy import Allowance, Ban, Mode, Policy
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.verdict import MAX_FINDINGS, MAX_FIXED, Line, Verdict

FIXABLE = Policy()
ALL = Policy(fixable_only=False)
NOW = 1_800_000_000.0
SUBJECT = Reference(registry="r.example.com", repository="app", tag=None, digest="sha256:aa")


def finding(
    severity: Severity = Severity.CRITICAL,
    *,
    flaw: str = "CVE-1",
    fixed: str = "2",
    package: str = "zlib1g",
    **rest: Any,
) -> Finding:
    return Finding(id=flaw, package=package, installed="1", fixed=fixed, severity=severity, **rest)


def report(*findings: Finding, os: str = "debian 12.5", **rest: Any) -> Report:
    fields: Mapping[str, Any] = {"scanner": "trivy", "digest": "sha256:aa", "scanned_at": NOW, **rest}
    return Report(os=os, findings=findings, **fields)


def verdict(*reports: Report, policy: Policy = FIXABLE, **rest: Any) -> Verdict:
    return judge(reports, policy, subject=SUBJECT, now=NOW, **rest)


@pytest.mark.parametrize(
    ("policy", "found", "passed"),
    [
        (FIXABLE, finding(Severity.CRITICAL), False),
        (FIXABLE, finding(Severity.CRITICAL, fixed=""), True),
        (FIXABLE, finding(Severity.CRITICAL, fixed="", fix_known=False), False),
        (FIXABLE, finding(Severity.HIGH), True),
        (FIXABLE, finding(Severity.UNKNOWN), False),
        (FIXABLE, finding(Severity.UNKNOWN, fixed=""), True),
        (Policy(unknown_as=Severity.HIGH), finding(Severity.UNKNOWN), True),
        (Policy(unknown_as=Severity.HIGH, threshold=Severity.HIGH), finding(Severity.UNKNOWN), False),
        (ALL, finding(Severity.CRITICAL, fixed=""), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.HIGH), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.CRITICAL), False),
        (Policy(threshold=Severity.HIGH), finding(Severity.MEDIUM), True),
    ],
)
def test_threshold_and_fixability(policy: Policy, found: Finding, passed: bool) -> None:
    result = verdict(report(found), policy=policy)
    assert result.passed is passed
    assert bool(result.reasons) is not passed
    assert [line.refused for line in result.findings] == [not passed]


def test_a_clean_image_passes_and_says_what_was_scanned() -> None:
    result = verdict(report(database_at=1_799_150_400.0))
    assert result.passed
    assert (result.digest, result.scanner, result.os) == (
        "sha256:aa",
        "trivy, database of 2027-01-05T12:00:00Z",
        "debian 12.5",
    )
    assert result.counts == dict.fromkeys(("UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"), 0)
    assert result.policy == "clean: no fixable CRITICAL"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (ALL, "clean: no CRITICAL"),
        (Policy(threshold=Severity.HIGH, mode=Mode.NO_WORSE), "no-worse: no fixable HIGH or worse"),
        (Policy(threshold=Severity.UNKNOWN), "clean: no fixable severity or worse"),
        (Policy(scanners=("trivy", "aqua")), "clean: no fixable CRITICAL, by trivy and aqua"),
    ],
)
def test_a_policy_in_words(policy: Policy, said: str) -> None:
    assert describe(policy) == said


def test_reasons_name_flaw_package_and_both_versions() -> None:
    fixed, unfixed = finding(flaw="CVE-2"), finding(flaw="CVE-1", fixed="")
    unsaid = finding(flaw="CVE-3", fixed="", fix_known=False)
    assert verdict(report(fixed, unfixed, unsaid), policy=ALL).reasons == (
        "CVE-1 (CRITICAL) in zlib1g 1: not fixed yet",
        "CVE-2 (CRITICAL) in zlib1g 1: fixed in 2",
        "CVE-3 (CRITICAL) in zlib1g 1: whether it is fixed is not said",
    )


def test_worst_first_each_once_whatever_the_order() -> None:
    high, low = finding(Severity.HIGH, flaw="CVE-1"), finding(Severity.LOW, flaw="CVE-0")
    critical = finding(flaw="CVE-9")
    policy = Policy(threshold=Severity.LOW)
    result = verdict(report(low, critical, high, critical), policy=policy)
    assert [reason.split()[0] for reason in result.reasons] == ["CVE-9", "CVE-1", "CVE-0"]
    assert result == verdict(report(critical, critical, high, low), policy=policy)


def test_everything_is_counted_once_also_what_is_let_through() -> None:
    found = [finding(severity, flaw=f"CVE-{severity}") for severity in Severity]
    counts = verdict(report(*found, *found)).counts
    assert counts == {"UNKNOWN": 1, "LOW": 1, "MEDIUM": 1, "HIGH": 1, "CRITICAL": 1}


# Blame.


@pytest.mark.parametrize(
    ("layers", "base", "blame", "said"),
    [
        (["sha256:b1"], ["sha256:b1"], "base", ", from its base"),
        (["sha256:o1"], ["sha256:b1"], "image", ", from its own layers"),
        (["sha256:o1"], [], "image", ", from its own layers"),
        (["sha256:b1", "sha256:o1"], ["sha256:b1"], "both", ""),
        ([""], ["sha256:b1"], "", ""),
        (["sha256:b1"], None, "", ""),
    ],
)
def test_a_finding_is_blamed_on_base_or_image(
    layers: list[str], base: list[str] | None, blame: str, said: str
) -> None:
    result = verdict(report(*(finding(layer=layer) for layer in layers)), base_layers=base)
    assert result.findings[0].blame == blame
    assert result.reasons == (f"CVE-1 (CRITICAL) in zlib1g 1: fixed in 2{said}",)


# Compared with production.


def test_new_carried_and_fixed() -> None:
    old = report(finding(flaw="CVE-old"), finding(flaw="CVE-both"), digest="sha256:old")
    result = verdict(report(finding(flaw="CVE-new"), finding(flaw="CVE-both")), current=[old])
    assert result.compared == "sha256:old"
    assert {line.id: line.state for line in result.findings} == {"CVE-new": "new", "CVE-both": "carried"}
    assert [(line.id, line.state, line.refused) for line in result.fixed] == [("CVE-old", "fixed", False)]
    assert (result.tally["new"], result.tally["carried"], result.tally["fixed"]) == (1, 1, 1)
    assert not result.passed


def test_the_same_flaw_in_another_package_is_new() -> None:
    old = report(finding(package="a"))
    assert verdict(report(finding(package="b")), current=[old]).findings[0].state == "new"


NO_WORSE = Policy(mode=Mode.NO_WORSE)


def test_no_worse_passes_what_production_has() -> None:
    result = verdict(report(finding()), policy=NO_WORSE, current=[report(finding())])
    assert result.passed
    assert result.findings[0].refused
    assert result.notes == ("not clean: 1 refused finding is carried, production has the same",)
    assert not verdict(report(finding()), current=[report(finding())]).passed


def test_no_worse_refuses_what_is_new_and_names_only_that() -> None:
    found = report(finding(flaw="CVE-1"), finding(flaw="CVE-2"), finding(flaw="CVE-3"))
    old = report(finding(flaw="CVE-1"), finding(flaw="CVE-3"))
    result = verdict(found, policy=NO_WORSE, current=[old])
    assert not result.passed
    assert [reason.split()[0] for reason in result.reasons] == ["CVE-2"]
    assert result.notes == ("not clean: 2 refused findings are carried, production has the same",)


def test_no_worse_without_production_is_clean() -> None:
    result = verdict(report(finding()), policy=NO_WORSE)
    assert not result.passed
    assert "nothing" not in result.notes
    assert result.notes == ("there is no scan of what production runs to compare with, so it must be clean",)


@pytest.mark.parametrize("current", [None, [report(finding())]])
def test_no_worse_does_not_excuse_a_bad_scan(current: list[Report] | None) -> None:
    assert not verdict(policy=NO_WORSE, current=current).passed
    assert not verdict(report(os=""), policy=NO_WORSE, current=current).passed
    assert not verdict(report(digest="sha256:bb"), policy=NO_WORSE, current=current).passed


# Failing closed.


@pytest.mark.parametrize(
    ("reports", "policy", "said"),
    [
        pytest.param([], FIXABLE, "no scanner has reported", id="no report"),
        pytest.param([report()], Policy(scanners=("aqua", "trivy")), "aqua must scan it, but", id="one is missing"),
        pytest.param([report(digest="sha256:bb")], FIXABLE, "is about sha256:bb, not sha256:aa", id="other digest"),
        pytest.param([report(), report(digest="")], FIXABLE, "is about no digest, not sha256:aa", id="no digest"),
        pytest.param([report(scanned_at=NOW - 90_000)], FIXABLE, "older than the 24 hours allowed", id="stale"),
        pytest.param([report(scanned_at=None)], FIXABLE, "does not say how old its scan is", id="of no age"),
        pytest.param(
            [report(scanned_at=NOW + 1000)], FIXABLE, "dated in the future, 2027-01-15 08:16Z", id="future"
        ),
        pytest.param([report()], Policy(max_database_age=1.0), "how old its database is", id="unknown database"),
        pytest.param(
            [report(database_at=NOW - 7200)],
            Policy(max_database_age=3600.0),
            "the database of trivy is from 2027-01-15 06:00Z, older than the 1 hours",
            id="old database",
        ),
        pytest.param([report(database_at=NOW + 9000)], FIXABLE, "the database of trivy is dated", id="future data"),
        pytest.param([report(os="")], FIXABLE, "gate: {os: none}", id="no system"),
        pytest.param([report(os="")], Policy(allow_unsaid_os=True), "gate: {os: none}", id="system not seen"),
        pytest.param([report(os="", says_os=False)], FIXABLE, "gate: {os: unsaid}", id="system not said"),
        pytest.param(
            [report()], Policy(never=(Ban(package="x", versions=("*",), reason=""),)), "listed", id="no packages"
        ),
    ],
)
def test_what_proves_nothing_is_refused(reports: list[Report], policy: Policy, said: str) -> None:
    result = verdict(*reports, policy=policy)
    assert not result.passed
    assert any(said in reason for reason in result.reasons), result.reasons


@pytest.mark.parametrize(
    ("reports", "policy"),
    [
        pytest.param([report(os="")], Policy(allow_no_os=True), id="the owner's word"),
        pytest.param([report(os="", says_os=False)], Policy(allow_unsaid_os=True), id="believed"),
        pytest.param([report(os="", says_os=False), report()], FIXABLE, id="another scanner names it"),
        pytest.param([report(database_at=NOW - 10)], Policy(max_database_age=60.0), id="fresh database"),
        pytest.param([report(scanned_at=NOW + 60)], FIXABLE, id="clocks differ a little"),
        pytest.param(
            [report(), report(scanner="aqua")], Policy(scanners=("aqua", "trivy")), id="all have reported"
        ),
    ],
)
def test_what_proves_enough_passes(reports: list[Report], policy: Policy) -> None:
    assert verdict(*reports, policy=policy).passed


def test_no_system_and_a_finding_is_still_a_finding() -> None:
    assert not verdict(report(finding(), os=""), policy=Policy(allow_no_os=True)).passed


# Several scanners.


def test_scanners_are_merged_by_flaw_and_package_and_the_worse_word_counts() -> None:
    first = report(finding(Severity.LOW, fixed=""))
    second = report(finding(Severity.CRITICAL, fixed="1.3"), finding(flaw="CVE-2", package="b"), scanner="aqua")
    result = verdict(first, second)
    line = next(line for line in result.findings if line.id == "CVE-1")
    assert (line.severity, line.fixed, line.refused) == ("CRITICAL", "1.3", True)
    assert line.said == {"trivy": "LOW", "aqua": "CRITICAL"}
    assert result.counts["CRITICAL"] == 2
    assert result.scanner == "trivy; aqua"


def test_one_rates_it_another_knows_the_repair() -> None:
    rated, repaired = finding(fixed=""), finding(Severity.LOW, fixed="2")
    assert verdict(report(rated)).passed
    assert verdict(report(repaired)).passed
    assert not verdict(report(rated), report(repaired, scanner="aqua")).passed


def test_installed_versions_are_all_named() -> None:
    other = Finding(id="CVE-1", package="zlib1g", installed="0.9", fixed="2", severity=Severity.CRITICAL)
    assert verdict(report(finding(), other)).findings[0].installed == "0.9, 1"


# Allowances and forbidden packages.


def allowed(**changes: Any) -> Policy:
    fields = {"id": "CVE-1", "package": "*", "reason": "behind a proxy", "expires": NOW + 1, **changes}
    return Policy(allow=(Allowance(**fields),))


@pytest.mark.parametrize(
    ("policy", "passed"),
    [
        (allowed(), True),
        (allowed(package="zlib*"), True),
        (allowed(package="openssl"), False),
        (allowed(id="CVE-2"), False),
        (allowed(expires=NOW), False),
    ],
)
def test_an_allowance_lets_one_flaw_pass_until_it_expires(policy: Policy, passed: bool) -> None:
    assert verdict(report(finding()), policy=policy).passed is passed


def test_an_allowance_is_told() -> None:
    result = verdict(report(finding()), policy=allowed())
    (line,) = result.findings
    assert (line.refused, line.allowed) == (False, "until 2027-01-15: behind a proxy")
    assert result.tally["allowed"] == 1


def test_an_expired_allowance_is_named_only_where_it_would_have_helped() -> None:
    policy = allowed(expires=NOW - 86400)
    assert verdict(report(finding()), policy=policy).notes == (
        "the allowance of CVE-1 expired on 2027-01-14 (behind a proxy)",
    )
    assert verdict(report(finding(flaw="CVE-2")), policy=policy).notes == ()


def test_what_the_scanner_cleared_passes_only_when_all_that_found_it_clear_it() -> None:
    clear = finding(cleared="not_affected: code_not_reachable")
    assert verdict(report(clear)).findings[0].allowed == "not_affected: code_not_reachable"
    assert verdict(report(clear)).passed
    assert not verdict(report(clear), report(finding(), scanner="aqua")).passed


LOG4J = Package(name="org.apache:log4j-core", version="2.14.1", layer="sha256:o1")


@pytest.mark.parametrize(
    ("ban", "package", "passed"),
    [
        (Ban(package="*log4j-core", versions=("*",), reason="log4shell"), LOG4J, False),
        (Ban(package="*log4j-core", versions=("2.14.*",), reason=""), LOG4J, False),
        (Ban(package="*log4j-core", versions=("2.17.*", "1.*"), reason=""), LOG4J, True),
        (Ban(package="log4j", versions=("*",), reason=""), LOG4J, True),
        (Ban(package="x", versions=("2.*",), reason=""), Package(name="x", version=""), False),
    ],
)
def test_forbidden_packages(ban: Ban, package: Package, passed: bool) -> None:
    result = verdict(report(packages=(package,)), policy=Policy(never=(ban,)))
    assert result.passed is passed


def test_a_forbidden_package_is_told_with_its_reason_and_its_layer() -> None:
    policy = Policy(never=(Ban(package="*log4j-core", versions=("*",), reason="log4shell"),))
    result = verdict(report(packages=(LOG4J,)), policy=policy, base_layers=())
    assert result.reasons == ("org.apache:log4j-core 2.14.1 is never allowed (log4shell), from its own layers",)
    assert [(line.id, line.package, line.refused) for line in result.findings] == [("never", LOG4J.name, True)]
    assert (sum(result.counts.values()), result.tally["forbidden"], result.left_out) == (0, 1, 0)


def test_a_forbidden_package_cannot_be_allowed_but_carried() -> None:
    ban = Ban(package="*log4j-core", versions=("*",), reason="")
    allow = Allowance(id="never", package="*", reason="r", expires=NOW + 1)
    has = report(packages=(LOG4J,))
    assert verdict(has, policy=Policy(never=(ban,), allow=(allow,))).reasons == (
        "org.apache:log4j-core 2.14.1 is never allowed",
    )
    assert verdict(has, policy=Policy(never=(ban,), mode=Mode.NO_WORSE), current=[has]).passed


# What is kept.


def test_many_reasons_are_cut_and_the_rest_counted() -> None:
    result = verdict(report(*(finding(flaw=f"CVE-{number:03}") for number in range(160))))
    assert len(result.reasons) == 51
    assert result.reasons[-1] == "and 110 more"
    assert result.counts["CRITICAL"] == 160
    assert (len(result.findings), result.left_out) == (MAX_FINDINGS, 60)


def test_what_is_kept_is_bounded_whatever_a_report_holds() -> None:
    long = "x" * 100_000
    huge = Finding(
        id=long, package=long, installed=long, fixed=long, severity=Severity.CRITICAL, title=long, cleared=long
    )
    many = [
        Finding(id=f"{number}{long}", package="p", installed="", fixed="1", severity=Severity.LOW)
        for number in range(99)
    ]
    result = verdict(report(huge, *many), current=[report(*(finding(flaw=f"C{n}") for n in range(200)))])
    assert len(result.fixed) == MAX_FIXED
    assert len(json.dumps(result.to_json())) < 200_000


def test_refused_findings_are_kept_before_worse_ones_that_may_pass() -> None:
    result = verdict(
        report(finding(Severity.HIGH, flaw="CVE-9"), finding(fixed="", flaw="CVE-1")),
        policy=Policy(threshold=Severity.HIGH),
    )
    assert [line.id for line in result.findings] == ["CVE-9", "CVE-1"]


def test_a_verdict_survives_json() -> None:
    result = verdict(
        report(finding(layer="sha256:b")), current=[report(finding(flaw="CVE-0"))], base_layers=["sha256:b"]
    )
    assert Verdict.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert isinstance(result.findings[0], Line)


def test_a_verdict_of_before_is_still_read() -> None:
    old = {"passed": True, "digest": "d", "scanner": "s", "os": "o", "reasons": [], "counts": {"LOW": 1}}
    assert Verdict.from_json(old).counts == {"LOW": 1}
    assert (Verdict.from_json(old).findings, Verdict.from_json(old).left_out) == ((), 1)
