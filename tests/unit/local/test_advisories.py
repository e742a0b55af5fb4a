"""The made-up advisories, and the database that Trivy's schema makes of them."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

from groundswell.local.advisories import Advisories, Advisory, read_advisories, write_database
from groundswell.local.bases import PACKAGE, Variant
from groundswell.scan.bolt import Database
from groundswell.scan.port import Severity

UPDATED = dt.datetime(2026, 11, 20, 13, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))


def rows(folder: Path, *names: str) -> dict[str, Any]:
    """The JSON values of one bucket."""
    with Database(folder / "db/trivy.db") as database:
        bucket = database.root
        for name in names:
            bucket = dict(bucket.buckets())[name.encode()]
        return {key.decode(): json.loads(value) for key, value in bucket.values()}


def test_numbers_cannot_be_taken_for_real_ones() -> None:
    content = read_advisories()
    assert content.advisories
    for advisory in content.advisories:
        assert advisory.id.startswith("CVE-2026-90")
        assert "made up" in advisory.title
        assert advisory.platform in content.platforms


def test_the_base_update_is_what_repairs_the_critical_one() -> None:
    (critical,) = [
        entry
        for entry in read_advisories().advisories
        if entry.package == "zlib" and entry.severity is Severity.CRITICAL
    ]
    assert PACKAGE == "zlib1g"  # its source package is zlib
    assert critical.fixed == Variant.FIXED
    assert critical.fixed != Variant.VULNERABLE


def test_the_database(tmp_path: Path) -> None:
    write_database(tmp_path, read_advisories(), UPDATED)
    assert rows(tmp_path, "debian 12", "zlib")["CVE-2026-90001"] == {"FixedVersion": Variant.FIXED}
    assert rows(tmp_path, "debian 12", "busybox") == {"CVE-2026-90003": {"Status": 2}}
    assert rows(tmp_path, "vulnerability")["CVE-2026-90001"]["Severity"] == "CRITICAL"
    assert rows(tmp_path, "data-source")["debian 12"]["ID"] == "debian"
    metadata = json.loads((tmp_path / "db/metadata.json").read_text())
    assert metadata["Version"] == 2
    assert metadata["UpdatedAt"] == "2026-11-20T12:30:00Z"
    assert metadata["NextUpdate"] == "2026-11-21T12:30:00Z"


def test_a_platform_without_advisories_is_known_and_one_flaw_may_be_in_many_packages(tmp_path: Path) -> None:
    advisories = tuple(
        Advisory(
            id="CVE-2026-90099",
            platform="debian 12",
            package=package,
            fixed="2",
            severity=Severity.LOW,
            title="made up",
            published="2026-11-01T00:00:00Z",
        )
        for package in ("one", "two")
    )
    source = {"ID": "debian", "Name": "Debian", "URL": "https://www.debian.org"}
    content = Advisories(platforms={"debian 12": source, "debian 13": source}, advisories=advisories)
    write_database(tmp_path, content, UPDATED)
    assert rows(tmp_path, "debian 13") == {}
    assert rows(tmp_path, "debian 12", "two") == {"CVE-2026-90099": {"FixedVersion": "2"}}
    assert list(rows(tmp_path, "vulnerability")) == ["CVE-2026-90099"]
