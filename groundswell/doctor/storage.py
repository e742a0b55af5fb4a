"""The store: something is written, read back and taken away; and nothing in it is newer than this program."""

from collections.abc import Iterator
from itertools import islice
from uuid import uuid4

from groundswell.doctor.check import Check, bad, ok
from groundswell.errors import NewerError
from groundswell.store.port import ANY, Delete, Documents, Put

_TABLE, _PARTITION = "doctor", "scratch"
EACH = 500
"""Documents of a table that are looked at."""


def look(store: Documents) -> Iterator[Check]:
    row, value = uuid4().hex, {"written": "by doctor"}
    store.commit(_TABLE, _PARTITION, [Put(row=row, value=value, etag=None)])
    found = store.get(_TABLE, _PARTITION, row)
    store.commit(_TABLE, _PARTITION, [Delete(row=row, etag=ANY)])
    if found is None or found.value != value:
        yield bad("store", "what was written is not what is read", "look whether two stores answer at one address")
    else:
        yield ok("store", "written, read and deleted")


def versions(store: Documents) -> Iterator[Check]:
    """The first EACH documents of every table; the others are checked when they are read."""
    newer, looked, tables = 0, 0, store.tables()
    for table in tables:
        try:
            looked += sum(1 for _ in islice(store.every(table), EACH))
        except NewerError as exc:
            newer += 1
            yield bad("versions", str(exc), "deploy the newer version here too (docs/upgrade.md)")
    if not newer:
        yield ok("versions", f"none of {looked} documents in {len(tables)} tables is newer than this program")
