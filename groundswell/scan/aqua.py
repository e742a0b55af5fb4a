"""Aqua's own JSON, as `scannercli scan --jsonfile` writes it, to a Report. Pure.

Outside rules: the shape as Aqua's postee, the Jenkins plugin and DefectDojo read it. `digest` is the image's id (of
its config); the manifest's digest stands in `metadata.repo_digests`. A resource that Aqua could not scan (its
`scan_error`: an operating system that it does not support) refuses the whole report.
"""

from collections.abc import Iterator

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.fields import Entry, entries, number, part, required, seconds, text, texts
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.severity import named, scored
from groundswell.scan.source import Source, find_digest

_NO_SYSTEM = ("", "none", "unknown")
_MAX_TITLE = 200


def parse(document: Entry, source: Source) -> Report:
    """The report on the source's digest. Raises as `formats.read` does."""
    if not isinstance(document.get("resources"), list) or "vulnerability_summary" not in document:
        raise TemporaryError("the report is none of Aqua's: it has no resources, or no vulnerability_summary")
    find_digest(_names(document), source)
    resources = entries(document, "resources")
    _check_whole(document, resources, source)
    findings = tuple(_findings(resources))
    counted = number(part(document, "vulnerability_summary"), "total") or 0
    if counted > len(findings):
        raise TemporaryError(f"the report counts {counted:g} vulnerabilities, but holds {len(findings)}")
    started = seconds(part(document, "scan_started"), "seconds")
    return Report(
        scanner=source.scanner,
        digest=source.digest,
        os=_system(document),
        findings=findings,
        packages=tuple(
            Package(name=_name(part(each, "resource")), version=text(part(each, "resource"), "version"))
            for each in resources
        ),
        scanned_at=source.made_at if started is None else started,
        database_at=seconds(document, "data_date"),
    )


def _names(document: Entry) -> Iterator[str]:
    yield from texts(part(document, "metadata"), "repo_digests")
    yield text(document, "pull_name")
    yield text(document, "image")
    if digest := text(document, "digest"):
        yield digest if digest.startswith("sha256:") else f"sha256:{digest}"


def _system(document: Entry) -> str:
    name = text(document, "os")
    return "" if name.lower() in _NO_SYSTEM else f"{name} {text(document, 'version')}".strip()


def _check_whole(document: Entry, resources: list[Entry], source: Source) -> None:
    if document.get("partial_results") is True:
        raise PermanentError(f"the report of {source.scanner} holds partial results only; scan again")
    for each in resources:
        if error := text(each, "scan_error"):
            raise PermanentError(
                f"{source.scanner} could not scan {_name(part(each, 'resource'))}: {error[:200]}; "
                "what was not looked at is not clean"
            )


def _findings(resources: list[Entry]) -> Iterator[Finding]:
    for each in resources:
        resource = part(each, "resource")
        for found in entries(each, "vulnerabilities"):
            yield Finding(
                id=required(found, "name"),
                package=_name(resource),
                installed=text(resource, "version"),
                fixed=text(found, "fix_version"),
                severity=_severity(found),
                title=text(found, "description")[:_MAX_TITLE],
            )


def _name(resource: Entry) -> str:
    return text(resource, "name") or text(resource, "path") or "the image"


def _severity(found: Entry) -> Severity:
    """Aqua's own word; where it has none, the vendor's or NVD's, whichever is worse."""
    if own := text(found, "aqua_severity"):
        return named(own)
    keys = ("vendor_severity_v3", "vendor_severity", "nvd_severity_v3", "nvd_severity")
    words = [named(word) for key in keys if (word := text(found, key))]
    return max(words, default=scored(number(found, "aqua_score")))
