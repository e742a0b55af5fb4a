"""The Artifacts port in memory: a registry that keeps the list of referrers, or one that does not."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError
from groundswell.registry.assembly import Manifest


@dataclass
class FakeArtifacts:
    """`images` tells whether a digest is an image that is there; `puts` are the manifests that were put.

    What is called by default is nothing of interest, but can be pickled.
    """

    images: Callable[[str], bool] = bool
    lists: bool = True
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    puts: list[str] = field(default_factory=list)
    before_put: Callable[[Reference], object] = bool
    down: GroundswellError | None = None

    def find(self, reference: Reference) -> Manifest | None:
        self._check()
        digest = reference.digest or self.tags.get(str(reference)) or ""
        if self.images(digest):
            return Manifest(digest=digest, media_type="application/vnd.oci.image.manifest.v1+json", content=b"{}")
        return self.manifests.get(digest)

    def blob(self, reference: Reference, limit: int) -> bytes:
        self._check()
        if reference.digest not in self.blobs:
            raise PermanentError(f"{reference} is missing")
        return self.blobs[reference.digest][:limit]

    def upload(self, repository: Reference, content: bytes) -> None:
        self._check()
        self.blobs[_digest(content)] = content

    def put(self, reference: Reference, content: bytes, media_type: str) -> bool:
        self._check()
        self.before_put(reference)
        document = json.loads(content)
        for part in (document.get("config"), *document.get("layers", ())):
            assert part is None or part["digest"] in self.blobs, f"{reference} names what was not uploaded"
        digest = _digest(content)
        assert reference.digest in (None, digest)
        self.manifests[digest] = Manifest(digest=digest, media_type=media_type, content=content)
        self.puts.append(str(reference))
        if reference.tag:
            self.tags[str(reference)] = digest
        return self.lists and "subject" in document

    def referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None:
        self._check()
        if not self.lists:
            return None
        near = [each for each in self.manifests.values() if (subject.digest or "").encode() in each.content]
        found = [(each, json.loads(each.content)) for each in near]
        return tuple(
            {
                "mediaType": each.media_type,
                "digest": each.digest,
                "size": len(each.content),
                "artifactType": document["artifactType"],
                "annotations": document.get("annotations", {}),
            }
            for each, document in found
            if document.get("subject", {}).get("digest") == subject.digest
        )

    def _check(self) -> None:
        if self.down:
            raise self.down


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
