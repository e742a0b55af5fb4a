"""SARIF 2.1.0 of any scanner, Trivy's above all, to a Report. Pure.

Outside rules: OASIS SARIF 2.1.0 (sections 3.27 `result`, 3.49 `reportingDescriptor`), GitHub's `security-severity`,
and the texts that Trivy writes (`pkg/report/sarif.go`). SARIF has places neither for an operating system nor for
packages, so such a report alone never proves that the scanner knew the image's system. Of the severities that a
result has (a score, a tag, a text) the worst counts; only without any the level does, where `error` may be
critical.
"""

import re
from collections.abc import Iterator, Sequence

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.fields import Entry, entries, mapping, moment, number, part, text, texts
from groundswell.scan.port import Finding, Report, Severity
from groundswell.scan.severity import named, scored
from groundswell.scan.source import Source, find_digest

_LEVELS = {"error": Severity.CRITICAL, "warning": Severity.MEDIUM, "note": Severity.LOW}
_NO_FINDING = ("pass", "notApplicable")  # of `kind`, section 3.27.9
_LINE = re.compile(r"^(Package|Installed Version|Fixed Version|Severity): ?(.*)$", re.MULTILINE)
_MAX_TITLE = 200


def parse(document: Entry, source: Source) -> Report:
    """The report on the source's digest. Raises as `formats.read` does."""
    if not text(document, "version").startswith("2.1."):
        raise TemporaryError("the report is no SARIF 2.1.0")
    runs = entries(document, "runs")
    if not runs:
        raise TemporaryError("the report has no run, so nothing was scanned")
    for run in runs:
        find_digest(_names(run), source)
        if not isinstance(run.get("results"), list):  # section 3.14.23: absent when nothing was to be found
            raise TemporaryError("the report has a run without results, so nothing was scanned")
        if any(invocation.get("executionSuccessful") is False for invocation in entries(run, "invocations")):
            raise PermanentError(f"the report of {source.scanner} says that its scan failed; scan again")
    ended = [moment(invocation, "endTimeUtc") for run in runs for invocation in entries(run, "invocations")]
    times = [at for at in ended if at is not None]
    return Report(
        scanner=source.scanner,
        digest=source.digest,
        os="",
        findings=tuple(finding for run in runs for finding in _findings(run)),
        scanned_at=min(times) if times else source.made_at,
        says_os=False,
    )


def _names(run: Entry) -> Iterator[str]:
    """Whatever may name the image: the run's properties (Trivy's repoDigests), and its artifacts."""
    properties = part(run, "properties")
    for key, value in properties.items():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from texts(properties, key)
    for artifact in entries(run, "artifacts"):
        yield text(part(artifact, "location"), "uri")
        if sha256 := text(part(artifact, "hashes"), "sha-256"):
            yield f"sha256:{sha256.lower()}"


def _findings(run: Entry) -> Iterator[Finding]:
    rules = entries(part(part(run, "tool"), "driver"), "rules")
    by_id = {text(rule, "id"): rule for rule in rules}
    for result in entries(run, "results"):
        if text(result, "kind") in _NO_FINDING or text(result, "baselineState") == "absent":
            continue
        flaw = _flaw(result, rules)
        rule = by_id.get(flaw, {})
        said = text(part(result, "message"), "text")
        lines = dict(_LINE.findall(said))
        properties = part(result, "properties")
        package = lines.get("Package") or text(properties, "package") or text(properties, "packageName")
        fixed = lines.get("Fixed Version") or text(properties, "fixedVersion")
        yield Finding(
            id=flaw,
            package=(package or _place(result) or "the image").strip(),
            installed=(lines.get("Installed Version") or text(properties, "installedVersion")).strip(),
            fixed=fixed.strip(),
            severity=_severity(result, rule, lines.get("Severity", "")),
            title=text(part(rule, "shortDescription"), "text")[:_MAX_TITLE],
            fix_known="Fixed Version" in lines or "fixedVersion" in properties,
            purl=text(properties, "purl"),
            cleared=_suppressed(result),
        )


def _flaw(result: Entry, rules: Sequence[Entry]) -> str:
    reference = part(result, "rule")
    index = number(result, "ruleIndex") if "ruleIndex" in result else number(reference, "index")
    if named_so := text(result, "ruleId") or text(reference, "id"):
        return named_so
    if index is not None and 0 <= index < len(rules):
        return text(rules[int(index)], "id") or _nameless()
    return _nameless()


def _nameless() -> str:
    raise TemporaryError("the report has a result without a rule, so what was found is not known")


def _severity(result: Entry, rule: Entry, said: str) -> Severity:
    own, general = part(result, "properties"), part(rule, "properties")
    found = [named(word) for word in (said, *texts(own, "tags"), *texts(general, "tags"))]
    found += [scored(number(properties, "security-severity")) for properties in (own, general)]
    worst = max(found)
    if worst is not Severity.UNKNOWN or _rated_unknown(said, general):
        return worst
    level = text(result, "level") or text(part(rule, "defaultConfiguration"), "level") or "warning"
    return _LEVELS.get(level, Severity.UNKNOWN)


def _rated_unknown(said: str, rule: Entry) -> bool:
    """Whether the scanner says itself that nobody has rated it: its level (`note`) must not make it LOW."""
    return said.strip().upper() == "UNKNOWN" or "UNKNOWN" in texts(rule, "tags")


def _place(result: Entry) -> str:
    for location in entries(result, "locations"):
        if uri := text(part(part(location, "physicalLocation"), "artifactLocation"), "uri"):
            return uri
    return ""


def _suppressed(result: Entry) -> str:
    """Why the scanner's own configuration accepts it; a suppression without a reason, or not accepted, is none."""
    for suppression in entries(result, "suppressions"):
        why = text(mapping(suppression, "suppressions"), "justification")
        if why and text(suppression, "status") in ("", "accepted"):
            return f"suppressed: {why}"
    return ""
