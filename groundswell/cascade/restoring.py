"""Puts a backup into a store, and makes its parts fit, so that a cascade in flight goes on where it was.

Messages are not in a backup: each rebuild's record holds what it has to send, and the sweep sends it again once the
rebuild has been quiet for a minute. Whoever builds stands in line again by the same way; pushes that were on their
way are found by the reconcile timer.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from typing import BinaryIO

from groundswell import audit
from groundswell.cascade.backup import LEFT_OUT, Document, Reader, Summary, verify
from groundswell.cascade.records import CASCADES, Records
from groundswell.clock import Clock
from groundswell.errors import InputError, NotFoundError
from groundswell.store import codec
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Put, Store

_AUDIT = "audit"
_MOST_BYTES = 3 * 512 * 1024
"""Of JSON in one commit; a store takes 4 MiB, and counts more than the JSON."""


def restore(store: Store, file: BinaryIO, *, force: bool, who: str, why: str, clock: Clock) -> Summary:
    """Put the backup in `file` into `store`. It is read to its end before anything is written.

    Raises InputError when it is not whole, and when the store holds something, unless `force`: then all that is
    there is deleted first, but for the audit trail, which stays and is added to. Interrupted, it has to be begun
    again, with `force`. No instance of the app may run on the store meanwhile.
    """
    if not why.strip():
        raise InputError("a restore needs a reason: --reason TEXT")
    start = file.tell()
    summary = verify(file)
    held = {table: count for table in store.tables() if (count := sum(1 for _ in store.every(table)))}
    if held and not force:
        raise InputError(
            f"the store is not empty ({', '.join(f'{count} in {table}' for table, count in held.items())}): "
            "restore into a new one, or say --force to replace what it holds"
        )
    for table in held:
        if table != _AUDIT:
            _clear(store, table)
    file.seek(start)
    for table, partition, puts in _commits(Reader(file)):
        store.commit(table, partition, puts)
    fit(store, at=clock())
    audit.record(
        store,
        at=clock(),
        who=who,
        action="restore",
        subject="the store",
        why=why,
        before=held,
        after={"documents": summary.documents, "taken_at": summary.at, "sha256": summary.sha256},
    )
    return summary


def fit(store: Store, *, at: float) -> None:
    """Make counts and lists say what the rebuilds say: they were read one after another, while they moved."""
    records = Records(store)
    open_now = []
    for cascade, _ in groupby(partition for partition, _ in store.every(CASCADES)):
        with suppress(NotFoundError):  # its removal was begun: retention goes on with it
            if records.put_right(cascade, at=at):
                open_now.append(cascade)
    if open_now:
        records.enlist_all(open_now)


def _clear(store: Store, table: str) -> None:
    for partition, found in groupby(store.every(table), key=lambda item: item[0]):
        some: list[Delete] = []
        for _, record in found:
            some.append(Delete(row=record.row, etag=ANY))
            if len(some) == MAX_COMMIT:
                store.commit(table, partition, some)
                some = []
        store.commit(table, partition, some)


def _commits(documents: Iterable[Document]) -> Iterator[tuple[str, str, list[Put]]]:
    """Documents of one partition together, as many as one commit takes."""
    for (table, partition), found in groupby(documents, key=lambda each: (each.table, each.partition)):
        if table in LEFT_OUT:
            continue
        puts: list[Put] = []
        size = 0
        for document in found:
            text = len(codec.dumps(document.value, f"document {document.row!r} of table {table}"))
            if puts and (len(puts) == MAX_COMMIT or size + text > _MOST_BYTES):
                yield table, partition, puts
                puts, size = [], 0
            puts.append(Put(row=document.row, value=document.value, etag=ANY))
            size += text
        if puts:
            yield table, partition, puts
