"""A scanner in a run, and all that such a run may leave behind: only a whole, fresh report on the image counts."""

import json
from collections.abc import Callable

import pytest

from groundswell.build.port import RunStatus
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.port import NotYetError, Report, Severity
from groundswell.scan.run import FRESH
from tests.support.scan_fakes import (
    CONFIG,
    DIGEST,
    IMAGE,
    NOW,
    OTHER,
    REPORTS,
    FakeArtifacts,
    Scanning,
    command,
    database,
    digest_of,
    flaw,
    moment,
    trivy_report,
)

DAY = 86400.0
GOOD = json.dumps(trivy_report(DIGEST, flaw())).encode()


def begun(scanning: Scanning) -> Scanning:
    with pytest.raises(NotYetError, match=f"^{scanning.name} was begun as run cf1$"):
        scanning.scanner.scan(IMAGE)
    return scanning


def refused(scanning: Scanning, error: type[GroundswellError], said: str) -> None:
    """It is refused, and forgotten, so that the next call begins anew."""
    with pytest.raises(error, match=said) as caught:
        scanning.scanner.scan(IMAGE)
    assert type(caught.value) is error
    assert len(scanning.runs.forgotten) == 1
    with pytest.raises(NotYetError, match="was begun as run cf2"):
        scanning.scanner.scan(IMAGE)


def test_a_run_is_begun_once_waited_for_and_its_report_read() -> None:
    scanning = Scanning()
    scanning.runs.status = RunStatus.QUEUED
    begun(scanning)
    for status in (RunStatus.QUEUED, RunStatus.STARTED, RunStatus.RUNNING):
        scanning.runs.status = status
        with pytest.raises(NotYetError, match=f"trivy is at work as run cf1, which is {status}"):
            scanning.scanner.scan(IMAGE)
    scanning.runs.status = RunStatus.SUCCEEDED
    scanning.artifacts.attach(GOOD, database=database(NOW - DAY), at=NOW - 5)
    report = scanning.scanner.scan(IMAGE)
    assert (report.scanner, report.digest, report.os) == ("trivy", DIGEST, "debian 12.5")
    assert (report.scanned_at, report.database_at) == (NOW - 5, NOW - DAY)
    assert [finding.id for finding in report.findings] == ["CVE-1"]
    assert scanning.scanner.scan(IMAGE) == report
    assert len(scanning.runs.begun) == 1
    assert scanning.runs.forgotten == []


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELED, RunStatus.ERROR, RunStatus.TIMEOUT])
def test_a_run_that_did_not_succeed(status: RunStatus) -> None:
    scanning = begun(Scanning())
    scanning.runs.status = status
    scanning.artifacts.attach(GOOD, database=database())
    refused(scanning, TemporaryError, rf"run cf1 of trivy ended as {status}; its log ends: line 1 \| FATAL no such")


@pytest.mark.parametrize(
    ("said", "fails", "told"),
    [
        ("", None, "ended as Failed: the run ended as Failed$"),
        ("x", TemporaryError("storage is away"), r"\(its log cannot be read: storage is away\)"),
    ],
)
def test_a_log_that_says_nothing(said: str, fails: GroundswellError | None, told: str) -> None:
    scanning = begun(Scanning())
    scanning.runs.status, scanning.runs.said, scanning.runs.log_fails = RunStatus.FAILED, said, fails
    refused(scanning, TemporaryError, told)


type Leaves = Callable[[FakeArtifacts], object]

