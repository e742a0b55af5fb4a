"""What Microsoft Defender for Containers says of an image, from Azure Resource Graph's rows. Pure.

Shapes: Microsoft, "Container vulnerability assessments REST API" (sub-assessments of the assessment KEY). Defender
assesses an image some time after it is pushed, and has no row that says "nothing found" in so many words: so no row
is not clean but not assessed yet, and an image counts as assessed only by rows that Defender itself stands by.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.fields import Entry, moment, number, part, required, text
from groundswell.scan.port import Finding, NotYetError, Report, Severity
from groundswell.scan.severity import named, scored

KEY = "c0b7cfc6-3172-465a-b378-53c7ff2cc0d5"
"""The assessment "Azure registry container images should have vulnerabilities resolved", by Defender's scanner."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEALTHY, _NOT_APPLICABLE = "healthy", "notapplicable"
_NO_FIX = "nofixavailable"
_MAX_TITLE = 200


def query(digest: str) -> str:
    """The question for every row on `digest`, in an order that pages keep. PermanentError when it is no digest."""
    if not _DIGEST.fullmatch(digest):  # the only thing that is put into the text, and nothing else can be in it
        raise PermanentError(f"{digest!r} is no sha256 digest, which alone is asked for")
    return "\n".join(
        (
            "securityresources",
            '| where type =~ "microsoft.security/assessments/subassessments"',
            '| where extract(@"(?i)providers/Microsoft.Security/assessments/([^/]*)", 1, id) =~ "' + KEY + '"',
            f'| where tostring(properties.additionalData.artifactDetails.digest) == "{digest}"',
            "| project id, properties",
            "| order by id asc",
        )
    )


def report(rows: Sequence[Any], *, scanner: str, digest: str) -> Report:
    """The report on `digest` that all its rows together are.

    What is exempt, or not applicable, is no finding, and no proof that the image was assessed. Raises NotYetError
    when there is no such proof, TemporaryError for rows that are about another digest or not of the known shape.
    """
    found = [_properties(row) for row in rows]
    for properties in found:
        about = text(part(part(properties, "additionalData"), "artifactDetails"), "digest")
        if about != digest:
            raise TemporaryError(
                f"Resource Graph was asked for {digest}, but answered about {about or 'no digest'}"
            )
    counting = [properties for properties in found if _code(properties) != _NOT_APPLICABLE]
    if not counting:
        why = (
            f"all of its {len(found)} findings are exempt, which is no clean"
            if found
            else "has not assessed it yet"
        )
        raise NotYetError(f"{scanner}, {digest}: {why}")
    times = [at for properties in counting if (at := moment(properties, "timeGenerated")) is not None]
    system = next(filter(None, map(_system, counting)), "")
    return Report(
        scanner=scanner,
        digest=digest,
        os=system,
        findings=tuple(_findings(counting)),
        scanned_at=min(times, default=None),
        says_os=bool(system),
    )


def _properties(row: Any) -> Entry:
    if not isinstance(row, dict):
        raise TemporaryError("Resource Graph answered with a row that is no object")
    return part(row, "properties")


def _code(properties: Entry) -> str:
    """Exempt is a cause of not being applicable, and counts by itself too."""
    status = part(properties, "status")
    exempt = text(status, "cause").lower() == "exempt"
    return _NOT_APPLICABLE if exempt else text(status, "code").lower()


def _system(properties: Entry) -> str:
    """`ubuntu_linux_20.04`, as people write it."""
    details = part(part(part(properties, "additionalData"), "softwareDetails"), "osDetails")
    return text(details, "osVersion").replace("_", " ")


def _findings(rows: Iterable[Entry]) -> Iterator[Finding]:
    for properties in rows:
        if _code(properties) == _HEALTHY:
            continue
        more = part(properties, "additionalData")
        software = part(more, "softwareDetails")
        fixed = text(software, "fixedVersion")
        yield Finding(
            id=required(properties, "id"),
            package=text(software, "packageName") or "the image",
            installed=text(software, "version"),
            fixed=fixed,
            severity=_severity(properties, more),
            title=text(properties, "description")[:_MAX_TITLE],
            fix_known=bool(fixed) or text(software, "fixStatus").lower() == _NO_FIX,
        )


def _severity(properties: Entry, more: Entry) -> Severity:
    """The worse of the two that a row has; a score only where neither is a word that is known."""
    said = (
        named(text(part(properties, "status"), "severity")),
        named(text(part(more, "vulnerabilityDetails"), "severity")),
    )
    return max(said) or scored(number(more, "cvssV30Score"))
