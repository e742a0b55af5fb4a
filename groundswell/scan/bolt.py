"""Reads bbolt files (Trivy's database is one), and of a large file no more than is asked for.

Format: go.etcd.io/bbolt, `internal/common/{page,meta,bucket}.go`, version 2, little-endian.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_BRANCH, _LEAF = 0x01, 0x02
_NESTED = 0x01
_MAGIC, _VERSION = 0xED0CDAED, 2
_HEADER = struct.Struct("<QHHI")  # page id, flags, elements, overflow pages
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, child page
_BUCKET = struct.Struct("<QQ")  # root page (0: the page follows), sequence
_META = struct.Struct("<IIIIQQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, txid, sum
_MAX_DEPTH = 64  # of branch pages; a database has 2 to 5, so more is a loop in a damaged file


class BoltError(ValueError):
    """The file is no bbolt database, or is damaged."""


class Bucket:
    """A bucket of an open database: what it holds is read as it is asked for."""

    def __init__(self, data: mmap.mmap, page_size: int, start: int) -> None:
        self._data = data
        self._page_size = page_size
        self._start = start

    def values(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values, in key order, without the buckets."""
        return (
            (key, self._data[at : at + size]) for key, flags, at, size in self._elements() if not flags & _NESTED
        )

    def buckets(self) -> Iterator[tuple[bytes, "Bucket"]]:
        """Keys and the buckets under them, in key order."""
        return ((key, self._bucket(at)) for key, flags, at, _ in self._elements() if flags & _NESTED)

    def _bucket(self, at: int) -> "Bucket":
        root, _ = _BUCKET.unpack_from(self._data, at)
        start = root * self._page_size if root else at + _BUCKET.size
        return Bucket(self._data, self._page_size, start)

    def _elements(self) -> Iterator[tuple[bytes, int, int, int]]:
        return _leaves(self._data, self._page_size, self._start, 0)


class Database:
    """A database file, mapped for reading. Use as a context manager; buckets are good until it is closed.

    Raises BoltError when the file is not a bbolt database.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as exc:
                raise BoltError(f"{path} is empty") from exc
        try:
            self.root = _root(self._data)
        except BoltError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._data.close()


def _root(data: mmap.mmap) -> Bucket:
    """The root bucket as of the newest valid meta page (of two, which are written in turn)."""
    metas = [meta for at in _meta_places(data) if (meta := _meta(data, at)) is not None]
    if not metas:
        raise BoltError("no valid meta page: not a bbolt database, or a damaged one")
    _, page_size, root = max(metas)
    return Bucket(data, page_size, root * page_size)


def _meta_places(data: mmap.mmap) -> Iterator[int]:
    yield _HEADER.size
    if len(data) >= _HEADER.size + _META.size:
        yield int(_META.unpack_from(data, _HEADER.size)[2]) + _HEADER.size


def _meta(data: mmap.mmap, at: int) -> tuple[int, int, int] | None:
    """(transaction, page size, root page) of the meta at `at`, None when it is not valid."""
    if at + _META.size > len(data):
        return None
    magic, version, page_size, _, root, _, _, _, transaction, checksum = _META.unpack_from(data, at)
    if (magic, version) != (_MAGIC, _VERSION) or checksum != _fnv1a(data[at : at + _META.size - 8]):
        return None
    return transaction, page_size, root


def _leaves(data: mmap.mmap, page_size: int, start: int, depth: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(key, flags, place of the value, its size) of every element of the tree whose page is at `start`."""
    if depth > _MAX_DEPTH:
        raise BoltError("pages form a loop: the database is damaged")
    try:
        _, flags, count, _ = _HEADER.unpack_from(data, start)
        first = start + _HEADER.size
        if flags & _LEAF:
            for place in range(first, first + count * _LEAF_ELEMENT.size, _LEAF_ELEMENT.size):
                kind, position, key, value = _LEAF_ELEMENT.unpack_from(data, place)
                at = place + position
                yield data[at : at + key], kind, at + key, value
        elif flags & _BRANCH:
            for place in range(first, first + count * _BRANCH_ELEMENT.size, _BRANCH_ELEMENT.size):
                _, _, child = _BRANCH_ELEMENT.unpack_from(data, place)
                yield from _leaves(data, page_size, child * page_size, depth + 1)
        else:
            raise BoltError(f"page at {start} is neither leaf nor branch: the database is damaged")
    except struct.error as exc:
        raise BoltError(f"page at {start} is outside the file: the database is damaged") from exc


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
