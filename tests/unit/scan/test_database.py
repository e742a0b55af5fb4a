"""The database on disk: what it covers, how old it is, and that a damaged one is no database."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from groundswell.errors import PermanentError
from groundswell.scan.database import check_age, read_contents
from tests.support.scanning import NOW, UPDATED, make_database

DAY = 86400.0


def test_contents(tmp_path: Path) -> None:
    contents = read_contents(make_database(tmp_path))
    assert contents.updated_at == UPDATED
    assert {"debian 12", "vulnerability", "data-source"} == contents.buckets


@pytest.mark.parametrize(("age", "fresh"), [(0.0, True), (7 * DAY, True), (7 * DAY + 1, False)])
def test_age(tmp_path: Path, age: float, fresh: bool) -> None:
    contents = read_contents(make_database(tmp_path))
    now = UPDATED.timestamp() + age
    if fresh:
        check_age(contents.updated_at, now=now, max_age=7 * DAY)
    else:
        with pytest.raises(PermanentError, match=r"7\.0 days old"):
            check_age(contents.updated_at, now=now, max_age=7 * DAY)


def test_a_time_without_a_zone_is_utc(tmp_path: Path) -> None:
    make_database(tmp_path)
    (tmp_path / "db/metadata.json").write_text(json.dumps({"UpdatedAt": "2026-11-20T12:00:00.123456789"}))
    assert read_contents(tmp_path).updated_at.replace(microsecond=0) == UPDATED


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda db: (db / "trivy.db").unlink(), id="missing"),
        pytest.param(lambda db: (db / "trivy.db").write_bytes(b""), id="empty"),
        pytest.param(lambda db: (db / "trivy.db").write_bytes(b"\0" * 65536), id="zeros"),
        pytest.param(lambda db: (db / "trivy.db").write_bytes((db / "trivy.db").read_bytes()[:8200]), id="cut"),
        pytest.param(lambda db: (db / "metadata.json").unlink(), id="no metadata"),
        pytest.param(lambda db: (db / "metadata.json").write_text("{}"), id="no time"),
        pytest.param(lambda db: (db / "metadata.json").write_text('{"UpdatedAt": 5}'), id="a number"),
        pytest.param(lambda db: (db / "metadata.json").write_text('{"UpdatedAt": "soon"}'), id="no date"),
    ],
)
def test_a_damaged_database_is_refused(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    make_database(tmp_path)
    spoil(tmp_path / "db")
    with pytest.raises(PermanentError, match="download-db-only"):
        check_age(read_contents(tmp_path).updated_at, now=NOW, max_age=DAY)
