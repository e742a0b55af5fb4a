"""Reads the storage of docker-registry, whose layout its source documents (registry/storage/paths.go).

ACR's metadata API knows more than the registry's own API tells: times, and manifests without a tag. Reading the
files also leaves no trace among the pulls that the registry reports.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TORN_SECONDS = 0.002
_TORN_TRIES = 10
MAX_DOCUMENT = 4 * 2**20
"""Bytes of a manifest that a registry takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Times are seconds since 1970."""

    name: str
    digest: str
    created: float
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    digest: str
    updated: float
    media_type: str
    document: dict[str, Any]


class Layout:
    """What is in a storage folder now. Names that no registry would take are simply not there."""

    def __init__(self, storage: Path) -> None:
        self._repositories = storage / "docker/registry/v2/repositories"
        self._blobs = storage / "docker/registry/v2/blobs"

    def repositories(self) -> list[str]:
        """Names of the repositories that hold a manifest, sorted."""
        found = []
        for folder, subfolders, _ in os.walk(self._repositories):
            name = Path(folder).relative_to(self._repositories).as_posix()
            if "_manifests" in subfolders and next(self._revisions(name), None):
                found.append(name)
            subfolders[:] = [each for each in subfolders if not each.startswith("_")]
        return sorted(found)

    def has(self, repository: str) -> bool:
        return next(self._revisions(repository), None) is not None

    def tags(self, repository: str) -> list[Tag]:
        """Sorted by name."""
        folder = self._manifests(repository) / "tags" if _NAME.fullmatch(repository) else None
        names = sorted(path.name for path in folder.iterdir()) if folder and folder.is_dir() else []
        return [tag for name in names if (tag := self.tag(repository, name))]

    def tag(self, repository: str, name: str) -> Tag | None:
        if not _NAME.fullmatch(repository) or not _TAG.fullmatch(name):
            return None
        folder = self._manifests(repository) / "tags" / name
        link = folder / "current/link"
        digest = _digest(link)
        if digest is None:
            return None
        updated = link.stat().st_mtime
        first = min((each.stat().st_mtime for each in folder.glob("index/sha256/*/link")), default=updated)
        return Tag(name=name, digest=digest, created=min(first, updated), updated=updated)

    def drop_tag(self, repository: str, name: str) -> None:
        """What the registry does for a tag, and 2.8 offers no request for."""
        if self.tag(repository, name):
            shutil.rmtree(self._manifests(repository) / "tags" / name)

    def manifests(self, repository: str) -> list[Manifest]:
        """Sorted by digest."""
        found = (self.manifest(repository, digest) for digest in sorted(self._revisions(repository)))
        return [manifest for manifest in found if manifest]

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        if not _NAME.fullmatch(repository) or not _DIGEST.fullmatch(digest):
            return None
        link = self._manifests(repository) / "revisions/sha256" / digest.removeprefix("sha256:") / "link"
        document = self.document(digest)
        if _digest(link) is None or document is None:
            return None
        return Manifest(
            digest=digest, updated=link.stat().st_mtime, media_type=media_type(document), document=document
        )

    def document(self, digest: str) -> dict[str, Any] | None:
        """The JSON object that a blob holds (a manifest or a config), also after its manifest was deleted."""
        if not _DIGEST.fullmatch(digest):
            return None
        path = self._blob(digest)
        try:
            if path.stat().st_size > MAX_DOCUMENT:
                return None
            document = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):  # not here, or not JSON
            return None
        return document if isinstance(document, dict) else None

    def size(self, digest: str) -> int:
        """Bytes of a blob that is there."""
        return self._blob(digest).stat().st_size

    def open(self, digest: str) -> BinaryIO:
        """A blob's bytes, to be closed. Raises FileNotFoundError when it is not there."""
        return self._blob(digest).open("rb")

    def _blob(self, digest: str) -> Path:
        code = digest.removeprefix("sha256:")
        return self._blobs / "sha256" / code[:2] / code / "data"

    def _manifests(self, repository: str) -> Path:
        return self._repositories / repository / "_manifests"

    def _revisions(self, repository: str) -> Iterator[str]:
        if _NAME.fullmatch(repository):
            for link in (self._manifests(repository) / "revisions/sha256").glob("*/link"):
                if digest := _digest(link):
                    yield digest


def media_type(document: dict[str, Any]) -> str:
    """OCI lets a manifest leave its media type out; the shape tells."""
    named = document.get("mediaType")
    return named if isinstance(named, str) else OCI_INDEX if "manifests" in document else OCI_MANIFEST


def _digest(link: Path) -> str | None:
    """What a link file names. The registry truncates before it writes, so an empty file is read again."""
    for _ in range(_TORN_TRIES):
        try:
            text = link.read_text("ascii")
        except FileNotFoundError:
            return None
        if _DIGEST.fullmatch(text):
            return text
        time.sleep(_TORN_SECONDS)
    return None
