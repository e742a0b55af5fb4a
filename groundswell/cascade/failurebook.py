"""The book of failures: what ended badly in cascades that have ended, so that nobody need read those again.

An entry is made when a cascade has ended, and made anew when one that was replayed ends again; a success in a later
cascade takes what it heals out of it. Cascades that are open are read as they are.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from groundswell.cascade.failures import Failure, failure, failures, healed, success, troubled
from groundswell.cascade.model import Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import Header, Records, index_row
from groundswell.cascade.status import Status
from groundswell.clock import Clock, inverted
from groundswell.errors import NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, Delete, Documents, Put, Record, Write

_TABLE, _PARTITION = "failures", "failures"
_VERSION = 1
_TOGETHER = 2000
"""Failures in one document, with what they block: even with the longest reasons a store takes it."""
DAYS = 30.0
"""How far back failures are told of; what failed longer ago nobody is about to mend by a replay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What stands still now.

    By cascade, `together` says how many rebuilds a replay of all that failed would touch, `bases` what was pushed.
    `urgent` are cascades that go before others, `held` the rebuilds that something holds.
    """

    failures: tuple[Failure, ...]
    together: Mapping[str, int]
    bases: Mapping[str, tuple[str, ...]]
    urgent: frozenset[str]
    held: tuple[Rebuild, ...]

    def of(self, base: str) -> tuple[Failure, ...]:
        """Those that follow from a push of `base`."""
        return tuple(each for each in self.failures if base in self.bases.get(each.cascade, ()))


class FailureBook:
    def __init__(self, *, store: Documents, records: Records, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._records = records
        self._catalog = catalog
        self._clock = clock

    # Writing.

    def enter(self, header: Header, states: Mapping[str, Rebuild]) -> None:
        """Enter what failed in a cascade that has ended, and take out what it heals. Twice is harmless."""
        succeeded = _succeeded(states.values())
        if succeeded:
            self._heal(header.id, succeeded)
        failed, blocked, together = troubled(states.values())
        newest = self._newest()
        found = [each for each in self._told(failed, blocked) if not self._healed_since(each, newest, but=())]
        row = index_row(header)
        written = set()
        for number, part in enumerate(_parted(found)):
            entries = [each.to_json() for each in part]
            value = {
                "v": _VERSION,
                "cascade": header.id,
                "bases": list(header.bases),
                "urgent": header.urgent,
                "together": together,
                "failures": entries,
            }
            put = Put(row=f"{row}:{number:04d}", value=value, etag=ANY)
            self._store.commit(_TABLE, _PARTITION, [put])
            written.add(put.row)
        self._drop(record for record in self._parts(row) if record.row not in written)

    def forget(self, header: Header) -> None:
        """A cascade is removed: nothing more can be done to it."""
        self._drop(self._parts(index_row(header)))

    def _parts(self, row: str) -> list[Record]:
        return list(self._store.scan(_TABLE, _PARTITION, prefix=f"{row}:"))

    def _drop(self, records: Iterable[Record]) -> None:
        for record in records:
            self._store.commit(_TABLE, _PARTITION, [Delete(row=record.row, etag=ANY)])

    def _heal(self, cascade: str, succeeded: Mapping[str, float]) -> None:
        for record in list(self._recent()):
            if record.value["cascade"] != cascade and _healable(record, succeeded):
                self._heal_part(record, succeeded)

    def _heal_part(self, record: Record, succeeded: Mapping[str, float]) -> None:
        now: Record | None = record
        for attempt in retry_conflicts():
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    now = self._store.get(_TABLE, _PARTITION, record.row)
                if now is None:
                    continue
                left = [each for each in now.value["failures"] if not healed(failure(each), succeeded)]
                write: Write = Delete(row=now.row, etag=now.etag)
                if left:
                    write = Put(row=now.row, value={**now.value, "failures": left}, etag=now.etag)
                self._store.commit(_TABLE, _PARTITION, [write])

    # Reading.

    def now(self) -> Found:
        """What stands still, of the cascades that are open and those of the last days."""
        opened = self._records.open()
        told: list[Failure] = []
        together: dict[str, int] = {}
        bases: dict[str, tuple[str, ...]] = {}
        succeeded: dict[str, float] = {}
        urgent: set[str] = set()
        held: list[Rebuild] = []
        for cascade in opened:
            try:
                header = self._records.header(cascade).value
            except NotFoundError:
                continue  # it is about to be planned
            bases[cascade] = tuple(header.bases)
            if header.urgent:
                urgent.add(cascade)
            states = list(self._records.outlines(cascade))
            for image, at in _succeeded(states).items():
                succeeded[image] = max(at, succeeded.get(image, 0.0))
            failed, blocked, together[cascade] = troubled(states)
            told += self._told(failed, blocked)
            held += (each.rebuild() for each in states if each.status is Status.HELD)
        newest = self._newest()
        told = [each for each in told if not self._healed_since(each, newest, but=opened)]
        for record in self._recent():
            if record.value["cascade"] not in opened:
                told += map(failure, record.value["failures"])
                together[record.value["cascade"]] = record.value["together"]
                bases[record.value["cascade"]] = tuple(record.value["bases"])
                if record.value.get("urgent"):
                    urgent.add(record.value["cascade"])
        left = tuple(each for each in told if not healed(each, succeeded))
        return Found(failures=left, together=together, bases=bases, urgent=frozenset(urgent), held=tuple(held))

    def _recent(self) -> Iterator[Record]:
        """The newest cascades first, those that are not too old."""
        oldest = inverted(self._clock() - DAYS * 86_400)
        for record in self._store.scan(_TABLE, _PARTITION):
            if record.row > oldest:
                return
            yield record

    def _told(self, failed: list[Rebuild], blocked: list[Rebuild]) -> list[Failure]:
        if not failed:
            return []
        names = {state.image for state in (*failed, *blocked)}
        return list(failures(failed, blocked, self._catalog.brief(names)))

    def _newest(self) -> str:
        """The newest cascade."""
        return next((header.id for header in self._records.recent(1)), "")

    def _healed_since(self, each: Failure, newest: str, *, but: Iterable[str]) -> bool:
        """Whether a later cascade, other than those of `but`, has brought its image to a good end."""
        if newest in ("", each.cascade):
            return False
        later = self._records.holders.of([each.image], since=each.cascade) - {each.cascade, *but}
        for cascade in sorted(later, reverse=True):
            try:
                state = self._records.rebuild(cascade, each.image).value
            except NotFoundError:
                continue
            if success(state) and state.updated_at > each.at:
                return True
        return False


def _parted(found: list[Failure]) -> Iterator[list[Failure]]:
    part: list[Failure] = []
    size = 0
    for each in found:
        more = 20 + len(each.blocks) + len(each.workloads)
        if part and size + more > _TOGETHER:
            yield part
            part, size = [], 0
        part.append(each)
        size += more
    if part:
        yield part


def _succeeded(states: Iterable[Rebuild | Outline]) -> dict[str, float]:
    return {state.image: state.updated_at for state in states if success(state)}


def _healable(record: Record, succeeded: Mapping[str, float]) -> bool:
    return any(succeeded.get(each["image"], 0.0) > each["at"] for each in record.value["failures"])
