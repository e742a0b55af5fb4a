"""A cascade as a whole, beside its rebuilds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    PLANNING = "planning"  # its records are being written
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A push that a cascade follows from, and when it went in."""

    base: str
    digest: str
    source: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A cascade as a whole. `open` counts the rebuilds that are not settled; `pinned` what pins hold back.

    `pushes` are all that went in, in that order; `base`, `digest` and `source` are the first one's.
    """

    id: str
    base: str
    digest: str
    source: str
    started_at: float
    total: int
    open: int
    phase: Phase = Phase.PLANNING
    ended_at: float | None = None
    urgent: bool = False
    pinned: tuple[tuple[str, str], ...] = ()
    edges: dict[str, list[str]] = field(default_factory=dict)
    pushes: tuple[Pushed, ...] = ()

    @property
    def went_in(self) -> tuple[Pushed, ...]:
        """The pushes; of a record that does not hold them, the first."""
        first = Pushed(base=self.base, digest=self.digest, source=self.source, at=self.started_at)
        return self.pushes or (first,)

    @property
    def bases(self) -> Mapping[str, str]:
        """The newest digest of every base that was pushed, in the order in which they came."""
        return {self.base: self.digest} | {push.base: push.digest for push in self.pushes}

    @property
    def pushed(self) -> str:
        """What was pushed, in a few words."""
        others = len(self.bases) - 1
        return f"{self.base} and {others} more" if others else self.base
