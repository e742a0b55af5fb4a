"""Defender's rows as a report: what counts, what is exempt, how bad it is, and what is refused."""

from typing import Any

import pytest

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.defender import KEY, query, report
from groundswell.scan.port import Finding, NotYetError, Report, Severity
from tests.support.resource_graph import row

DIGEST = "sha256:" + "ab" * 32


def told(*rows: Any) -> Report:
    return report(rows, scanner="defender", digest=DIGEST)


def one(**changes: Any) -> Finding:
    (finding,) = told(row(DIGEST, **changes)).findings
    return finding


def test_the_question_is_for_one_digest_of_one_assessment() -> None:
    asked = query(DIGEST)
    assert f'"{DIGEST}"' in asked
    assert f'"{KEY}"' in asked
    with pytest.raises(PermanentError):
        query(f'{DIGEST}" or true //')


def test_a_finding() -> None:
    found = told(row(DIGEST, software={"fixedVersion": "1.11.1"}))
    assert found.scanned_at == pytest.approx(1_795_593_600.077, abs=0.01)
    assert (found.os, found.says_os, found.packages, found.database_at) == ("debian linux 12", True, None, None)
    (finding,) = found.findings
    assert (finding.id, finding.package, finding.installed) == ("CVE-2022-42969", "py", "1.11.0.0")
    assert (finding.fixed, finding.fix_known, finding.severity) == ("1.11.1", True, Severity.HIGH)
    assert finding.title.startswith("This vulnerability affects")


@pytest.mark.parametrize(
    ("status", "details", "score", "severity"),
    [
        ("High", "High", 7.5, Severity.HIGH),
        ("Medium", "Critical", 1.0, Severity.CRITICAL),
        ("Critical", "Low", None, Severity.CRITICAL),
        ("Strange", "", 9.8, Severity.CRITICAL),
        ("Strange", "", None, Severity.UNKNOWN),
        ("", "", 0, Severity.UNKNOWN),
    ],
)
def test_the_worse_word_counts(status: str, details: str, score: float | None, severity: Severity) -> None:
    assert one(status={"severity": status}, details=details, score=score).severity is severity


@pytest.mark.parametrize(
    ("software", "fixed", "known"),
    [
        ({"fixedVersion": "2", "fixStatus": "FixAvailable"}, "2", True),
        ({"fixedVersion": "", "fixStatus": "FixAvailable"}, "", False),
        ({"fixedVersion": "", "fixStatus": "NoFixAvailable"}, "", True),
        ({"fixedVersion": "", "fixStatus": "Unknown"}, "", False),
    ],
)
def test_whether_there_is_a_repair(software: dict[str, str], fixed: str, known: bool) -> None:
    finding = one(software=software)
    assert (finding.fixed, finding.fix_known) == (fixed, known)


@pytest.mark.parametrize(
    "status",
    [
        {"code": "NotApplicable"},
        {"code": "NotApplicable", "cause": "Exempt"},
        {"code": "Unhealthy", "cause": "Exempt"},
    ],
)
def test_what_is_exempt_is_no_finding_and_no_proof_of_an_assessment(status: dict[str, str]) -> None:
    exempt = row(DIGEST, "CVE-1", status=status)
    with pytest.raises(NotYetError, match="all of its 1 findings are exempt"):
        told(exempt)
    assert [finding.id for finding in told(exempt, row(DIGEST, "CVE-2")).findings] == ["CVE-2"]


def test_a_code_that_is_not_known_counts_as_a_finding() -> None:
    assert one(status={"code": "Doubtful"}).id == "CVE-2022-42969"


def test_a_healthy_row_is_an_assessment_without_a_finding() -> None:
    found = told(row(DIGEST, status={"code": "Healthy"}, software={"osDetails": {}}))
    assert (found.findings, found.os, found.says_os) == ((), "", False)


def test_the_oldest_row_is_the_age_of_the_scan() -> None:
    old, new = row(DIGEST, "CVE-1", timeGenerated="2026-11-24T08:00:00Z"), row(DIGEST, "CVE-2")
    assert told(new, old).scanned_at == 1_795_507_200.0
    assert told(row(DIGEST, timeGenerated=None)).scanned_at is None


@pytest.mark.parametrize(
    "bad",
    [
        row("sha256:" + "cd" * 32),
        row(""),
        row(DIGEST, id=""),
        row(DIGEST, timeGenerated="yesterday"),
        row(DIGEST, additionalData="nothing"),
        "not a row",
        {"properties": []},
    ],
)
def test_what_is_not_about_the_image_or_not_of_the_shape_is_refused(bad: Any) -> None:
    with pytest.raises(TemporaryError):
        told(row(DIGEST), bad)
