"""Which cascades an image is in, so that a new one finds those it must wait for without reading all that are open.

A row per image and cascade, written before the cascade is put on the list of the open ones: whoever is put there
later finds it. A row stays until the cascade is removed; the list says which count.
"""

from collections.abc import Iterable, Sequence
from itertools import batched

from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put

_TABLE, _PARTITION = "index", "images"


class Holders:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def enter(self, cascade: str, images: Iterable[str]) -> None:
        """These images are about to be in the cascade. Repeating it is harmless."""
        puts = [Put(row=f"{image}:{cascade}", value={}, etag=ANY) for image in images]
        for some in batched(puts, MAX_COMMIT, strict=False):
            self._store.commit(_TABLE, _PARTITION, some)

    def leave(self, cascade: str, images: Sequence[str]) -> None:
        """The cascade is being removed: as many images at once as a commit holds."""
        self._store.commit(_TABLE, _PARTITION, [Delete(row=f"{image}:{cascade}", etag=ANY) for image in images])

    def of(self, images: Iterable[str], *, since: str) -> set[str]:
        """The cascades that any of the images is in, of those whose ids do not sort before `since`."""
        return {
            cascade
            for image in images
            for record in self._store.scan(_TABLE, _PARTITION, prefix=f"{image}:", after=f"{image}:{since[:-1]}")
            if (cascade := record.row.rpartition(":")[2]) >= since
        }
