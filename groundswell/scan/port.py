"""The scan port: one scanner looks at one image digest and reports what it found."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from graph.reference import Reference


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

    `fixed` is the version that repairs it, empty when there is none yet; `layer` the diff_id it came with.
    """

    id: str
    package: str
    installed: str
    fixed: str
    severity: Severity
    title: str = ""
    layer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A scan that worked. `digest` is what was scanned; `os` as the scanner recognised it (`debian 12.5`).

    `os` is empty when the image holds no trace of an operating system (a lone static program): whether that may
    pass is the gate's to say.
    """

    scanner: str
    digest: str
    os: str
    findings: tuple[Finding, ...]


class Scanner(Protocol):
    def scan(self, reference: Reference) -> Report:
        """Scan `reference`, whose digest names the manifest of one platform (not an index).

        Fails closed: raises PermanentError when there are packages but the OS is not recognised, when the database
        is too old or does not know the platform, or when the report is for another digest; TemporaryError when the
        scanner itself failed or timed out.
        """
        ...
