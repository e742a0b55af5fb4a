"""Trivy's vulnerability database on this machine: how old it is, and what it holds advisories for."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import PermanentError
from groundswell.scan.bolt import BoltError, Database

_REMEDY = "run `trivy image --download-db-only` with the same cache folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """`updated_at` is when the advisories were collected, not when they were fetched to this machine."""

    updated_at: dt.datetime
    buckets: frozenset[str]


def read_contents(cache: Path) -> Contents:
    """What the database in Trivy's `cache` folder holds. PermanentError when it is missing or damaged."""
    metadata, database = cache / "db" / "metadata.json", cache / "db" / "trivy.db"
    try:
        updated_at = collected_at(metadata.read_bytes())
        with Database(database) as opened:
            buckets = frozenset(name.decode() for name, _ in opened.root.buckets())
    except (OSError, BoltError, ValueError, KeyError, TypeError) as exc:
        raise PermanentError(f"Trivy's database in {cache} cannot be read ({exc}): {_REMEDY}") from exc
    return Contents(updated_at=updated_at, buckets=buckets)


def collected_at(metadata: bytes) -> dt.datetime:
    """What the database's `metadata.json` says. ValueError, KeyError or TypeError when it says nothing."""
    updated_at = dt.datetime.fromisoformat(json.loads(metadata)["UpdatedAt"])
    return updated_at if updated_at.tzinfo else updated_at.replace(tzinfo=dt.UTC)


def check_age(updated_at: dt.datetime, *, now: float, max_age: float, remedy: str = _REMEDY) -> None:
    """PermanentError when the advisories are older than `max_age` seconds: new flaws would be missed."""
    age = now - updated_at.timestamp()
    if age > max_age:
        raise PermanentError(
            f"Trivy's database is {age / 86400:.1f} days old, more than the {max_age / 86400:g} allowed: {remedy}"
        )
