"""How a request of the command gets to the API: the port, and what all ways have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from groundswell.errors import TemporaryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`headers` have names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class UnreachableError(TemporaryError):
    """The service gave no answer. `sent` says whether it may have got the request all the same."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Transport(Protocol):
    @property
    def place(self) -> str:
        """What is asked, in a few words, for messages."""
        ...

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Reply:
        """One request; `target` is path and query, `patience` the seconds that it may take where that can be said.

        Raises UnreachableError.
        """
        ...
