"""What the gate is held to: one image's policy, and how it comes about from global, team's and image's. Pure.

A policy is written as the `gate` mapping of the format (`groundswell/lineage/lineage.schema.json`), which is also
how it is stored; what reaches this module was held against that schema. The more special wins: the image's values
over its team's, those over the global ones. Lists add up instead, so that nobody can drop a scanner or a forbidden
package that another level demands.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from groundswell.scan.port import Finding, Package, Severity
from groundswell.scan.purl import Purl
from groundswell.scan.vex import Statement, newest_first, statements

type Gate = Mapping[str, Any]
"""A policy as written; whatever is left out is said elsewhere or has its default."""

MAX_SCAN_AGE = 86400.0
"""Seconds after which a report says too little of today's advisories, unless a policy says otherwise."""

_LISTS = ("scanners", "allow", "never", "vex")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


class Mode(StrEnum):
    CLEAN = "clean"  # nothing that is refused may be there
    NO_WORSE = "no-worse"  # what production has already may be there too


class OnNewFinding(StrEnum):
    """What is done about a finding in an image that runs already, beside raising an alert."""

    ALERT = "alert"  # nothing
    REBUILD = "rebuild"  # where a rebuild may bring the repair, one is begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A finding that may pass until `expires` (seconds since the epoch), and why. `package` is a glob."""

    id: str
    package: str
    reason: str
    expires: float

    def covers(self, flaw: str, package: str) -> bool:
        return flaw == self.id and fnmatchcase(package, self.package)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Packages that may not be in an image: globs of the name and of the version, and why."""

    package: str
    versions: tuple[str, ...]
    reason: str

    def covers(self, package: Package) -> bool:
        """A version that is not known is any version."""
        if not fnmatchcase(package.name, self.package):
            return False
        return not package.version or any(fnmatchcase(package.version, glob) for glob in self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Refuse findings of `threshold` and above, with `fixable_only` those that a newer version repairs.

    A severity that nobody rated is taken for `unknown_as`. `allow_no_os` is the owner's word that the image holds
    no operating system, `allow_unsaid_os` that scanners may be believed whose format cannot name it. Every scanner
    in `scanners` must have reported. Ages are in seconds; without `max_database_age` the scanner's own limit holds.
    The default is the product's: no fixable CRITICAL.
    """

    threshold: Severity = Severity.CRITICAL
    fixable_only: bool = True
    unknown_as: Severity = Severity.CRITICAL
    mode: Mode = Mode.CLEAN
    on_new_finding: OnNewFinding = OnNewFinding.ALERT
    allow_no_os: bool = False
    allow_unsaid_os: bool = False
    scanners: tuple[str, ...] = ()
    max_scan_age: float = MAX_SCAN_AGE
    max_database_age: float | None = None
    allow: tuple[Allowance, ...] = ()
    never: tuple[Ban, ...] = ()
    vex: tuple[Statement, ...] = ()

    def weighs(self, finding: Finding) -> Severity:
        """The severity that the finding is judged by."""
        return finding.severity or self.unknown_as


def policy(gate: Gate) -> Policy:
    """The policy that `gate` is. Raises ValueError when it was not held against the schema."""
    return Policy(
        threshold=Severity[gate.get("severity", "CRITICAL")],
        fixable_only=bool(gate.get("fixable_only", True)),
        unknown_as=Severity[gate.get("unknown_as", "CRITICAL")],
        mode=Mode(gate.get("mode", "clean")),
        on_new_finding=OnNewFinding(gate.get("on_new_finding", "alert")),
        allow_no_os=gate.get("os") == "none",
        allow_unsaid_os=gate.get("os") == "unsaid",
        scanners=tuple(gate.get("scanners", ())),
        max_scan_age=_seconds(gate["max_scan_age"]) if "max_scan_age" in gate else MAX_SCAN_AGE,
        max_database_age=_seconds(gate["max_database_age"]) if "max_database_age" in gate else None,
        allow=tuple(_allowance(entry) for entry in gate.get("allow", ())),
        never=tuple(_ban(entry) for entry in gate.get("never", ())),
        vex=newest_first(
            each for entry in gate.get("vex", ()) for each in statements(entry["document"], end(entry))
        ),
    )


def end(entry: Mapping[str, Any]) -> float:
    """When an entry's `expires` (YYYY-MM-DD) is over: the end of that day, UTC."""
    day = dt.date.fromisoformat(entry["expires"])
    return dt.datetime.combine(day, dt.time.min, dt.UTC).timestamp() + 86400.0


def _seconds(text: str) -> float:
    """`24h`, `7d`, `30m`."""
    return int(text[:-1]) * _SECONDS[text[-1]]


def _allowance(entry: Mapping[str, Any]) -> Allowance:
    return Allowance(id=entry["id"], package=entry.get("package", "*"), reason=entry["reason"], expires=end(entry))


def _ban(entry: Mapping[str, Any]) -> Ban:
    return Ban(
        package=entry["package"], versions=tuple(entry.get("versions", ("*",))), reason=entry.get("reason", "")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One place where a policy is written: `global`, `team shop`, `image shop/web`."""

    name: str
    gate: Gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """The policy in force as written, and by key the levels that it comes from, the most general first."""

    gate: Gate
    sources: Mapping[str, tuple[str, ...]]


def merge(levels: Sequence[Level]) -> Merged:
    """The policy of all `levels`, the most general first."""
    gate: dict[str, Any] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for level in levels:
        for key, value in level.gate.items():
            if key in _LISTS:
                gate[key] = [*gate.get(key, ()), *(each for each in value if each not in gate.get(key, ()))]
                sources[key] = (*sources.get(key, ()), level.name)
            else:
                gate[key], sources[key] = value, (level.name,)
    return Merged(gate=gate, sources=sources)


def cleared(finding: Finding, policy: Policy, *, image: Purl, now: float) -> str:
    """Why a VEX document says that the finding does not apply, empty when none does (any more)."""
    for statement in policy.vex:
        if now < statement.expires and statement.covers(finding, image):
            return statement.why if statement.clears else ""
    return ""
