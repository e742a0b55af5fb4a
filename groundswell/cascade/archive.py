"""What is kept of old cascades: the header, and of each rebuild what became of it and on what proof.

A cascade's partition holds its header and its rebuilds, a few in a document; the partition of the month in which it
began lists it. Documents are compressed by the store. The list is written last and deleted last: what is listed is
whole, and what an interrupted deletion left is found by it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import batched

from groundswell.cascade.codec import rebuild_to_json
from groundswell.cascade.model import Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import ARCHIVE, ARCHIVED, Header, header_from_json, index_row
from groundswell.clock import inverted
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Put

_PART = "rebuilds:"
_TOGETHER = 100
"""Rebuilds in one document: even with the longest reasons they stay below what a store takes."""
_FIRST_YEAR = 2026
"""No cascade is older than the product."""
_MOMENTS, _REASONS, _REASON = 10, 5, 1000
"""Of each rebuild: moments besides the first, of each part of its verdict, characters of one."""


class Archive:
    def __init__(self, store: Documents) -> None:
        self._store = store

    # Keeping.

    def keep(self, header: Header, rebuilds: Sequence[Rebuild]) -> None:
        """Write down what is kept of a cascade; doing it twice is harmless."""
        for number, part in enumerate(batched(rebuilds, _TOGETHER, strict=False)):
            value = {"rebuilds": [rebuild_to_json(summary(state)) for state in part]}
            self._store.commit(ARCHIVE, header.id, [Put(row=f"{_PART}{number:06d}", value=value, etag=ANY)])
        self._store.commit(ARCHIVE, header.id, [Put(row=ARCHIVED, value=asdict(header), etag=ANY)])
        listed = Put(row=index_row(header), value=asdict(header), etag=ANY)
        self._store.commit(ARCHIVE, month_of(header.started_at), [listed])

    def drop(self, header: Header) -> None:
        """Delete what is kept of a cascade; nothing happens when nothing is."""
        records = self._store.scan(ARCHIVE, header.id)
        for part in batched(records, MAX_COMMIT, strict=False):
            self._store.commit(ARCHIVE, header.id, [Delete(row=record.row, etag=ANY) for record in part])
        self._store.commit(ARCHIVE, month_of(header.started_at), [Delete(row=index_row(header), etag=ANY)])

    # Reading.

    def header(self, cascade: str) -> Header | None:
        record = self._store.get(ARCHIVE, cascade, ARCHIVED)
        return header_from_json(record.value) if record else None

    def rebuilds(self, cascade: str, *, after: str = "") -> Iterator[Rebuild]:
        """The rebuilds of a cascade as far as they are kept (see `summary`) that sort after `after`, by image."""
        return (each.rebuild() for each in self.outlines(cascade) if each.image > after)

    def outlines(self, cascade: str) -> Iterator[Outline]:
        for record in self._store.scan(ARCHIVE, cascade, prefix=_PART):
            yield from map(Outline, record.value["rebuilds"])

    def recent(self, *, now: float, after: str = "") -> Iterator[Header]:
        """The newest cascades first, whose `index_row` sorts after `after`, read as the caller goes on."""
        for month in months(now):
            for record in self._store.scan(ARCHIVE, month, after=after):
                yield header_from_json(record.value)

    def begun_before(self, at: float) -> Iterator[Header]:
        for month in months(at):
            for record in self._store.scan(ARCHIVE, month, after=inverted(at)):
                yield header_from_json(record.value)


def summary(state: Rebuild) -> Rebuild:
    """What is kept of a rebuild: how it ended, run, digests, proof and verdict; the long texts are cut."""
    history = state.history if len(state.history) <= _MOMENTS else (state.history[0], *state.history[-_MOMENTS:])
    verdict = dict(state.verdict)
    for part in ("reasons", "findings", "fixed", "notes"):
        if part in verdict:
            verdict[part] = verdict[part][:_REASONS]
    return replace(
        state,
        waits={},
        dependants=(),
        outbox=(),
        spec={},
        reason=state.reason[:_REASON],
        verdict=verdict,
        history=tuple(replace(moment, reason=moment.reason[:_REASON]) for moment in history),
    )


def month_of(at: float) -> str:
    """The month that a time is in (UTC), as `2026-11`."""
    return time.strftime("%Y-%m", time.gmtime(at))


def months(until: float) -> Iterator[str]:
    """The month of `until` and all before it, the newest first."""
    year, month = time.gmtime(until)[:2]
    while year >= _FIRST_YEAR:
        yield f"{year:04d}-{month:02d}"
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
