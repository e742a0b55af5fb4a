"""The book of good builds: which key (`inputs.py`) gave which digest, written when that digest was promoted.

What is beside the key is for a rebase, which begins with what is stable now and must know what that was made of.

An image has sixteen places, one for each first digit of a key. A newer record takes the place of an older one, so
the book needs no pruning and a record is one write. The newest is always there, and what is lost of the others is a
build at most. The scans of what was promoted are kept beside them (`scanbook.py`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from groundswell.errors import PermanentError
from groundswell.store.port import ANY, Documents, Put

logger = logging.getLogger(__name__)

TABLE = "good"
_PLACES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Good:
    """A build that was promoted, or that had the content of what was promoted before. `at` is when.

    `revision` and `bases` are its inputs, `base` is the digest of the runtime base that it is proven to stand on;
    empty in older records. `rebased` says that there was no build: only its base was replaced.
    """

    key: str
    digest: str
    cascade: str
    at: float
    revision: str = ""
    bases: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    rebased: bool = False


class GoodBook:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def get(self, image: str, key: str) -> Good | None:
        record = self._store.get(TABLE, image, key[0])
        good = Good(**record.value) if record else None
        return good if good is not None and good.key == key else None

    def of(self, image: str, digest: str) -> Good | None:
        """What gave this digest; the newest, if several did."""
        found = (good for good in self.each(image) if good.digest == digest)
        return max(found, key=lambda good: good.at, default=None)

    def each(self, image: str) -> list[Good]:
        """The builds of an image that the book still has, in no order."""
        rows = self._store.scan(TABLE, image, limit=_PLACES)  # the scans' rows come after them
        return [Good(**record.value) for record in rows if len(record.row) == 1]

    def note(self, image: str, good: Good | None, scans: Sequence[Put] = ()) -> None:
        """Enter a build, if it is known what it was made of, and its scans, unless they are too large to store.

        Doing it twice is harmless.
        """
        entry = [Put(row=good.key[0], value=asdict(good), etag=ANY)] if good else []
        try:
            self._store.commit(TABLE, image, [*entry, *scans])
        except PermanentError as exc:
            if not scans:
                raise
            logger.warning("scan not kept", extra={"image": image, "why": str(exc)})
            self._store.commit(TABLE, image, entry)
