"""The port for what is kept beside images in a registry: manifests of any kind, their blobs, who refers to whom.

Sources: OCI distribution-spec 1.1, "Pushing Manifests with Subject" and "Listing Referrers".
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from graph.reference import Reference
from groundswell.registry.assembly import Manifest

_TAG = re.compile(r"sha256-[0-9a-f]{64}(?:\..+)?")


def is_of_artifacts(tag: str) -> bool:
    """Whether a tag is made of a digest, and so is for what hangs on it: signatures, attestations, referrers."""
    return _TAG.fullmatch(tag) is not None


class Artifacts(Protocol):
    """Raises TemporaryError when the registry does not answer or throttles, PermanentError when it refuses."""

    def find(self, reference: Reference) -> Manifest | None:
        """The manifest under a digest, else under a tag; None where the registry has no such thing."""
        ...

    def blob(self, reference: Reference, limit: int) -> bytes:
        """The blob with the digest of `reference`, of at most `limit` bytes. Raises PermanentError without it."""
        ...

    def upload(self, repository: Reference, content: bytes) -> None:
        """Put a blob into a repository (its tag and digest do not matter); repeating it is harmless."""
        ...

    def put(self, reference: Reference, content: bytes, media_type: str) -> bool:
        """Put a manifest under the tag of `reference`, or under its own digest where that has no tag.

        True when the registry lists it among the referrers of its `subject` (it says so in `OCI-Subject`). Where it
        is False, whoever puts a manifest with a subject must keep the list.
        """
        ...

    def referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None:
        """The descriptors of the manifests whose `subject` is this digest; None where there is no such list.

        Registries without the API have the list under a tag (see `attest.referrers`).
        """
        ...
