"""What people are shown of a cascade, from its records. Pure."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.cascade.header import Header
from groundswell.cascade.holds import marked
from groundswell.cascade.model import Rebuild, Status


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


def rows(rebuilds: Sequence[Rebuild], *, now: float) -> tuple[Row, ...]:
    """A row per rebuild, in the order in which they began; those that have not begun come last."""
    return in_order(_row(state, now) for state in rebuilds)


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


def _row(state: Rebuild, now: float) -> Row:
    began = _began(state)
    end = state.updated_at if state.status.settled else now
    return Row(
        image=state.image,
        status=state.status.value,
        stage=state.failed_stage.value if state.status is Status.FAILED and state.failed_stage else None,
        why="; ".join(filter(None, (state.reason, marked(state)))),
        attempt=state.attempt,
        seconds=None if began is None else round(end - began, 1),
        old=state.previous,
        new=state.previous if state.status is Status.UNCHANGED else state.promoted or state.candidate,
        run=state.run,
        inputs=state.inputs,
        began_at=began,
        updated_at=state.updated_at,
    )


def _began(state: Rebuild) -> float | None:
    """When this attempt's build began."""
    moments = [moment.at for moment in state.history if moment.status is Status.BUILDING]
    return moments[-1] if moments else None
