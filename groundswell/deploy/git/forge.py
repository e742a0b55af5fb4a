"""What is asked of a host of git repositories: one file of a branch, a commit to it, branches, pull requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as it is on a branch. `version` is the host's word for what was read, which a commit is held to."""

    text: str
    version: str


class State(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"
    """Without being merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request from the branch `head`; `url` is for people."""

    number: int
    state: State
    head: str
    body: str
    url: str


class Forge(Protocol):
    """One repository. Branches are named without `refs/heads/`.

    Raises NotFoundError for what is not there, ConflictError when somebody else wrote first, TemporaryError when
    the host does not answer or asks for a pause, PermanentError when it refuses.
    """

    def close(self) -> None:
        """Close the connections."""
        ...

    def read(self, branch: str, path: str) -> File: ...

    def commit(self, branch: str, path: str, text: str, former: File, message: str) -> None:
        """One commit on the branch; ConflictError unless the file is still as `former` was read."""
        ...

    def tip(self, branch: str) -> str | None:
        """The commit a branch points to; None when there is no such branch."""
        ...

    def point(self, branch: str, commit: str, former: str | None) -> None:
        """Make a branch, or move the one that is at `former`, back too."""
        ...

    def pull(self, head: str, into: str) -> Pull | None:
        """The pull request from a branch: the open one, else the newest; None when there never was one."""
        ...

    def propose(self, head: str, into: str, title: str, body: str) -> Pull:
        """Open one; that which somebody else opened meanwhile is as good."""
        ...

    def amend(self, pull: Pull, title: str, body: str) -> None:
        """Say something else of an open one."""
        ...

    def close_pull(self, pull: Pull) -> None:
        """Close an open one without merging it."""
        ...


def latest(pulls: Iterable[Pull]) -> Pull | None:
    """The open one, else the newest."""
    return max(pulls, key=lambda pull: (pull.state is State.OPEN, pull.number), default=None)
