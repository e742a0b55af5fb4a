"""The scan port: one scanner looks at one image digest and reports what it found."""

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from graph.reference import Reference
from groundswell.errors import TemporaryError


class NotYetError(TemporaryError):
    """The scanner is at work on the image, or has not got to it yet: ask again. No failure, and no clean."""


class Severity(IntEnum):
    """Severities in rising order, so that thresholds compare."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One vulnerability in one installed package.

    `fixed` is the version that repairs it, empty when there is none yet; `fix_known` is False when the report does
    not say whether there is one. `layer` is the diff_id it came with, `purl` the package URL. `cleared` is the
    scanner's own reason why it does not apply to this image.
    """

    id: str
    package: str
    installed: str
    fixed: str
    severity: Severity
    title: str = ""
    layer: str = ""
    fix_known: bool = True
    purl: str = ""
    cleared: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed package; `version` is empty when the scanner does not know it, `purl` is its package URL."""

    name: str
    version: str
    layer: str = ""
    purl: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A scan that worked. `digest` is what was scanned; `os` as the scanner recognised it (`debian 12.5`).

    `os` is empty when the image holds no trace of an operating system (a lone static program), and when the format
    has no place for it (`says_os` is False): whether either may pass is the gate's to say. `packages` is None when
    the format does not list them. `scanned_at` and `database_at` (of the advisories) are seconds since the epoch,
    None when the report does not say.
    """

    scanner: str
    digest: str
    os: str
    findings: tuple[Finding, ...]
    packages: tuple[Package, ...] | None = None
    scanned_at: float | None = None
    database_at: float | None = None
    says_os: bool = True

    @property
    def label(self) -> str:
        """The scanner as people are shown it, with the age of what it knew."""
        if self.database_at is None:
            return self.scanner
        return (
            f"{self.scanner}, database of {dt.datetime.fromtimestamp(self.database_at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        )


class Scanner(Protocol):
    def scan(self, reference: Reference) -> Report:
        """Scan `reference`, whose digest names the manifest of one platform (not an index).

        A scanner that works elsewhere is started by the first call, which raises NotYetError, as all do until its
        report is there; who asks again asks about the same scan. Fails closed: raises PermanentError when there are
        packages but the OS is not recognised, when the database is too old or does not know the platform, or when
        the report is for another digest; TemporaryError when the scanner itself failed or timed out.
        """
        ...