LEFT: dict[str, tuple[Leaves, type[GroundswellError], str]] = {
    "nothing": (lambda a: None, TemporaryError, "succeeded, but attached no report"),
    "that of another run": (
        lambda a: a.attach(GOOD, database=database(), run="cf9"),
        TemporaryError,
        "attached no report",
    ),
    "that of another scanner": (
        lambda a: a.attach(GOOD, database=database(), scanner="other"),
        TemporaryError,
        "attached no report",
    ),
    "a signature": (
        lambda a: a.attach(GOOD, database=database(), kind="application/vnd.dev.cosign"),
        TemporaryError,
        "attached no report",
    ),
    "one that is attached to another image": (
        lambda a: a.attach(GOOD, database=database(), subject=OTHER),
        PermanentError,
        f"is attached to {OTHER}",
    ),
    "one that is attached to nothing": (
        lambda a: a.attach(GOOD, database=database(), subject=""),
        PermanentError,
        "is attached to nothing",
    ),
    "one whose manifest has another type than its list says": (
        lambda a: a.attach(GOOD, database=database(), artifactType="x"),
        PermanentError,
        "is attached to",
    ),
    "one without a layer": (lambda a: a.attach(GOOD, layers=[]), TemporaryError, "holds no report"),
    "one that does not say when": (
        lambda a: a.attach(GOOD, database=database(), created="now"),
        TemporaryError,
        "does not say when it was made",
    ),
    "a listed one that is not there": (
        lambda a: (a.attach(GOOD, database=database()), a.manifests.clear()),
        TemporaryError,
        "is listed, but not there",
    ),
    "a manifest that was changed": (
        lambda a: (
            a.attach(GOOD, database=database()),
            a.manifests.update({name: content + b" " for name, content in a.manifests.items()}),
        ),
        TemporaryError,
        "gave other content",
    ),
    "a report that was changed": (
        lambda a: (a.attach(GOOD, database=database()), a.blobs.update({digest_of(GOOD): b"{}"})),
        TemporaryError,
        "gave other content",
    ),
    "a report that is gone": (
        lambda a: (a.attach(GOOD, database=database()), a.blobs.pop(digest_of(GOOD))),
        PermanentError,
        "no blob",
    ),
    "a report that is cut": (
        lambda a: a.attach(GOOD[: len(GOOD) // 2], database=database()),
        TemporaryError,
        "not whole JSON",
    ),
    "an empty report": (lambda a: a.attach(b"", database=database()), TemporaryError, "not whole JSON"),
    "a huge report": (
        lambda a: a.attach(b" " * ((1 << 20) + 1), database=database()),
        PermanentError,
        "has 1048577 bytes, more than the 1048576 allowed",
    ),
    "a report on another image": (
        lambda a: a.attach(json.dumps(trivy_report(OTHER)).encode(), database=database()),
        PermanentError,
        OTHER,
    ),
    "an unrecognised system": (
        lambda a: a.attach(json.dumps(trivy_report(family="none", name="")).encode(), database=database()),
        PermanentError,
        "does not recognise the system",
    ),
    "a system without advisories": (
        lambda a: a.attach(json.dumps(trivy_report(name="99.1")).encode(), database=database()),
        PermanentError,
        "no advisories for debian 99",
    ),
    "no word of its database": (lambda a: a.attach(GOOD), PermanentError, "came without what its database says"),
    "a garbled word of its database": (
        lambda a: a.attach(GOOD, database=b"{}"),
        TemporaryError,
        "database says of itself cannot be read",
    ),
    "an old database": (
        lambda a: a.attach(GOOD, database=database(NOW - 8 * DAY)),
        PermanentError,
        "8.0 days old, more than the 7 allowed: see where the scanner's setting `database` points",
    ),
}


@pytest.mark.parametrize("left", LEFT)
def test_what_is_no_whole_report_of_this_run_on_this_image_is_refused(left: str) -> None:
    leaves, error, said = LEFT[left]
    scanning = begun(Scanning())
    leaves(scanning.artifacts)
    refused(scanning, error, said)


def test_an_old_report_is_no_scan_of_today() -> None:
    scanning = begun(Scanning())
    scanning.artifacts.attach(GOOD, database=database())
    scanning.time = NOW + FRESH
    assert scanning.scanner.scan(IMAGE).findings
    scanning.time += 1
    with pytest.raises(NotYetError, match="begun anew: run cf1 is over for too long"):
        scanning.scanner.scan(IMAGE)
    with pytest.raises(NotYetError, match="begun as run cf2"):
        scanning.scanner.scan(IMAGE)
    scanning.artifacts.attach(GOOD, database=database(), run="cf2", at=scanning.time)
    assert scanning.scanner.scan(IMAGE).scanned_at == scanning.time


def test_a_name_that_cannot_be_forgotten_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    scanning = begun(Scanning())
    scanning.runs.status, scanning.runs.forget_fails = RunStatus.FAILED, TemporaryError("away")
    for _ in range(2):
        with pytest.raises(TemporaryError, match="ended as Failed"):
            scanning.scanner.scan(IMAGE)
    assert "scan not forgotten" in caplog.text


def test_where_a_registry_lists_no_referrers_the_tag_does() -> None:
    scanning = begun(Scanning(artifacts=FakeArtifacts(listed=None)))
    refused_none = Scanning(artifacts=FakeArtifacts(listed=None))
    refused(begun(refused_none), TemporaryError, "attached no report")
    scanning.artifacts.attach(GOOD, database=database(), run="cf0")
    scanning.artifacts.attach(GOOD, database=database())
    assert scanning.scanner.scan(IMAGE).findings


def test_a_list_without_annotations_is_looked_through() -> None:
    scanning = begun(Scanning())
    for run in ("cf0", "cf1"):
        scanning.artifacts.attach(GOOD, database=database(), run=run, annotated=False)
    assert scanning.scanner.scan(IMAGE).findings


def test_severities_that_nobody_knows_are_unknown_and_not_low() -> None:
    scanning = begun(Scanning())
    strange = json.dumps(trivy_report(DIGEST, flaw(Severity="WORRYING"), flaw(Severity=""))).encode()
    scanning.artifacts.attach(strange, database=database())
    assert {finding.severity for finding in scanning.scanner.scan(IMAGE).findings} == {Severity.UNKNOWN}


def test_the_settings_say_what_more_the_database_covers() -> None:
    scanning = Scanning()
    scanning.entry["covers"] = ["debian 99"]
    begun(scanning)
    scanning.artifacts.attach(json.dumps(trivy_report(name="99.1")).encode(), database=database())
    assert scanning.scanner.scan(IMAGE).os == "debian 99.1"


# Commands.

SAMPLES = [("sarif", "trivy.sarif"), ("cyclonedx", "trivy.cdx"), ("aqua", "aqua"), ("twistcli", "twistcli")]


def by_command(format_: str) -> Scanning:
    scanning = begun(Scanning(name="other", entry=command(format_)))
    scanning.artifacts.manifests[DIGEST] = json.dumps({"config": {"digest": CONFIG}}).encode()
    return scanning


def read(format_: str, content: bytes) -> Report:
    scanning = by_command(format_)
    scanning.artifacts.attach(content, scanner="other", at=NOW - 5)
    return scanning.scanner.scan(IMAGE)


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_recorded_reports_of_others_are_read(format_: str, sample: str) -> None:
    report = read(format_, (REPORTS / f"{sample}.json").read_bytes())
    assert (report.scanner, report.digest) == ("other", DIGEST)
    assert report.findings
    assert report.scanned_at is not None


@pytest.mark.parametrize(("format_", "sample"), SAMPLES)
def test_recorded_reports_that_are_cut_huge_or_of_another_image_are_refused(format_: str, sample: str) -> None:
    content = (REPORTS / f"{sample}.json").read_bytes()
    for bad, error in (
        (content[:-20], TemporaryError),
        (content + b" " * (1 << 20), PermanentError),
        (content.replace(b"ab" * 32, b"cd" * 32).replace(b"1d" * 32, b"2e" * 32), PermanentError),
        (b"[]", TemporaryError),
    ):
        with pytest.raises(error):
            read(format_, bad)


def test_an_image_that_went_away_meanwhile_is_named() -> None:
    scanning = by_command("sarif")
    scanning.artifacts.attach((REPORTS / "trivy.sarif.json").read_bytes(), scanner="other")
    del scanning.artifacts.manifests[DIGEST]
    refused(scanning, PermanentError, "is no longer in the registry")


def test_when_it_was_attached_is_when_it_was_made() -> None:
    assert moment(NOW).startswith("2027-01-15")
    assert read("sarif", (REPORTS / "trivy.sarif.json").read_bytes()).scanned_at == NOW - 5
