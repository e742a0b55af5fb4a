"""Other scanners' reports: some of real shape (in `reports`), and all that is refused instead of called clean."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import InputError, PermanentError, TemporaryError
from groundswell.scan.formats import FORMATS, read
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.source import Source

FOLDER = Path(__file__).parent / "reports"
DIGEST = "sha256:" + "ab" * 32
IMAGE_ID = "sha256:" + "1d" * 32
BASE, OWN = "sha256:" + "b0" * 32, "sha256:" + "0c" * 32
AT = 1_795_593_600.0  # 2026-11-25T08:00:00Z
SOURCE = Source(scanner="other", digest=DIGEST)

type Document = dict[str, Any]
type Damage = Callable[[Document], object]


def load(name: str) -> Document:
    document: Document = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return document


def parsed(format_: str, document: Any, source: Source = SOURCE) -> Report:
    return read(format_, json.dumps(document).encode(), source)


def brief(finding: Finding) -> tuple[str, str, str, str, Severity, bool]:
    return finding.id, finding.package, finding.installed, finding.fixed, finding.severity, finding.fix_known


SAMPLES = {
    "trivy.sarif": "sarif",
    "trivy.cdx": "cyclonedx",
    "vex.cdx": "cyclonedx",
    "aqua": "aqua",
    "twistcli": "twistcli",
}


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES.values()) == set(FORMATS)


def test_trivys_sarif() -> None:
    report = parsed("sarif", load("trivy.sarif"), Source(scanner="trivy", digest=DIGEST, made_at=5.0))
    assert (report.scanner, report.digest, report.os, report.says_os) == ("trivy", DIGEST, "", False)
    assert (report.packages, report.scanned_at) == (None, 5.0)
    assert list(map(brief, report.findings)) == [
        ("CVE-2026-90001", "zlib1g", "1:1.2.13", "1:1.3", Severity.CRITICAL, True),
        ("CVE-2026-90002", "libc6", "2.36-9", "", Severity.MEDIUM, True),
        ("CVE-2026-90003", "requests", "2.0", "2.1", Severity.UNKNOWN, True),
    ]
    assert report.findings[0].title == "zlib: overflow"


def test_sarif_of_any_scanner() -> None:
    report = parsed("sarif", load("generic.sarif"))
    assert report.scanned_at == AT + 30
    assert list(map(brief, report.findings)) == [
        ("SCAN-1", "zlib1g", "1.2", "1.3", Severity.HIGH, True),
        ("SCAN-2", "usr/bin/app", "", "", Severity.CRITICAL, False),
        ("SCAN-3", "the image", "", "", Severity.MEDIUM, False),
    ]
    assert [finding.cleared for finding in report.findings] == ["", "", "suppressed: the code is not called"]
    assert report.findings[0].purl == "pkg:deb/debian/zlib1g@1.2"


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        ("error", Severity.CRITICAL),
        ("warning", Severity.MEDIUM),
        ("note", Severity.LOW),
        ("none", Severity.UNKNOWN),
        ("dire", Severity.UNKNOWN),
    ],
)
def test_a_level_is_a_severity_of_the_last_resort(level: str, severity: Severity) -> None:
    document = load("generic.sarif")
    document["runs"][0]["results"] = [{"ruleId": "SCAN-3", "level": level}]
    assert parsed("sarif", document).findings[0].severity is severity


@pytest.mark.parametrize(
    "suppression",
    [
        {"kind": "external"},
        {"status": "rejected", "justification": "x"},
        {"status": "underReview", "justification": "x"},
    ],
)
def test_a_suppression_needs_a_reason_and_to_be_accepted(suppression: Document) -> None:
    document = load("generic.sarif")
    document["runs"][0]["results"][2]["suppressions"] = [suppression]
    assert parsed("sarif", document).findings[2].cleared == ""


def test_a_result_without_a_place_is_in_the_image() -> None:
    document = load("generic.sarif")
    document["runs"][0]["results"] = [{"ruleId": "SCAN-3", "locations": [{}, {"physicalLocation": {}}]}]
    assert parsed("sarif", document).findings[0].package == "the image"


def test_an_image_named_by_its_hash() -> None:
    document = load("generic.sarif")
    document["runs"][0]["artifacts"] = [{"hashes": {"sha-256": "AB" * 32}}]
    document["runs"][0]["properties"] = {"n": 1}
    assert parsed("sarif", document).digest == DIGEST


def test_trivys_cyclonedx() -> None:
    report = parsed("cyclonedx", load("trivy.cdx"))
    assert (report.os, report.scanned_at) == ("debian 12.5", AT)
    assert list(map(brief, report.findings)) == [
        ("CVE-2026-90001", "zlib1g", "1:1.2.13", "1:1.3", Severity.CRITICAL, True),
        ("CVE-2026-90004", "org.example:codec", "1.0", "1.1", Severity.HIGH, True),
        ("CVE-2026-90004", "@scope/pad", "1.0", "1.2", Severity.HIGH, True),
        ("CVE-2026-90005", "org.example:codec", "1.0", "", Severity.UNKNOWN, True),
    ]
    assert [finding.layer for finding in report.findings] == [BASE, OWN, "", OWN]
    assert {(each.name, each.version, each.layer) for each in report.packages or ()} == {
        ("zlib1g", "1:1.2.13", BASE),
        ("org.example:codec", "1.0", OWN),
        ("@scope/pad", "1.0", ""),
    }


def test_cyclonedx_with_an_analysis() -> None:
    report = parsed("cyclonedx", load("vex.cdx"), Source(scanner="scanly", digest=DIGEST, made_at=7.0))
    assert (report.os, report.scanned_at) == ("", 7.0)
    assert list(map(brief, report.findings)) == [
        ("CVE-1", "pad", "1", "", Severity.HIGH, False),
        ("CVE-2", "pad", "1", "", Severity.HIGH, False),
        ("CVE-3", "elsewhere", "", "", Severity.UNKNOWN, False),
        ("CVE-4", "the image", "", "", Severity.UNKNOWN, False),
    ]
    cleared = [finding.cleared for finding in report.findings]
    assert cleared == ["not_affected: code_not_reachable", "", "", ""]


def test_aqua() -> None:
    report = parsed("aqua", load("aqua"))
    assert (report.os, report.scanned_at, report.database_at) == ("debian 12.5", AT, AT - 28800)
    assert list(map(brief, report.findings)) == [
        ("CVE-2026-90001", "zlib1g", "1:1.2.13", "1:1.3", Severity.CRITICAL, True),
        ("CVE-2026-90006", "zlib1g", "1:1.2.13", "", Severity.HIGH, True),
        ("CVE-2026-90002", "libc6", "2.36-9", "", Severity.LOW, True),
        ("CVE-2026-90007", "libc6", "2.36-9", "", Severity.UNKNOWN, True),
    ]
    assert Package(name="/usr/lib/app.jar", version="") in (report.packages or ())


@pytest.mark.parametrize("system", ["", "unknown", "None"])
def test_aqua_without_a_system(system: str) -> None:
    assert parsed("aqua", {**load("aqua"), "os": system}).os == ""


def test_aqua_names_the_image_by_its_config() -> None:
    with pytest.raises(PermanentError, match="but about no digest"):
        parsed("aqua", {**load("aqua"), "metadata": {}, "digest": None})
    document = {**load("aqua"), "metadata": {}}
    with pytest.raises(PermanentError, match="is not about"):
        parsed("aqua", document)
    document["digest"] = document["digest"].removeprefix("sha256:")
    assert parsed("aqua", document, Source(scanner="aqua", digest=DIGEST, image_id=IMAGE_ID)).digest == DIGEST


def test_aqua_without_times_is_as_old_as_its_bringer_says() -> None:
    document = load("aqua")
    del document["scan_started"], document["data_date"]
    report = parsed("aqua", document, Source(scanner="aqua", digest=DIGEST, made_at=3.0))
    assert (report.scanned_at, report.database_at) == (3.0, None)


def test_twistcli() -> None:
    report = parsed("twistcli", load("twistcli"))
    assert (report.os, report.scanned_at) == ("Debian GNU/Linux 12 (bookworm)", AT + 0.5)
    assert list(map(brief, report.findings)) == [
        ("CVE-2026-90001", "zlib1g", "1:1.2.13", "1:1.3", Severity.CRITICAL, True),
        ("CVE-2026-90002", "glibc", "2.36-9", "", Severity.MEDIUM, True),
        ("CVE-2026-90008", "nginx", "1.25", "", Severity.HIGH, False),
        ("PRISMA-2026-0001", "the image", "", "", Severity.MEDIUM, True),
    ]
    assert [each.name for each in report.packages or ()] == ["zlib1g", "libc6", "nginx"]


def test_twistcli_by_name_and_without_packages() -> None:
    document = load("twistcli")
    result = document["results"][0]
    del result["digest"], result["packages"], result["scanTime"]
    result["name"] = f"contoso.azurecr.io/shop/web@{DIGEST}"
    report = parsed("twistcli", document, Source(scanner="prisma", digest=DIGEST, made_at=2.0))
    assert (report.packages, report.scanned_at) == (None, 2.0)


# What is refused.


@pytest.mark.parametrize(("sample", "format_"), SAMPLES.items())
def test_a_report_on_another_image_is_refused(sample: str, format_: str) -> None:
    other = Source(scanner="other", digest="sha256:" + "ff" * 32)
    with pytest.raises(PermanentError, match=r"is not about sha256:ffff.* but about .*sha256:"):
        parsed(format_, load(sample), other)


@pytest.mark.parametrize(("sample", "format_"), SAMPLES.items())
@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_cut_report_is_refused(sample: str, format_: str, cut: int) -> None:
    with pytest.raises(TemporaryError, match="the report of other is not whole JSON"):
        read(format_, json.dumps(load(sample)).encode()[:-cut], SOURCE)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"[" * 100_000, b"\xff\xfe{}", b"{}", b'{"version": 2.1}']
)
def test_what_is_no_such_report_is_refused(format_: str, content: bytes) -> None:
    with pytest.raises(TemporaryError):
        read(format_, content, SOURCE)


def test_a_huge_report_is_refused_unread() -> None:
    with pytest.raises(PermanentError, match="has 30 bytes, more than the 29 allowed"):
        read("aqua", b"x" * 30, SOURCE, max_bytes=29)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(InputError, match="no report format 'grype'; there are aqua, cyclonedx, sarif, twistcli"):
        read("grype", b"{}", SOURCE)


def run(document: Document) -> Document:
    first: Document = document["runs"][0]
    return first


DAMAGES: list[tuple[str, Damage, type[Exception], str]] = [
    ("trivy.sarif", lambda d: d.update(version="2.0.0"), TemporaryError, "no SARIF 2.1.0"),
    ("trivy.sarif", lambda d: d.update(runs=[]), TemporaryError, "has no run"),
    ("trivy.sarif", lambda d: run(d).pop("results"), TemporaryError, "a run without results"),
    ("trivy.sarif", lambda d: run(d).update(results={}), TemporaryError, "a run without results"),
    ("trivy.sarif", lambda d: run(d).update(properties={"repoTags": [1]}), PermanentError, "but about no digest"),
    (
        "trivy.sarif",
        lambda d: run(d).update(invocations=[{"executionSuccessful": False}]),
        PermanentError,
        "says that its scan failed",
    ),
    ("trivy.sarif", lambda d: run(d)["results"].append({}), TemporaryError, "a result without a rule"),
    ("trivy.sarif", lambda d: run(d)["results"].append({"ruleIndex": 7}), TemporaryError, "without a rule"),
    ("trivy.sarif", lambda d: run(d)["results"].append({"ruleIndex": float("nan")}), TemporaryError, "no number"),
    (
        "trivy.sarif",
        lambda d: run(d)["tool"]["driver"]["rules"][0].pop("id") and run(d)["results"][0].pop("ruleId"),
        TemporaryError,
        "without a rule",
    ),
    ("trivy.sarif", lambda d: run(d)["results"].append(3), TemporaryError, "results that is no object"),
    ("trivy.sarif", lambda d: run(d)["results"][0].update(ruleId=[1]), TemporaryError, "ruleId that is no text"),
    ("generic.sarif", lambda d: run(d)["invocations"][0].update(endTimeUtc="soon"), TemporaryError, "no time"),
    ("trivy.cdx", lambda d: d.update(specVersion="1.3"), TemporaryError, "no CycloneDX of version 1.4, 1.5, 1.6"),
    ("trivy.cdx", lambda d: d.update(bomFormat="SPDX"), TemporaryError, "no CycloneDX"),
    ("trivy.cdx", lambda d: d.pop("vulnerabilities"), TemporaryError, "an inventory, not a scan"),
    ("trivy.cdx", lambda d: d["vulnerabilities"][0].pop("id"), TemporaryError, "a finding without id"),
    ("trivy.cdx", lambda d: d["vulnerabilities"][0]["ratings"].append({"score": "x"}), TemporaryError, "no number"),
    ("trivy.cdx", lambda d: d["metadata"].pop("component"), PermanentError, "but about no digest"),
    ("trivy.cdx", lambda d: d.update(components={"a": 1}), TemporaryError, "components that is no list"),
    ("aqua", lambda d: d.pop("vulnerability_summary"), TemporaryError, "none of Aqua's"),
    ("aqua", lambda d: d.update(resources=None), TemporaryError, "none of Aqua's"),
    (
        "aqua",
        lambda d: d["vulnerability_summary"].update(total=5),
        TemporaryError,
        "counts 5 vulnerabilities, but holds 4",
    ),
    ("aqua", lambda d: d.update(partial_results=True), PermanentError, "partial results only"),
    (
        "aqua",
        lambda d: d["resources"][2].update(scan_error="unknown/unsupported operating system"),
        PermanentError,
        "could not scan base-files: unknown/unsupported operating system",
    ),
    (
        "aqua",
        lambda d: d["resources"][0]["vulnerabilities"][0].pop("name"),
        TemporaryError,
        "a finding without name",
    ),
    ("aqua", lambda d: d["scan_started"].update(seconds=float("inf")), TemporaryError, "seconds that is no number"),
    ("aqua", lambda d: d.update(data_date=1e20), TemporaryError, "data_date that is no time"),
    ("aqua", lambda d: d.update(data_date=-1), TemporaryError, "data_date that is no time"),
    (
        "trivy.cdx",
        lambda d: d["metadata"].update(timestamp="9999-12-31T23:59:59-23:59"),
        TemporaryError,
        "timestamp that is no time",
    ),
    ("twistcli", lambda d: d.update(results=[]), TemporaryError, "it has 0 results"),
    ("twistcli", lambda d: d["results"].append(d["results"][0]), TemporaryError, "it has 2 results"),
    (
        "twistcli",
        lambda d: d["results"][0].pop("vulnerabilities"),
        TemporaryError,
        "lists 0: run twistcli with --det",
    ),
    (
        "twistcli",
        lambda d: d["results"][0].pop("vulnerabilityDistribution"),
        TemporaryError,
        "no vulnerabilityDistr",
    ),
    ("twistcli", lambda d: d["results"][0]["vulnerabilities"][0].pop("id"), TemporaryError, "a finding without id"),
]


@pytest.mark.parametrize(("sample", "damage", "error", "said"), DAMAGES)
def test_what_was_not_looked_at_is_not_clean(
    sample: str, damage: Damage, error: type[Exception], said: str
) -> None:
    document = copy.deepcopy(load(sample))
    damage(document)
    format_ = {**SAMPLES, "generic.sarif": "sarif"}[sample]
    with pytest.raises(error, match=said):
        parsed(format_, document)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("Important", Severity.HIGH),
        ("negligible", Severity.LOW),
        ("untriaged", Severity.UNKNOWN),
        ("", Severity.UNKNOWN),
    ],
)
def test_severities_in_other_words(word: str, severity: Severity) -> None:
    document = load("twistcli")
    found = document["results"][0]["vulnerabilities"][0]
    found["severity"] = word
    found.pop("cvss")
    assert parsed("twistcli", document).findings[0].severity is severity


@pytest.mark.parametrize(
    ("score", "severity"),
    [(10, "CRITICAL"), (9.0, "CRITICAL"), (8.9, "HIGH"), (7, "HIGH"), (4, "MEDIUM"), (0.1, "LOW"), (0, "UNKNOWN")],
)
def test_scores_in_bands(score: float, severity: str) -> None:
    document = load("vex.cdx")
    document["vulnerabilities"][0]["ratings"] = [{"score": score}]
    assert parsed("cyclonedx", document).findings[0].severity.name == severity
