"""Prisma Cloud's (Twistlock's) JSON, as `twistcli images scan --details --output-file` writes it. Pure.

Outside rules: the shape as DefectDojo, checkov and Prisma's own tools read it. `id` is the image's id (of its
config), `digest` and a `name` by digest the manifest's. Without `--details` the vulnerabilities are counted but not
listed: such a report is refused.
"""

import re
from collections.abc import Iterator

from groundswell.errors import TemporaryError
from groundswell.scan.fields import Entry, entries, moment, number, part, required, text, texts
from groundswell.scan.port import Finding, Package, Report
from groundswell.scan.severity import named, scored
from groundswell.scan.source import Source, find_digest

_USED_IN = re.compile(r" \(used in .*\)\Z")  # `glibc (used in libc6, libc-bin)`
_FIXED = re.compile(r"fixed in (.+)", re.IGNORECASE)
_UNFIXED = ("affected", "deferred", "needed", "not fixed", "open", "pending", "will not fix", "won't fix")
_MAX_TITLE = 200


def parse(document: Entry, source: Source) -> Report:
    """The report on the source's digest. Raises as `formats.read` does."""
    results = entries(document, "results")
    if len(results) != 1:
        raise TemporaryError(f"the report is none of twistcli's on one image: it has {len(results)} results")
    (result,) = results
    find_digest(_names(result), source)
    findings = tuple(_findings(result))
    _check_whole(result, len(findings))
    at = moment(result, "scanTime")
    packages = [*entries(result, "packages"), *entries(result, "applications")]
    return Report(
        scanner=source.scanner,
        digest=source.digest,
        os=text(result, "distro"),
        findings=findings,
        packages=tuple(Package(name=text(each, "name"), version=text(each, "version")) for each in packages)
        if "packages" in result
        else None,
        scanned_at=source.made_at if at is None else at,
    )


def _names(result: Entry) -> Iterator[str]:
    yield text(result, "digest")
    yield text(result, "name")
    yield from texts(result, "repoDigests")
    yield text(result, "id")


def _check_whole(result: Entry, found: int) -> None:
    counts = part(result, "vulnerabilityDistribution")
    if not counts:
        raise TemporaryError("the report has no vulnerabilityDistribution, so what it leaves out cannot be told")
    counted = number(counts, "total") or 0
    if counted > found:
        raise TemporaryError(
            f"the report counts {counted:g} vulnerabilities, but lists {found}: run twistcli with --details"
        )


def _findings(result: Entry) -> Iterator[Finding]:
    for found in entries(result, "vulnerabilities"):
        status = text(found, "status").strip()
        fixed = _FIXED.fullmatch(status)
        severity = text(found, "severity")
        yield Finding(
            id=required(found, "id"),
            package=_USED_IN.sub("", text(found, "packageName")) or "the image",
            installed=text(found, "packageVersion"),
            fixed=fixed.group(1) if fixed else "",
            severity=named(severity) if severity else scored(number(found, "cvss")),
            title=text(found, "description")[:_MAX_TITLE],
            fix_known=bool(fixed) or status.lower() in _UNFIXED,
        )
