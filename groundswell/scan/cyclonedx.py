"""CycloneDX 1.4 to 1.6 as JSON, with vulnerabilities, to a Report. Pure.

Outside rules: cyclonedx.org/docs/1.6/json (`vulnerabilities`, `ratings`, `analysis`, `affects`), and the properties
that Trivy writes (`aquasecurity:trivy:*`). A document without the list of vulnerabilities is an inventory, not a
scan. Of several ratings the worst counts. What the analysis clears counts as cleared only with a reason; versions
within `affects` are not looked at, so that what they exclude counts.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from groundswell.errors import TemporaryError
from groundswell.scan.fields import Entry, entries, moment, number, part, required, text
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.scan.severity import named, scored
from groundswell.scan.source import Source, find_digest

_VERSIONS = ("1.4", "1.5", "1.6")
_CLEARED = ("resolved", "resolved_with_pedigree", "false_positive", "not_affected")
_LAYER = "aquasecurity:trivy:LayerDiffID"
_NO_PACKAGE = ("operating-system", "container", "file")
_MAX_TITLE = 200


def parse(document: Entry, source: Source) -> Report:
    """The report on the source's digest. Raises as `formats.read` does."""
    if document.get("bomFormat") != "CycloneDX" or document.get("specVersion") not in _VERSIONS:
        raise TemporaryError(f"the report is no CycloneDX of version {', '.join(_VERSIONS)}")
    if not isinstance(document.get("vulnerabilities"), list):
        raise TemporaryError("the report has no list of vulnerabilities: it is an inventory, not a scan")
    metadata = part(document, "metadata")
    find_digest(_names(part(metadata, "component")), source)
    components = list(_flat(entries(document, "components")))
    at = moment(metadata, "timestamp")
    return Report(
        scanner=source.scanner,
        digest=source.digest,
        os=_system(components),
        findings=tuple(_findings(document, components, by_trivy=_by_trivy(metadata))),
        packages=tuple(
            Package(name=_name(each), version=text(each, "version"), layer=_properties(each).get(_LAYER, ""))
            for each in components
            if text(each, "type") not in _NO_PACKAGE
        ),
        scanned_at=source.made_at if at is None else at,
    )


def _names(component: Entry) -> Iterator[str]:
    for name in (text(component, "purl"), text(component, "bom-ref")):
        yield unquote(name.partition("?")[0])
    yield text(component, "version")
    yield from (text(each, "value") for each in entries(component, "properties"))


def _flat(components: Iterable[Entry]) -> Iterator[Entry]:
    """Components may hold components."""
    waiting = list(components)
    while waiting:
        component = waiting.pop()
        yield component
        waiting += entries(component, "components")


def _system(components: Iterable[Entry]) -> str:
    for component in components:
        if text(component, "type") == "operating-system":
            return f"{text(component, 'name')} {text(component, 'version')}".strip()
    return ""


def _by_trivy(metadata: Entry) -> bool:
    """Trivy names a repair whenever it knows one; of others, none said is not none there."""
    tools = metadata.get("tools")
    made = entries(metadata, "tools") if isinstance(tools, list) else entries(part(metadata, "tools"), "components")
    return any(text(tool, "name").lower() == "trivy" for tool in made)


def _findings(document: Entry, components: Iterable[Entry], *, by_trivy: bool) -> Iterator[Finding]:
    known: dict[str, Entry] = {text(each, "bom-ref"): each for each in components}
    for entry in entries(document, "vulnerabilities"):
        affected = [text(each, "ref") for each in entries(entry, "affects")] or [""]
        for reference in affected:
            component = known.get(reference) or known.get(reference.rpartition("#")[2], {})  # a BOM-Link
            package = _name(component) or reference or "the image"
            fixed = _repair(text(entry, "recommendation"), package, text(component, "name"))
            yield Finding(
                id=required(entry, "id"),
                package=package,
                installed=text(component, "version"),
                fixed=fixed,
                severity=_severity(entry),
                title=text(entry, "description")[:_MAX_TITLE],
                layer=_properties(component).get(_LAYER, ""),
                fix_known=bool(fixed) or by_trivy,
                purl=text(component, "purl"),
                cleared=_cleared(part(entry, "analysis")),
            )


def _name(component: Entry) -> str:
    """As scanners name packages: Maven's with a colon, npm's scopes with a slash."""
    group, name = text(component, "group"), text(component, "name")
    separator = ":" if text(component, "purl").startswith("pkg:maven/") else "/"
    return f"{group}{separator}{name}" if group else name


def _properties(component: Entry) -> Mapping[str, str]:
    return {text(each, "name"): text(each, "value") for each in entries(component, "properties")}


def _repair(recommendation: str, *packages: str) -> str:
    """`Upgrade zlib1g to version 1.3; Upgrade …`, as Trivy has it."""
    for package in filter(None, packages):
        if found := re.search(rf"\bUpgrade {re.escape(package)} to version ([^;]+)", recommendation):
            return found.group(1).strip()
    return ""


def _severity(entry: Entry) -> Severity:
    ratings = entries(entry, "ratings")
    worst = [named(text(rating, "severity")) for rating in ratings]
    worst += [scored(number(rating, "score")) for rating in ratings if not text(rating, "severity")]
    return max(worst, default=Severity.UNKNOWN)


def _cleared(analysis: Entry) -> str:
    why = text(analysis, "justification") or text(analysis, "detail")
    state = text(analysis, "state")
    return f"{state}: {why}" if state in _CLEARED and why else ""
