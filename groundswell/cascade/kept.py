"""A cascade as far as it is still known: from its records, or from what the archive keeps of it."""

from collections.abc import Iterator

from groundswell.cascade.archive import Archive
from groundswell.cascade.model import Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import Header, Records
from groundswell.errors import NotFoundError


class Kept:
    """`archived` says from where. What is asked of a cascade that neither has raises NotFoundError."""

    def __init__(self, records: Records, archive: Archive, cascade: str) -> None:
        self._records = records
        self._archive = archive
        self._cascade = cascade
        self._old = archive.header(cascade) if not records.has(cascade) else None
        self.archived = self._old is not None

    def header(self) -> Header:
        return self._old or self._records.header(self._cascade).value

    def rebuilds(self, *, after: str = "") -> Iterator[Rebuild]:
        """Those whose image sorts after `after`, by image."""
        return (self._archive if self.archived else self._records).rebuilds(self._cascade, after=after)

    def outlines(self) -> Iterator[Outline]:
        """Of every rebuild, by image."""
        return (self._archive if self.archived else self._records).outlines(self._cascade)

    def rebuild(self, image: str) -> Rebuild:
        """Raises NotFoundError also when the image is not in the cascade."""
        if not self.archived:
            self.header()  # says so when there is no such cascade
            return self._records.rebuild(self._cascade, image).value
        for outline in self.outlines():
            if outline.image == image:
                return outline.rebuild()
        raise NotFoundError(f"no image {image} in cascade {self._cascade} as the archive keeps it")
