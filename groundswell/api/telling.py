"""Cascades and rebuilds as clients see them: the records' words, times spelled out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from groundswell.api.bodies import Json
from groundswell.api.times import spelled
from groundswell.cascade import evidence
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Header
from groundswell.cascade.rings import under_way
from groundswell.cascade.rows import rows
from groundswell.cascade.why import Answer


def cascade_told(header: Header, *, archived: bool) -> Json:
    return {
        "cascade": header.id,
        "base": header.base,
        "digest": header.digest,
        "source": header.source,
        "bases": dict(header.bases),
        "pushes": [{**asdict(push), "at": spelled(push.at)} for push in header.went_in],
        "urgent": header.urgent,
        "phase": header.phase.value,
        "images": header.total,
        "open": header.open,
        "started_at": spelled(header.started_at),
        "ended_at": spelled(header.ended_at),
        "pinned": [{"image": image, "reference": reference} for image, reference in header.pinned],
        "archived": archived,
    }


def row_told(state: Rebuild, now: float) -> Json:
    (row,) = rows([state], now=now)
    return {
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
        **_stands(state),
        "began_at": spelled(row.began_at),
        "updated_at": spelled(row.updated_at),
    }


def rebuild_told(state: Rebuild, now: float) -> Json:
    told = evidence.to_json(state, now=now)
    verdict = told.pop("scan")
    rollouts = [{**each, "at": spelled(each["at"] or None)} for each in told["rollouts"]]  # 0: it was not moved yet
    return {
        **told,
        **_stands(state),
        "verdict": verdict,
        "rollouts": rollouts,
        "moves": _timed(told["moves"]),
    }


def _stands(state: Rebuild) -> Json:
    """What holds it, and at which ring it is: that is what an approval is for."""
    ring = under_way(state)
    return {"holds": {hold.value: why for hold, why in state.holds.items()}, "ring": ring.name if ring else None}


def explained(answer: Answer) -> Json:
    told = answer.to_json()
    return {**told, "pushes": _timed(told["pushes"]), "history": _timed(told["history"])}


def _timed(entries: Sequence[Mapping[str, Any]]) -> list[Json]:
    return [{**entry, "at": spelled(entry["at"])} for entry in entries]
