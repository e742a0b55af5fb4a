"""A notice, and what is remembered of each matter that notices are about. Values only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from groundswell.channels import SEVERITY, Kind, Severity


class State(StrEnum):
    STANDS = "stands"
    UNSURE = "unsure"  # it is being dealt with: nobody knows yet
    OVER = "over"
    GONE = "gone"  # nothing is known of it any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look at one matter, which has the `key`.

    `mark` tells one occurrence from the next, `at` is since when it is so, `cause` what others may share with it in
    the same `cascade`. `title` and `text` are for people; of what is over, how it ended.
    """

    key: str
    kind: Kind
    state: State
    subject: str
    teams: tuple[str, ...] = ()
    cascade: str = ""
    cause: str = ""
    mark: str = ""
    title: str = ""
    text: str = ""
    at: float = 0.0

    @property
    def group(self) -> tuple[Kind, str, str]:
        """Those of one group are told in one notice."""
        return self.kind, self.cascade, self.cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What is remembered of a matter: how it is, and what was told of it.

    `seen` is as it was when it stood last, `since` when it began to. `owes` says that a notice was given of it, and
    none yet of its end; `told_at` is when, 0 for never; `ended` says how it ended.
    """

    seen: Seen
    state: State
    since: float
    told_at: float = 0.0
    told_mark: str = ""
    told_id: str = ""
    owes: bool = False
    ended: str = ""
    over_at: float = 0.0

    @property
    def key(self) -> str:
        return self.seen.key

    @property
    def waits(self) -> bool:
        """Whether it is to be told, sooner or later, unless it ends before."""
        return self.state is State.STANDS and self.told_mark != self.seen.mark

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Topic":
        seen = document["seen"]
        known = {**seen, "kind": Kind(seen["kind"]), "state": State(seen["state"]), "teams": tuple(seen["teams"])}
        return cls(**{**document, "seen": Seen(**known), "state": State(document["state"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is told. `id` stays the same however often it is sent.

    `subjects` are what it is about, the first few; `count` how many there are. `heals` is the notice whose matter
    is over, and `was` its kind. `since` is when the matter began, `at` when it was told.
    """

    id: str
    kind: Kind
    title: str
    text: str
    at: float
    since: float
    subjects: tuple[str, ...] = ()
    count: int = 0
    teams: tuple[str, ...] = ()
    cascade: str = ""
    link: str = ""
    heals: str = ""
    was: Kind | None = None

    @property
    def severity(self) -> Severity:
        return SEVERITY[self.kind]

    @property
    def routed_as(self) -> Kind:
        """By which kind channels choose it: whoever was told of a failure is told of its end."""
        return self.was or self.kind

    def with_link(self, link: str) -> "Notice":
        return replace(self, link=link)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Notice":
        return cls(
            **{
                **document,
                "kind": Kind(document["kind"]),
                "was": Kind(document["was"]) if document["was"] else None,
                "subjects": tuple(document["subjects"]),
                "teams": tuple(document["teams"]),
            }
        )
