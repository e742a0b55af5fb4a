"""A bill of materials from what the scanners listed, in CycloneDX 1.5 (cyclonedx.org/docs/1.5/json). Pure.

It holds what the scanners saw, no more: packages with name, version, package URL and layer. Licences, hashes and
relations are not in their reports. It has no time in it, so that the same packages make the same document.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from graph.reference import Reference
from groundswell.scan.port import Package, Report

MEDIA_TYPE = "application/vnd.cyclonedx+json"
LAYER = "aquasecurity:trivy:LayerDiffID"
"""Trivy's name for the property with the diff_id of the layer that brought a package: its readers know it."""

_SPACE = uuid.UUID("8f2c8f0e-8a2b-5c57-9a2e-6f8f5d2f6b11")
"""For serial numbers that are made of the subject's digest."""


def bill(subject: Reference, reports: Sequence[Report]) -> dict[str, Any] | None:
    """The document on `subject` (by digest); None where no scanner lists packages."""
    listing = [report for report in reports if report.packages is not None]
    if not listing:
        return None
    packages = dict.fromkeys(package for report in listing for package in report.packages or ())
    systems = dict.fromkeys(report.os for report in listing if report.os)
    purl = _purl(subject)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_SPACE, str(subject.digest))}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": purl,
                "name": subject.name,
                "version": subject.digest,
                "purl": purl,
            },
            "tools": {"components": [{"type": "application", "name": name} for name in _names(listing)]},
        },
        "components": [*_systems(systems), *_libraries(sorted(packages, key=_order))],
    }


def _names(reports: Iterable[Report]) -> list[str]:
    return sorted({report.scanner for report in reports})


def _systems(systems: Iterable[str]) -> Iterator[dict[str, Any]]:
    for system in systems:
        name, _, version = system.partition(" ")
        found = {"type": "operating-system", "bom-ref": f"os:{system}", "name": name}
        yield {**found, "version": version} if version else found


def _libraries(packages: Iterable[Package]) -> Iterator[dict[str, Any]]:
    for number, package in enumerate(packages):
        found: dict[str, Any] = {"type": "library", "bom-ref": f"package:{number}", "name": package.name}
        if package.version:
            found["version"] = package.version
        if package.purl:
            found["purl"] = package.purl
        if package.layer:
            found["properties"] = [{"name": LAYER, "value": package.layer}]
        yield found


def _order(package: Package) -> tuple[str, str, str, str]:
    return package.name, package.version, package.purl, package.layer


def _purl(subject: Reference) -> str:
    """As package-url/purl-spec has it for OCI images: the name is the last part of the repository."""
    name = subject.repository.rpartition("/")[2]
    return f"pkg:oci/{name}@{quote(str(subject.digest), safe='')}?repository_url={quote(subject.name, safe='/.')}"
