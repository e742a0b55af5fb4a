"""A store's documents as one file: lines of JSON, gzipped, with a checksum at the end.

It may be taken while the app runs. Each document is whole, as it was at some time while the backup was taken, and
what points comes before what it points to: a push that waits before the cascade that it goes into, the cascades
before their list. So nothing that was stored before the backup began is missing in it; of what moved meanwhile,
parts may be younger than others, and `restoring.py` makes them fit.

Left out is what is true for the moment only: places in the build pools and at the clusters, answers that were given
to clients, and the queues. Writing and reading hold one document at a time in memory.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from groundswell.errors import InputError
from groundswell.store import versions
from groundswell.store.port import Documents

FORMAT = 1
LEFT_OUT = frozenset({"answers", "pools", "rolling"})
_FIRST, _LAST = ("gathering", "bases"), ("cascades", "index")
_LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    table: str
    partition: str
    row: str
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of a whole backup: `at` is when it was begun (seconds since the epoch), `tables` how many each holds."""

    at: float
    documents: int
    tables: Mapping[str, int]
    sha256: str


def write(store: Documents, file: BinaryIO, *, at: float) -> Summary:
    """Write everything that is to be kept."""
    digest, counts = hashlib.sha256(), dict[str, int]()
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:

        def line(value: Mapping[str, Any]) -> None:
            text = json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
            digest.update(text)
            packed.write(text)

        line({"groundswell-backup": FORMAT, "at": at})
        for table in _ordered(store.tables()):
            for partition, record in store.every(table):
                line({"table": table, "partition": partition, "row": record.row, "value": record.value})
                counts[table] = counts.get(table, 0) + 1
        summary = Summary(at=at, documents=sum(counts.values()), tables=counts, sha256=digest.hexdigest())
        line({"end": summary.documents, "sha256": summary.sha256})
    return summary


def verify(file: BinaryIO) -> Summary:
    """Read a backup to its end, from where `file` stands. Raises InputError when it is not whole."""
    reader = Reader(file)
    counts: dict[str, int] = {}
    for document in reader:
        counts[document.table] = counts.get(document.table, 0) + 1
    return Summary(at=reader.at, documents=sum(counts.values()), tables=counts, sha256=reader.sha256)


class Reader:
    """The documents of a backup, each as it is read; that the whole is good is known when the last was read.

    Raises InputError, with the line, when it is damaged or no backup; NewerError when a newer program wrote it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._number = 0
        self._digest = hashlib.sha256()
        self.at = 0.0
        self.sha256 = ""

    def __iter__(self) -> Iterator[Document]:
        with gzip.GzipFile(fileobj=self._file, mode="rb") as packed:
            head = self._line(packed)
            if "groundswell-backup" not in head:
                raise InputError("this is no backup of Groundswell")
            versions.check("the backup", {"v": head["groundswell-backup"]}, FORMAT)
            self.at = float(head.get("at", 0.0))
            count = 0
            while True:
                before = self._digest.hexdigest()
                line = self._line(packed)
                if "end" in line:
                    break
                document = self._document(line)
                versions.check_document(document.table, document.row, document.value)
                yield document
                count += 1
            if (line["end"], line.get("sha256")) != (count, before):
                raise self._damaged("its checksum does not fit")
            if packed.read(1):
                raise self._damaged("something follows its end")
        self.sha256 = before

    def _line(self, packed: gzip.GzipFile) -> dict[str, Any]:
        self._number += 1
        try:
            text = packed.readline(_LONGEST_LINE)
            value = json.loads(text)
        except (EOFError, OSError, zlib.error, ValueError) as exc:
            raise self._damaged("cut short, or no backup") from exc
        if not isinstance(value, dict):
            raise self._damaged("no JSON object")
        self._digest.update(text)
        return value

    def _document(self, line: Mapping[str, Any]) -> Document:
        try:
            document = Document(**line)
        except TypeError as exc:
            raise self._damaged("no document") from exc
        texts = (document.table, document.partition, document.row)
        if not all(isinstance(text, str) for text in texts) or not isinstance(document.value, dict):
            raise self._damaged("no document")
        return document

    def _damaged(self, why: str) -> InputError:
        return InputError(f"the backup is damaged at line {self._number}: {why}; take another")


def _ordered(tables: list[str]) -> list[str]:
    others = [table for table in tables if table not in (*_FIRST, *_LAST, *LEFT_OUT)]
    return [table for table in (*_FIRST, *others, *_LAST) if table in tables]
