"""A rebuild of which little is looked at: by outlines thousands are counted and searched, and few are decoded."""

from collections.abc import Collection, Sequence

from groundswell.cascade.codec import READ, moments, rebuild_from_json
from groundswell.cascade.model import Hold, Moment, Rebuild
from groundswell.cascade.status import Status
from groundswell.store import versions
from groundswell.store.port import Json

_STATUSES = {status.value: status for status in Status}
"""Looked up in a fifth of the time that the class takes."""


class Outline:
    """Each property is as the rebuild's, read from its document when it is asked for."""

    __slots__ = ("_document",)

    def __init__(self, document: Json) -> None:
        """Raises NewerError when a newer program wrote it."""
        versions.check("a rebuild", document, READ)
        self._document = document

    def rebuild(self) -> Rebuild:
        return rebuild_from_json(self._document)

    @property
    def image(self) -> str:
        image: str = self._document["image"]
        return image

    @property
    def status(self) -> Status:
        return _STATUSES[self._document["status"]]

    @property
    def reason(self) -> str:
        reason: str = self._document["reason"]
        return reason

    @property
    def candidate(self) -> str:
        candidate: str = self._document["candidate"]
        return candidate

    @property
    def digests(self) -> tuple[str, str, str]:
        """What it was, its candidate, and what was promoted."""
        return self._document["previous"], self._document["candidate"], self._document["promoted"]

    @property
    def updated_at(self) -> float:
        history = self._document["history"]
        return history[-1]["at"] if history else 0.0

    @property
    def priority(self) -> float:
        priority: float = self._document["priority"]
        return priority

    @property
    def waits(self) -> Collection[str]:
        """The names of what it waits for."""
        waits: Collection[str] = self._document["waits"]
        return waits

    @property
    def built_on(self) -> Collection[str]:
        """The names of what it was built on."""
        built_on: Collection[str] = self._document.get("built_on", ())
        return built_on

    @property
    def holds(self) -> Collection[Hold]:
        return frozenset(map(Hold, self._document.get("holds", ())))

    @property
    def history(self) -> Sequence[Moment]:
        return moments(self._document)
