"""What people are shown of a cascade, and how. Pure; and quick to import: the command shows it, too."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.cascade.header import Header
from groundswell.cascade.status import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image of a cascade. `stage` is where it failed; `seconds` the time under way, `None` before it began."""

    image: str
    status: str
    stage: str | None
    why: str
    attempt: int
    seconds: float | None
    old: str
    new: str
    run: str
    inputs: Mapping[str, Any]
    began_at: float | None
    updated_at: float

    @property
    def settled(self) -> bool:
        return Status(self.status).settled

    @property
    def state(self) -> str:
        """The status as people read it, with the stage that failed."""
        return f"{self.status} ({self.stage})" if self.stage else self.status


def in_order(found: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(found, key=lambda row: (row.began_at is None, row.began_at or 0.0, row.image)))


def to_json(header: Header, images: Sequence[Row]) -> dict[str, Any]:
    """The cascade as one JSON object."""
    return {
        "cascade": header.id,
        "base": header.base,
        "digest": header.digest,
        "source": header.source,
        "pushes": [asdict(push) for push in header.went_in],
        "urgent": header.urgent,
        "phase": header.phase.value,
        "started_at": header.started_at,
        "ended_at": header.ended_at,
        "pinned": [{"image": image, "reference": reference} for image, reference in header.pinned],
        "images": [
            {
                "image": row.image,
                "status": row.status,
                "stage": row.stage,
                "why": row.why,
                "attempt": row.attempt,
                "seconds": row.seconds,
                "old_digest": row.old,
                "new_digest": row.new,
                "run": row.run,
                "inputs": dict(row.inputs),
            }
            for row in images
        ],
    }


def short(digest: str) -> str:
    """A digest as people read it."""
    return digest.removeprefix("sha256:")[:12] if digest else ""


def when(at: float) -> str:
    """A time as people read it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
