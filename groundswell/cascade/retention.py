"""What is old goes, by policy: cascades into the archive and in the end out of it, and lines of the push log.

What is never touched: the audit trail; a cascade that is open, or that an open one follows; and the cascade that
brought a base or a stable tag to the digest it has now, because `why` and `stale` tell by it why an image is as it
is. A round does a bounded amount of work, and every step of it can be interrupted and done again.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from groundswell.cascade.archive import Archive
from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.failurebook import FailureBook
from groundswell.cascade.intake import Intake
from groundswell.cascade.meaning import predecessor
from groundswell.cascade.records import Listed, Phase, Records
from groundswell.cascade.yearbook import Yearbook
from groundswell.clock import Clock
from groundswell.errors import ConflictError, PermanentError
from groundswell.lineage.catalog import Catalog

logger = logging.getLogger(__name__)

MOST = 1000
"""Cascades that one round removes, and that it drops from the archive."""
SECONDS = 240.0
"""After these a round begins nothing more: the functionTimeout of host.json is far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long things are kept, in seconds; 0 keeps them for ever. With `archive` a summary stays of a cascade."""

    cascades: float
    pushes: float
    archive: bool
    archived: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What one round removed. `kept_back` could not be archived and so stays; `more`: the next round has work."""

    cascades: int = 0
    kept_back: int = 0
    archived: int = 0
    pushes: int = 0
    changes: int = 0
    more: bool = False


class Retention:
    def __init__(
        self,
        *,
        records: Records,
        archive: Archive,
        yearbook: Yearbook,
        failures: FailureBook,
        bases: BaseBook,
        intake: Intake,
        catalog: Catalog,
        policy: Policy,
        clock: Clock,
    ) -> None:
        self._records = records
        self._archive = archive
        self._yearbook = yearbook
        self._failures = failures
        self._bases = bases
        self._intake = intake
        self._catalog = catalog
        self._policy = policy
        self._clock = clock

    def run(self) -> Cleared:
        """One round."""
        until = self._clock() + SECONDS
        cleared = self._archived(self._cascades(Cleared(), until), until)
        if self._policy.pushes:
            before = self._clock() - self._policy.pushes
            cleared = replace(cleared, pushes=self._drain(lambda: self._intake.forget(before), until))
        cleared = replace(cleared, changes=self._drain(self._catalog.forget_changes, until))
        cleared = replace(cleared, more=cleared.more or self._clock() >= until)
        logger.info("old records removed", extra=asdict(cleared))
        return cleared

    def _drain(self, step: Callable[[], int], until: float) -> int:
        """Take steps until one finds nothing more to remove, or time is up."""
        removed = 0
        while self._clock() < until and (count := step()):
            removed += count
        return removed

    # Cascades.

    def _cascades(self, cleared: Cleared, until: float) -> Cleared:
        if not self._policy.cascades:
            return cleared
        before = self._clock() - self._policy.cascades
        needed = self._needed()
        for listed in self._records.begun_before(before):
            if cleared.cascades >= MOST or self._clock() >= until:
                return replace(cleared, more=True)
            if listed.id in needed or not _ended(listed, before):
                continue
            try:
                self._remove(listed)
            except ConflictError:
                continue  # replayed this moment
            except PermanentError:
                logger.exception("cascade not archived, so it stays", extra={"cascade": listed.id})
                cleared = replace(cleared, kept_back=cleared.kept_back + 1)
                continue
            cleared = replace(cleared, cascades=cleared.cascades + 1)
        return cleared

    def _needed(self) -> set[str]:
        """Cascades that are open, those that they follow, and those that the bases' book names."""
        needed = {base.cascade for base in self._bases.all().values()}
        for cascade in self._records.open():
            needed.add(cascade)
            for state in self._records.rebuilds(cascade):
                followed = (base.partition("/")[0] for base in state.waits)
                needed.update(each for each in followed if predecessor(each, state.image) in state.waits)
        return needed

    def _remove(self, listed: Listed) -> None:
        if listed.header is None:  # a removal that was interrupted: it is in the archive already
            self._records.remove(listed)
            return
        header = listed.header.value
        if self._policy.archive:
            self._archive.keep(header, list(self._records.rebuilds(listed.id)))
        self._failures.forget(header)
        try:
            self._records.remove(listed)
        except ConflictError:
            self._archive.drop(header)
            raise  # it is entered among the failures again when it ends

    # The rest.

    def _archived(self, cleared: Cleared, until: float) -> Cleared:
        if not self._policy.archived:
            return cleared
        before = self._clock() - self._policy.archived
        self._drain(lambda: self._yearbook.forget(before), until)
        for header in self._archive.begun_before(before):
            if cleared.archived >= MOST or self._clock() >= until:
                return replace(cleared, more=True)
            self._archive.drop(header)
            cleared = replace(cleared, archived=cleared.archived + 1)
        return cleared


def _ended(listed: Listed, before: float) -> bool:
    if listed.header is None:
        return True
    header = listed.header.value
    return header.phase is Phase.ENDED and (header.ended_at or header.started_at) < before
