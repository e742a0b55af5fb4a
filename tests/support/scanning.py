"""A vulnerability database for tests of the scanner."""

import datetime as dt
from pathlib import Path

from groundswell.local.advisories import Advisories, read_advisories, write_database

UPDATED = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
NOW = UPDATED.timestamp() + 3600.0


def make_database(folder: Path, content: Advisories | None = None) -> Path:
    """Trivy's cache folder `folder`, with the local stack's advisories as of UPDATED."""
    write_database(folder, content or read_advisories(), UPDATED)
    return folder
