"""The Trivy adapter around a stand-in for the program: how it is started, and every way in which it can fail."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.trivy import TrivyScanner
from tests.support.scanning import NOW, make_database

DIGEST = "sha256:" + "ab" * 32
IMAGE = Reference(registry="registry.example.com", repository="app", tag=None, digest=DIGEST)
PACKAGE = {"Name": "zlib1g"}
FLAW = {"VulnerabilityID": "CVE-1", "PkgName": "zlib1g", "InstalledVersion": "1", "Severity": "LOW"}

type Scan = Callable[..., TrivyScanner]


def report(*flaws: dict[str, str], digest: str = DIGEST) -> str:
    return json.dumps(
        {
            "SchemaVersion": 2,
            "Metadata": {
                "OS": {"Family": "debian", "Name": "12.5"},
                "RepoDigests": [f"registry.example.com/app@{digest}"],
            },
            "Results": [{"Class": "os-pkgs", "Packages": [PACKAGE], "Vulnerabilities": list(flaws)}],
        }
    )


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Makes a scanner whose program is a shell script; `$report` in it is the file that the report belongs in."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = make_database(tmp_path / "cache")

    def make(script: str, **options: object) -> TrivyScanner:
        program = tmp_path / "trivy"
        find = 'for word; do [ "$last" = --output ] && report=$word; last=$word; done\n'
        program.write_text(f"#!/bin/sh\n{find}{script}\n")
        program.chmod(0o755)
        return TrivyScanner(program, cache, **{"now": lambda: NOW, **options})  # type: ignore[arg-type] # any option

    return make


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, scanner: Scan) -> object:
    yield
    assert not list(tmp_path.glob("groundswell-scan-*"))


def test_a_clean_report(scanner: Scan) -> None:
    result = scanner(f"echo '{report()}' > $report").scan(IMAGE)
    assert (result.digest, result.os, result.findings) == (DIGEST, "debian 12.5", ())
    assert result.label == "trivy, database of 2026-11-20T12:00:00Z"


def test_findings_have_an_exit_status_of_their_own(scanner: Scan) -> None:
    result = scanner(f"echo '{report(FLAW)}' > $report; exit 10").scan(IMAGE)
    assert [found.id for found in result.findings] == ["CVE-1"]


def test_how_it_is_started(scanner: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/ca.pem")
    monkeypatch.setenv("GROUNDSWELL_WEBHOOK_SECRET", "hush")
    script = (
        f'printf "%s\\n" "$@" > {tmp_path}/arguments; env > {tmp_path}/environment; pwd > {tmp_path}/folder; '
        f"echo '{report()}' > $report"
    )
    scanner(script, credentials=lambda registry: (f"user@{registry}", "pass-word")).scan(IMAGE)
    arguments = (tmp_path / "arguments").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in (tmp_path / "environment").read_text().splitlines())
    assert arguments[0] == "image"
    assert arguments[-1] == f"registry.example.com/app@{DIGEST}"
    assert {"--offline-scan", "--skip-db-update", "--list-all-pkgs"} <= set(arguments)
    assert not any("pass-word" in argument for argument in arguments)
    assert environment["TRIVY_USERNAME"] == "user@registry.example.com"
    assert environment["TRIVY_PASSWORD"] == "pass-word"
    assert environment["SSL_CERT_FILE"] == "/ca.pem"
    assert "GROUNDSWELL_WEBHOOK_SECRET" not in environment
    assert Path((tmp_path / "folder").read_text().strip()).name.startswith("groundswell-scan-")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo 'FATAL Fatal error no such host' >&2; exit 1", "no such host", id="failure"),
        pytest.param("exit 1", "no message", id="silent failure"),
        pytest.param("kill -9 $$", "-9", id="killed"),
        pytest.param("exit 0", "no report", id="no report"),
        pytest.param("printf '{' > $report", "not whole JSON", id="truncated"),
        pytest.param(f"echo '{report(FLAW)}' > $report", "ended with 0 but", id="findings, yet clean"),
        pytest.param(f"echo '{report()}' > $report; exit 10", "ended with 10 but", id="no findings, yet found"),
    ],
)
def test_failures_of_the_scanner_may_be_tried_again(scanner: Scan, script: str, said: str) -> None:
    with pytest.raises(TemporaryError, match=said) as caught:
        scanner(script).scan(IMAGE)
    assert caught.value.delay > 0


def test_long_messages_are_cut(scanner: Scan) -> None:
    with pytest.raises(TemporaryError) as caught:
        scanner("yes 'Fatal error of the worst kind' | head -c 100000 >&2; exit 1").scan(IMAGE)
    assert len(str(caught.value)) < 1300


def test_a_report_on_another_digest_is_no_report(scanner: Scan) -> None:
    with pytest.raises(PermanentError, match="is not about"):
        scanner(f"echo '{report(digest='sha256:' + 'cd' * 32)}' > $report").scan(IMAGE)


def test_a_huge_report_is_not_read(scanner: Scan) -> None:
    with pytest.raises(PermanentError, match="1000001 bytes"):
        scanner("head -c 1000001 /dev/zero > $report", max_report=1_000_000).scan(IMAGE)


def test_a_timeout_ends_the_whole_process_group(scanner: Scan, tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    started = time.monotonic()
    with pytest.raises(TemporaryError, match=r"did not end in 0\.5 s"):
        scanner(script, timeout=0.5).scan(IMAGE)
    assert time.monotonic() - started < 10
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlived the scan"
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    scanner = TrivyScanner(tmp_path / "nothing", make_database(tmp_path / "cache"), now=lambda: NOW)
    with pytest.raises(PermanentError, match="GROUNDSWELL_TRIVY"):
        scanner.scan(IMAGE)


def test_an_old_database_is_refused_before_anything_runs(scanner: Scan, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="days old"):
        scanner(f"touch {tmp_path}/ran", now=lambda: NOW + 8 * 86400).scan(IMAGE)
    assert not (tmp_path / "ran").exists()


def test_only_digests_are_scanned(scanner: Scan) -> None:
    with pytest.raises(PermanentError, match="no digest"):
        scanner("exit 0").scan(Reference(registry="registry.example.com", repository="app", tag="1", digest=None))


@pytest.mark.parametrize("pair", [("user", "pass word"), ("user", "pass,word"), ("us er", "password")])
def test_logins_that_trivy_would_split_are_refused(scanner: Scan, pair: tuple[str, str]) -> None:
    with pytest.raises(PermanentError, match="comma or a space") as caught:
        scanner("exit 0", credentials=lambda _: pair).scan(IMAGE)
    assert pair[1] not in str(caught.value)


def test_credentials_that_cannot_be_had_are_the_callers_error(scanner: Scan) -> None:
    def refuse(registry: str) -> tuple[str, str]:
        raise TemporaryError(f"no token for {registry}")

    with pytest.raises(TemporaryError, match="no token"):
        scanner("exit 0", credentials=refuse).scan(IMAGE)


def test_the_folder_for_the_scan_is_private(scanner: Scan, tmp_path: Path) -> None:
    scanner(f"stat -c %a . > {tmp_path}/mode; echo '{report()}' > $report").scan(IMAGE)
    assert (tmp_path / "mode").read_text().strip() == "700"
    assert os.environ.get("TRIVY_PASSWORD") is None
