"""Reads a report that a run attached to an image, and believes nothing of it that it has not checked.

Sources: OCI image-spec 1.1 (`subject`, `artifactType`); distribution-spec 1.1 ("Listing Referrers", and the tag
`sha256-<hex>` that stands for the list where a registry has none).
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.fields import Entry, document, entries, number, part, text
from groundswell.scan.formats import MAX_REPORT
from groundswell.scan.task import ARTIFACT, DATABASE, REPORT, RUN, SCANNER

MOST = 50
"""Attached reports that are looked at for the one that is sought, where the list does not tell them apart."""

_MAX_DATABASE = 1 << 20
_CREATED = "org.opencontainers.image.created"


class Manifest(Protocol):
    """A manifest's bytes, as the registry has them."""

    @property
    def content(self) -> bytes: ...


class Artifacts(Protocol):
    """What is read of a registry: see `groundswell.registry.artifacts`."""

    def find(self, reference: Reference) -> Manifest | None: ...

    def blob(self, reference: Reference, limit: int) -> bytes: ...

    def referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """`content` is what the scanner wrote, `database` what its database says of itself (None: nothing attached).

    `at` is when it was attached, in seconds since the epoch.
    """

    digest: str
    content: bytes
    database: bytes | None
    at: float


def attached(
    artifacts: Artifacts, subject: Reference, *, scanner: str, run: str, max_bytes: int = MAX_REPORT
) -> Attached | None:
    """The report that `run` attached to `subject` (by digest) for `scanner`; None where there is none.

    Raises TemporaryError for what is cut or garbled; PermanentError for what is about another image, or too large.
    """
    wanted = {SCANNER: scanner, RUN: run}
    for digest in _listed(artifacts, subject, wanted):
        manifest = _manifest(artifacts, subject, digest)
        if wanted.items() <= part(manifest, "annotations").items():
            return _read(artifacts, subject, digest, manifest, max_bytes)
    return None


def config_of(artifacts: Artifacts, subject: Reference) -> str:
    """The digest of the image's config, by which some scanners name the image; empty when it has none."""
    found = artifacts.find(subject)
    if found is None:
        raise PermanentError(f"{subject} is no longer in the registry; replay from build")
    return text(part(document(found.content, f"the manifest of {subject}"), "config"), "digest")


def _listed(artifacts: Artifacts, subject: Reference, wanted: Mapping[str, str]) -> list[str]:
    """The attached reports that may be it: a list need not have annotations, but those that it has are right."""
    listed: Sequence[Entry] | None = artifacts.referrers(subject)
    if listed is None:
        tag = str(subject.digest).replace(":", "-")
        found = artifacts.find(
            Reference(registry=subject.registry, repository=subject.repository, tag=tag, digest=None)
        )
        what = f"the list of what refers to {subject}"
        listed = [] if found is None else entries(document(found.content, what), "manifests")
    reports = [each for each in listed if text(each, "artifactType") == ARTIFACT]
    notes = [(each, part(each, "annotations")) for each in reports]
    return [text(each, "digest") for each, said in notes if not said or wanted.items() <= said.items()][:MOST]


def _manifest(artifacts: Artifacts, subject: Reference, digest: str) -> Entry:
    found = artifacts.find(subject.with_digest(digest))
    if found is None:
        raise TemporaryError(f"the report {digest} on {subject} is listed, but not there")
    _check(found.content, digest)
    return document(found.content, f"the report {digest} on {subject}")


def _read(artifacts: Artifacts, subject: Reference, digest: str, manifest: Entry, max_bytes: int) -> Attached:
    about = text(part(manifest, "subject"), "digest")
    if text(manifest, "artifactType") != ARTIFACT or about != subject.digest:
        raise PermanentError(f"the report {digest} is attached to {about or 'nothing'}, not to {subject}")
    layers = {text(layer, "mediaType"): layer for layer in entries(manifest, "layers")}
    if REPORT not in layers:
        raise TemporaryError(f"the report {digest} on {subject} holds no report")
    content = _blob(artifacts, subject, layers[REPORT], max_bytes)
    database = _blob(artifacts, subject, layers[DATABASE], _MAX_DATABASE) if DATABASE in layers else None
    return Attached(digest=digest, content=content, database=database, at=_created(manifest, digest))


def _blob(artifacts: Artifacts, subject: Reference, layer: Entry, limit: int) -> bytes:
    digest, size = text(layer, "digest"), number(layer, "size") or 0
    if size > limit:
        raise PermanentError(f"the report on {subject} has {size:.0f} bytes, more than the {limit} allowed")
    content = artifacts.blob(subject.with_digest(digest), limit)
    _check(content, digest)
    return content


def _check(content: bytes, digest: str) -> None:
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise TemporaryError(f"the registry gave other content than {digest}")


def _created(manifest: Entry, digest: str) -> float:
    try:
        at = dt.datetime.fromisoformat(text(part(manifest, "annotations"), _CREATED))
    except ValueError as exc:
        raise TemporaryError(f"the report {digest} does not say when it was made") from exc
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).timestamp()
