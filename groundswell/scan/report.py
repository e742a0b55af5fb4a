"""Trivy's JSON to a Report, or a refusal. Pure: bytes and the names of the database's buckets go in.

Nothing is taken for clean that was not looked at: see the errors of `parse`.
"""

from collections.abc import Collection, Iterator

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.coverage import knows_language, knows_system
from groundswell.scan.fields import Entry, document, entries, items, part, required, text
from groundswell.scan.port import Finding, Package, Report, Severity

NAME = "trivy"

_SCHEMA = 2
_UNRECOGNISED = "none"  # Trivy's family when it sees packages of a system that it cannot name
_MAX_TITLE = 200


def parse(
    content: bytes,
    *,
    digest: str,
    buckets: Collection[str],
    scanned_at: float | None = None,
    database_at: float | None = None,
    scanner: str = NAME,
) -> Report:
    """The report on `digest`. The times are what whoever ran Trivy knows: its report does not have them both.

    Raises TemporaryError when `content` is not a whole Trivy report; PermanentError when it is about another
    digest, when it has packages of an unrecognised system, when a system has no packages (their record was
    removed), and when the database holds nothing on the system or on a language of the image.
    """
    found = _document(content)
    metadata = part(found, "Metadata")
    _check_digest(metadata, digest)
    results = entries(found, "Results")
    system = part(metadata, "OS")
    family, version = text(system, "Family")[:_MAX_TITLE], text(system, "Name")[:_MAX_TITLE]
    _check_system(family, version, results, digest, buckets)
    _check_languages(results, digest, buckets)
    return Report(
        scanner=scanner,
        digest=digest,
        os=f"{family} {version}".strip(),
        findings=tuple(_findings(results)),
        packages=tuple(_packages(results)),
        scanned_at=scanned_at,
        database_at=database_at,
    )


def _document(content: bytes) -> Entry:
    found = document(content, "Trivy's report")
    if found.get("SchemaVersion") != _SCHEMA:
        raise TemporaryError(f"Trivy's report does not have schema version {_SCHEMA}")
    return found


def _check_digest(metadata: Entry, digest: str) -> None:
    scanned = items(metadata, "RepoDigests")
    if not any(isinstance(name, str) and name.endswith(f"@{digest}") for name in scanned):
        raise PermanentError(
            f"Trivy's report is not about {digest} but about {str(scanned or 'no digest')[:_MAX_TITLE]}"
        )


def _check_system(family: str, version: str, results: list[Entry], digest: str, buckets: Collection[str]) -> None:
    packages = sum(len(items(result, "Packages")) for result in results if result.get("Class") == "os-pkgs")
    if family == _UNRECOGNISED or (packages and not family):
        raise PermanentError(
            f"{digest} has operating system packages, but Trivy does not recognise the system: "
            "keep its os-release file"
        )
    if not family:
        return
    if not packages:
        raise PermanentError(
            f"{digest} is {family} {version}, but the record of its packages is missing: keep the package database"
        )
    if not knows_system(buckets, family, version):
        raise PermanentError(
            f"Trivy's database has no advisories for {family} {version}, so {digest} cannot be judged: "
            "update the database, or move the image to a release that it covers"
        )


def _check_languages(results: list[Entry], digest: str, buckets: Collection[str]) -> None:
    for result in results:
        kind = text(result, "Type")[:_MAX_TITLE]
        if result.get("Class") == "lang-pkgs" and items(result, "Packages") and not knows_language(buckets, kind):
            raise PermanentError(
                f"Trivy's database has no advisories for packages of type {kind}, so {digest} cannot be judged: "
                "update the database"
            )


def _findings(results: list[Entry]) -> Iterator[Finding]:
    for result in results:
        for found in entries(result, "Vulnerabilities"):
            yield Finding(
                id=required(found, "VulnerabilityID"),
                package=required(found, "PkgName"),
                installed=text(found, "InstalledVersion"),
                fixed=text(found, "FixedVersion"),
                severity=_severity(text(found, "Severity")),
                title=text(found, "Title")[:_MAX_TITLE],
                layer=text(part(found, "Layer"), "DiffID"),
                purl=text(part(found, "PkgIdentifier"), "PURL"),
            )


def _packages(results: list[Entry]) -> Iterator[Package]:
    for result in results:
        for package in entries(result, "Packages"):
            layer = text(part(package, "Layer"), "DiffID")
            purl = text(part(package, "Identifier"), "PURL")
            yield Package(name=text(package, "Name"), version=_version(package), layer=layer, purl=purl)


def _version(package: Entry) -> str:
    """As the findings have it: epoch and release are fields of their own here."""
    epoch, release = package.get("Epoch") or 0, text(package, "Release")
    version = text(package, "Version") + (f"-{release}" if release else "")
    return f"{epoch}:{version}" if epoch else version


def _severity(name: str) -> Severity:
    return Severity.__members__.get(name, Severity.UNKNOWN)
