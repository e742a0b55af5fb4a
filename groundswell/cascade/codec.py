"""Rebuilds and commands as JSON, with a schema version, so that an older record or message is still understood."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from groundswell.cascade.model import Command, Kind, Moment, Outcome, Rebuild, Rollout, Stage, Status, Wait
from groundswell.errors import PermanentError

VERSION = 1


def rebuild_to_json(state: Rebuild) -> dict[str, Any]:
    document = asdict(state)
    document["v"] = VERSION
    return document


def rebuild_from_json(document: Mapping[str, Any]) -> Rebuild:
    """The rebuild in `document`. Raises PermanentError when a newer program wrote it."""
    _check(document, "record")
    fields = {key: value for key, value in document.items() if key != "v"}
    stage = fields["failed_stage"]
    return Rebuild(
        **{
            **fields,
            "status": Status(fields["status"]),
            "failed_stage": Stage(stage) if stage else None,
            "waits": {
                base: Wait(**{**wait, "outcome": Outcome(wait["outcome"])})
                for base, wait in fields["waits"].items()
            },
            "dependants": tuple((cascade, image) for cascade, image in fields["dependants"]),
            "rollouts": tuple(Rollout(**rollout) for rollout in fields["rollouts"]),
            "history": tuple(Moment(**{**m, "status": Status(m["status"])}) for m in fields["history"]),
            "outbox": tuple(_command(command) for command in fields["outbox"]),
        }
    )


def command_to_text(command: Command) -> str:
    document = asdict(command)
    del document["delay"]
    return json.dumps({"v": VERSION, **document}, separators=(",", ":"))


def command_from_text(text: str) -> Command:
    """The command in a queue message. Raises PermanentError when it is not one."""
    try:
        document = json.loads(text)
        _check(document, "message")
        return _command({key: value for key, value in document.items() if key != "v"})
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise PermanentError(f"queue message is not a command: {exc}") from exc


def _command(document: Mapping[str, Any]) -> Command:
    return Command(**{**document, "kind": Kind(document["kind"])})


def _check(document: Mapping[str, Any], what: str) -> None:
    version = document.get("v", 0)
    if version > VERSION:
        raise PermanentError(f"{what} has schema version {version}, this program knows {VERSION}: upgrade it first")
