"""An offline vulnerability database for Trivy: the local stack has its own advisories and asks nobody else.

The schema is Trivy's version 2: a bucket per platform (`debian 12`) with a bucket per source package, the bucket
`vulnerability` with what is the same for all, and `data-source`. Made from advisories.json, which is made up.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from groundswell.local import bolt
from groundswell.scan.port import Severity

_SCHEMA = 2
_AFFECTED = 2  # Trivy's status of a package that has no fixed version yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One vulnerability of one source package on one platform; `fixed` is empty when nothing repairs it yet."""

    id: str
    platform: str
    package: str
    fixed: str
    severity: Severity
    title: str
    published: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisories:
    """All advisories, and the platforms the database knows (one without advisories is known, too).

    `platforms` maps a platform's bucket to Trivy's description of where its advisories come from.
    """

    platforms: Mapping[str, Mapping[str, str]]
    advisories: tuple[Advisory, ...]


def read_advisories() -> Advisories:
    """What advisories.json says."""
    document = json.loads(files("groundswell.local").joinpath("advisories.json").read_text("utf-8"))
    return Advisories(
        platforms=document["platforms"],
        advisories=tuple(
            Advisory(**{**entry, "severity": Severity[entry["severity"]]}) for entry in document["advisories"]
        ),
    )


def write_database(folder: Path, content: Advisories, updated_at: dt.datetime) -> None:
    """Write Trivy's cache folder `folder` (`db/trivy.db`, `db/metadata.json`), as updated at `updated_at`."""
    database = folder / "db"
    database.mkdir(parents=True, exist_ok=True)
    bolt.write(database / "trivy.db", _tree(content))
    times = {
        "UpdatedAt": _time(updated_at),
        "DownloadedAt": _time(updated_at),
        "NextUpdate": _time(updated_at + dt.timedelta(days=1)),
    }
    (database / "metadata.json").write_text(json.dumps({"Version": _SCHEMA, **times}), "utf-8")


def _tree(content: Advisories) -> bolt.Tree:
    platforms: dict[str, dict[str, dict[str, bytes]]] = {name: {} for name in content.platforms}
    for advisory in content.advisories:
        repair = {"FixedVersion": advisory.fixed} if advisory.fixed else {"Status": _AFFECTED}
        platforms[advisory.platform].setdefault(advisory.package, {})[advisory.id] = _json(repair)
    return {
        **platforms,
        "vulnerability": {entry.id: _json(_details(entry)) for entry in _by_id(content.advisories)},
        "data-source": {name: _json(source) for name, source in content.platforms.items()},
    }


def _by_id(advisories: Iterable[Advisory]) -> list[Advisory]:
    return list({advisory.id: advisory for advisory in advisories}.values())


def _details(advisory: Advisory) -> Mapping[str, Any]:
    return {
        "Title": advisory.title,
        "Description": advisory.title,
        "Severity": advisory.severity.name,
        "VendorSeverity": {"nvd": int(advisory.severity)},
        "PublishedDate": advisory.published,
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
