"""One notice on its way to one channel. Values only."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from groundswell.clock import inverted
from groundswell.errors import PermanentError
from groundswell.notify.notice import Notice

VERSION = 1


class State(StrEnum):
    WAITING = "waiting"  # to be sent, or to be tried again
    SENT = "sent"
    DEAD = "dead"  # given up; a person may send it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`turn` grows with each try, so that a doubled message is known; `due` is when the next try is.

    Until `claimed` somebody is at it. `error` says why the last try failed.
    """

    notice: Notice
    channel: str
    state: State = State.WAITING
    tries: int = 0
    turn: int = 0
    due: float = 0.0
    claimed: float = 0.0
    changed_at: float = 0.0
    error: str = ""

    @property
    def row(self) -> str:
        """Sorts the newest first."""
        return row(self.notice.id, self.notice.at, self.channel)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "notice": self.notice.to_json(), "v": VERSION}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Delivery":
        rest = {key: value for key, value in document.items() if key != "v"}
        notice = Notice.from_json(document["notice"])
        return cls(**{**rest, "notice": notice, "state": State(document["state"])})


def row(notice: str, at: float, channel: str) -> str:
    return f"{inverted(at)}-{notice}-{channel}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The message that a try is asked for with."""

    row: str
    turn: int

    def to_text(self) -> str:
        return json.dumps({"v": VERSION, "row": self.row, "turn": self.turn}, separators=(",", ":"))

    @staticmethod
    def from_text(text: str) -> "Call":
        """Raises PermanentError when the message is none of these."""
        try:
            document = json.loads(text)
            if document["v"] > VERSION:
                raise PermanentError("the notice was queued by a newer program: upgrade this one first")
            where, turn = document["row"], document["turn"]
        except (ValueError, TypeError, KeyError) as exc:
            raise PermanentError(f"queue message is no notice: {exc}") from exc
        if not isinstance(where, str) or not 0 < len(where) <= 200 or type(turn) is not int:
            raise PermanentError("queue message is no notice: row must be a text, turn a number")
        return Call(row=where, turn=turn)
