"""The book of good builds: which key (`inputs.py`) gave which digest, written when that digest was promoted.

An image has sixteen places, one for each first digit of a key. A newer record takes the place of an older one, so
the book needs no pruning and a record is one write. The newest is always there, and what is lost of the others is a
build at most.
"""

from dataclasses import asdict, dataclass

from groundswell.store.port import ANY, Documents, Put

_TABLE = "good"


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A build that was promoted, or that had the content of what was promoted before. `at` is when."""

    key: str
    digest: str
    cascade: str
    at: float


class GoodBook:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def get(self, image: str, key: str) -> Good | None:
        record = self._store.get(_TABLE, image, key[0])
        good = Good(**record.value) if record else None
        return good if good is not None and good.key == key else None

    def note(self, image: str, good: Good) -> None:
        """Enter a build; doing it twice is harmless."""
        self._store.commit(_TABLE, image, [Put(row=good.key[0], value=asdict(good), etag=ANY)])
