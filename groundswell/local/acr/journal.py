"""What the registry itself reported, in its order: which digest each tag was given, and who pulled what."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A notification about a manifest. `tag` is empty where the request named a digest; `at` is the registry's."""

    id: str
    at: dt.datetime
    action: str
    repository: str
    tag: str
    digest: str
    media_type: str
    user_agent: str


class Journal:
    """Grows only. Safe to read from any thread."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._grown = threading.Condition()

    def append(self, entry: Entry) -> None:
        with self._grown:
            self._entries.append(entry)
            self._grown.notify_all()

    def entries(self) -> tuple[Entry, ...]:
        """Everything up to now."""
        with self._grown:
            return tuple(self._entries)

    def wait(self, wanted: Callable[[tuple[Entry, ...]], bool], *, seconds: float) -> bool:
        """Wait until `wanted(entries)` holds: the registry reports soon after it has answered. False when late."""
        with self._grown:
            return self._grown.wait_for(lambda: wanted(tuple(self._entries)), seconds)
