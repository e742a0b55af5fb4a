"""Rebuilds and commands as JSON, with a schema version, so that an older record or message is still understood."""

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from groundswell.cascade.model import Command, Hold, Kind, Moment, Move, Outcome, Rebuild, Ring, Rollout, Wait
from groundswell.cascade.status import Stage, Status
from groundswell.errors import PermanentError
from groundswell.store import versions

VERSION = 1
"""Of what is written. A new shape needs another one, and may be written one release after it is read."""
READ = 1
"""The newest that is read: of commands, and of rebuilds (`store/versions.py` says it again, by table)."""


def rebuild_to_json(state: Rebuild) -> dict[str, Any]:
    # Not `asdict`, which copies every text and mapping of every record at every move.
    cells = _cells(state)
    if not state.trace:
        del cells["trace"]  # as it was before there were traces
    return {
        **cells,
        "waits": {base: _cells(wait) for base, wait in state.waits.items()},
        "rollouts": [_cells(rollout) for rollout in state.rollouts],
        "rings": [_cells(ring) for ring in state.rings],
        "history": [_cells(moment) for moment in state.history],
        "outbox": [_cells(command) for command in state.outbox],
        "v": VERSION,
    }


def _cells(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, as they are."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def rebuild_from_json(document: Mapping[str, Any]) -> Rebuild:
    """The rebuild in `document`. Raises NewerError when a newer program wrote it."""
    versions.check("a rebuild", document, READ)
    cells = {key: value for key, value in document.items() if key != "v"}
    stage, held_at = cells["failed_stage"], cells.get("held_at")
    return Rebuild(
        **{
            **cells,
            "status": Status(cells["status"]),
            "failed_stage": Stage(stage) if stage else None,
            "waits": {
                base: Wait(**{**wait, "outcome": Outcome(wait["outcome"])}) for base, wait in cells["waits"].items()
            },
            "dependants": tuple((cascade, image) for cascade, image in cells["dependants"]),
            "rollouts": tuple(_rollout(rollout) for rollout in cells["rollouts"]),
            "rings": tuple(_ring(ring) for ring in cells.get("rings", ())),
            "holds": {Hold(hold): why for hold, why in cells.get("holds", {}).items()},
            "held_at": Stage(held_at) if held_at else None,
            "passes": tuple(Hold(hold) for hold in cells.get("passes", ())),
            "history": moments(cells),
            "outbox": tuple(_command(command) for command in cells["outbox"]),
        }
    )


def moments(document: Mapping[str, Any]) -> tuple[Moment, ...]:
    """The history of the rebuild in `document`."""
    return tuple(Moment(**{**moment, "status": Status(moment["status"])}) for moment in document["history"])


def _rollout(document: Mapping[str, Any]) -> Rollout:
    return Rollout(**{**document, "move": Move(document.get("move", Move.PLANNED))})


def _ring(document: Mapping[str, Any]) -> Ring:
    lists = {key: tuple(document[key]) for key in ("workloads", "environments")}
    return Ring(**{**document, **lists})


def command_to_text(command: Command) -> str:
    document = _cells(command)
    del document["delay"]
    return json.dumps({"v": VERSION, **document}, separators=(",", ":"))


def command_from_text(text: str) -> Command:
    """The command in a queue message.

    Raises PermanentError when it is not one, NewerError when a newer program sent it.
    """
    try:
        document = json.loads(text)
        versions.check("a message", document, READ)
        return _command({key: value for key, value in document.items() if key != "v"})
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise PermanentError(f"queue message is not a command: {exc}") from exc


def _command(document: Mapping[str, Any]) -> Command:
    return Command(**{**document, "kind": Kind(document["kind"])})
