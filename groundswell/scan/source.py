"""What is known of a report before it is read: which scanner wrote it, and which image it ought to be about."""

from collections.abc import Iterable
from dataclasses import dataclass

from groundswell.errors import PermanentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`scanner` is what policies call it (`aqua`), `digest` the manifest that it was told to scan.

    `image_id` is the digest of the image's config, which some scanners name instead; empty when it is not known.
    `made_at` (seconds since the epoch) says when the report was made, for formats that do not say so themselves.
    """

    scanner: str
    digest: str
    image_id: str = ""
    made_at: float | None = None


def find_digest(names: Iterable[str], source: Source) -> None:
    """PermanentError unless one of `names` is the image: its digest, `repository@digest`, or its image id."""
    seen = [name for name in names if name]
    wanted = {source.digest, source.image_id} - {""}
    if not any(name.rpartition("@")[2] in wanted for name in seen):
        told = next((name for name in seen if "sha256:" in name), "no digest")
        raise PermanentError(
            f"the report of {source.scanner} is not about {source.digest} but about {told[:200]}; "
            "scan the image by its digest"
        )
