"""Trivy's JSON to a Report, or a refusal. Pure: bytes and the names of the database's buckets go in.

Nothing is taken for clean that was not looked at: see the errors of `parse`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.coverage import knows_language, knows_system
from groundswell.scan.port import Finding, Report, Severity

_SCHEMA = 2
_UNRECOGNISED = "none"  # Trivy's family when it sees packages of a system that it cannot name
_MAX_TITLE = 200


def parse(content: bytes, *, digest: str, buckets: Collection[str], scanner: str) -> Report:
    """The report on `digest`.

    Raises TemporaryError when `content` is not a whole Trivy report; PermanentError when it is about another
    digest, when it has packages of an unrecognised system, when a system has no packages (their record was
    removed), and when the database holds nothing on the system or on a language of the image.
    """
    document = _document(content)
    metadata = _mapping(document, "Metadata")
    _check_digest(metadata, digest)
    results = [_is_mapping(result, "Results") for result in _list(document, "Results")]
    system = _mapping(metadata, "OS")
    family, version = _text(system, "Family"), _text(system, "Name")
    _check_system(family, version, results, digest, buckets)
    _check_languages(results, digest, buckets)
    return Report(
        scanner=scanner,
        digest=digest,
        os=f"{family} {version}".strip(),
        findings=tuple(_findings(results)),
    )


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise TemporaryError("Trivy's report is not whole JSON") from exc
    if not isinstance(document, dict) or document.get("SchemaVersion") != _SCHEMA:
        raise TemporaryError(f"Trivy's report does not have schema version {_SCHEMA}")
    return document


def _check_digest(metadata: Mapping[str, Any], digest: str) -> None:
    scanned = _list(metadata, "RepoDigests")
    if not any(isinstance(name, str) and name.endswith(f"@{digest}") for name in scanned):
        raise PermanentError(f"Trivy's report is not about {digest} but about {scanned or 'no digest'}")


def _check_system(
    family: str, version: str, results: list[Mapping[str, Any]], digest: str, buckets: Collection[str]
) -> None:
    packages = sum(len(_list(result, "Packages")) for result in results if result.get("Class") == "os-pkgs")
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


def _check_languages(results: list[Mapping[str, Any]], digest: str, buckets: Collection[str]) -> None:
    for result in results:
        kind = _text(result, "Type")
        if result.get("Class") == "lang-pkgs" and _list(result, "Packages") and not knows_language(buckets, kind):
            raise PermanentError(
                f"Trivy's database has no advisories for packages of type {kind}, so {digest} cannot be judged: "
                "update the database"
            )


def _findings(results: list[Mapping[str, Any]]) -> Iterator[Finding]:
    for result in results:
        for entry in _list(result, "Vulnerabilities"):
            found = _is_mapping(entry, "Vulnerabilities")
            yield Finding(
                id=_required(found, "VulnerabilityID"),
                package=_required(found, "PkgName"),
                installed=_text(found, "InstalledVersion"),
                fixed=_text(found, "FixedVersion"),
                severity=_severity(_text(found, "Severity")),
                title=_text(found, "Title")[:_MAX_TITLE],
                layer=_text(_mapping(found, "Layer"), "DiffID"),
            )


def _severity(name: str) -> Severity:
    return Severity.__members__.get(name, Severity.UNKNOWN)


def _required(entry: Mapping[str, Any], key: str) -> str:
    text = _text(entry, key)
    if not text:
        raise TemporaryError(f"Trivy's report has a finding without {key}")
    return text


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key) or ""
    if not isinstance(value, str):
        raise TemporaryError(f"Trivy's report has {key} that is no text")
    return value


def _list(entry: Mapping[str, Any], key: str) -> list[Any]:
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise TemporaryError(f"Trivy's report has {key} that is no list")
    return value


def _mapping(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return _is_mapping(entry.get(key) or {}, key)


def _is_mapping(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TemporaryError(f"Trivy's report has {key} that is no object")
    return value
