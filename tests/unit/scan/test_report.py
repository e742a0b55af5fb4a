"""Reading Trivy's report: what is taken over, and all that is refused instead of being called clean."""

import json
from typing import Any

import pytest

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.port import Report, Severity
from groundswell.scan.report import parse

DIGEST = "sha256:" + "ab" * 32
BUCKETS = frozenset({"debian 12", "pip::Python Packaging Advisory Database", "vulnerability", "data-source"})
VULNERABILITY = {
    "VulnerabilityID": "CVE-2026-90001",
    "PkgName": "zlib1g",
    "InstalledVersion": "1.2",
    "FixedVersion": "1.3",
    "Severity": "CRITICAL",
    "Title": "overflow",
    "Layer": {"Digest": "sha256:00", "DiffID": "sha256:11"},
}


def document(**changes: Any) -> dict[str, Any]:
    system = {
        "Class": "os-pkgs",
        "Type": "debian",
        "Packages": [{"Name": "zlib1g"}],
        "Vulnerabilities": [VULNERABILITY],
    }
    return {
        "SchemaVersion": 2,
        "Metadata": {
            "OS": {"Family": "debian", "Name": "12.5"},
            "RepoDigests": [f"registry.example.com/app@{DIGEST}"],
        },
        "Results": [system],
        **changes,
    }


def metadata(family: str | None, name: str = "") -> dict[str, Any]:
    system = {} if family is None else {"OS": {"Family": family, "Name": name}}
    return {**system, "RepoDigests": [f"registry.example.com/app@{DIGEST}"]}


def packages(kind: str, type_: str = "debian") -> dict[str, Any]:
    return {"Class": kind, "Type": type_, "Packages": [{"Name": "x"}]}


def read(content: dict[str, Any] | bytes) -> Report:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return parse(raw, digest=DIGEST, buckets=BUCKETS)


def test_findings_are_taken_over() -> None:
    report = read(document())
    assert (report.scanner, report.digest, report.os) == ("trivy", DIGEST, "debian 12.5")
    (found,) = report.findings
    assert (found.id, found.package, found.installed, found.fixed) == ("CVE-2026-90001", "zlib1g", "1.2", "1.3")
    assert (found.severity, found.title, found.layer) == (Severity.CRITICAL, "overflow", "sha256:11")


@pytest.mark.parametrize("named", ["NEGLIGIBLE", "", None, "critical"])
def test_a_severity_nobody_knows_is_kept_as_unknown(named: str | None) -> None:
    result = {**packages("os-pkgs"), "Vulnerabilities": [{**VULNERABILITY, "Severity": named}]}
    (found,) = read(document(Results=[result])).findings
    assert found.severity is Severity.UNKNOWN


def test_a_finding_without_a_repair_has_no_fixed_version() -> None:
    entry = {key: value for key, value in VULNERABILITY.items() if key not in ("FixedVersion", "Layer", "Title")}
    (found,) = read(document(Results=[{**packages("os-pkgs"), "Vulnerabilities": [entry]}])).findings
    assert (found.fixed, found.layer, found.title) == ("", "", "")


@pytest.mark.parametrize("results", [None, []])
def test_an_image_with_nothing_in_it_has_no_system(results: list[Any] | None) -> None:
    report = read(document(Metadata=metadata(None), Results=results))
    assert (report.os, report.findings) == ("", ())


def test_languages_without_a_system_are_judged() -> None:
    result = {**packages("lang-pkgs", "python-pkg"), "Vulnerabilities": [VULNERABILITY]}
    report = read(document(Metadata=metadata(None), Results=[result]))
    assert report.os == ""
    assert len(report.findings) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"Metadata": metadata("none"), "Results": []}, "not recognise", id="family none"),
        pytest.param({"Metadata": metadata(None)}, "not recognise", id="packages of no system"),
        pytest.param({"Metadata": metadata("debian", "13.1")}, "debian 13.1", id="release not in the database"),
        pytest.param({"Metadata": metadata("debian", "trixie/sid")}, "no advisories", id="unreleased"),
        pytest.param({"Metadata": metadata("plan9", "4")}, "no advisories for plan9", id="unknown family"),
        pytest.param({"Results": []}, "record of its packages is missing", id="package database removed"),
        pytest.param(
            {"Results": [packages("os-pkgs"), packages("lang-pkgs", "node-pkg")]}, "node-pkg", id="language"
        ),
        pytest.param({"Metadata": {"RepoDigests": ["r/a@sha256:" + "cd" * 32]}}, "is not about", id="other digest"),
        pytest.param({"Metadata": {"RepoDigests": []}}, "no digest", id="no digest"),
    ],
)
def test_what_was_not_looked_at_is_not_clean(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        read(document(**changes))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(json.dumps(document()).encode()[:-20], id="truncated"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
        pytest.param(b"\xff\xfe{}", id="no UTF-8"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no schema version"),
        pytest.param(document(SchemaVersion=3), id="newer schema"),
        pytest.param(document(Metadata=[1]), id="metadata is a list"),
        pytest.param(document(Results={"a": 1}), id="results are an object"),
        pytest.param(document(Results=["x"]), id="a result is a text"),
        pytest.param(
            document(Results=[{**packages("os-pkgs"), "Vulnerabilities": [7]}]), id="a finding is a number"
        ),
        pytest.param(
            document(Results=[{**packages("os-pkgs"), "Vulnerabilities": [{**VULNERABILITY, "PkgName": ""}]}]),
            id="a finding names no package",
        ),
        pytest.param(
            document(Results=[{**packages("os-pkgs"), "Vulnerabilities": [{**VULNERABILITY, "Severity": 4}]}]),
            id="a severity is a number",
        ),
    ],
)
def test_what_is_no_whole_report_is_the_scanners_failure(content: dict[str, Any] | bytes) -> None:
    with pytest.raises(TemporaryError):
        read(content)
