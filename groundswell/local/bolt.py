"""Writes bbolt files (the embedded database that Trivy reads), from a tree of buckets.

Only what a read-only reader needs: two equal meta pages, an empty freelist, and B+ trees filled from left to right.
Format: go.etcd.io/bbolt, `internal/common/{page,meta,bucket}.go`, version 2.
"""

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

type Tree = Mapping[str, Tree | bytes]
"""A bucket: keys to values, or to buckets inside it."""

_PAGE = 4096
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_MAGIC, _VERSION = 0xED0CDAED, 2
_MIN_FILE = 32768  # bbolt maps at least this much
_MAX_KEY = 32768
_HEADER = struct.Struct("<QHHI")  # page id, flags, elements, overflow pages
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags (1: a bucket), position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, child page
_BUCKET = struct.Struct("<QQ")  # root page, sequence
_META_BODY = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, txid


def write(path: Path, tree: Tree) -> None:
    """Write `tree` as the whole database at `path`, replacing what was there in one step.

    Raises ValueError for a key that bbolt would refuse (empty, or longer than 32 KiB).
    """
    pages = _Pages()
    root = pages.bucket(tree)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(pages.file(root))
    os.replace(part, path)


class _Pages:
    """The file being made; pages 0 and 1 are the metas, 2 is the freelist."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._next = 3

    def bucket(self, tree: Tree) -> int:
        """Put a bucket and all inside it; returns its root page."""
        entries: list[tuple[bytes, int, bytes]] = []
        for key, value in tree.items():
            name = key.encode()
            if not 0 < len(name) <= _MAX_KEY:
                raise ValueError(f"bolt keys have 1 to {_MAX_KEY} bytes, not {len(name)}")
            nested = not isinstance(value, bytes)
            entries.append((name, int(nested), value if isinstance(value, bytes) else self._nested(value)))
        entries.sort()
        level = [
            (page[0][0] if page else b"", self._leaf(page))
            for page in _pages(entries, [_LEAF_ELEMENT.size + len(key) + len(value) for key, _, value in entries])
        ]
        while len(level) > 1:
            level = [
                (page[0][0], self._branch(page))
                for page in _pages(level, [_BRANCH_ELEMENT.size + len(key) for key, _ in level])
            ]
        return level[0][1]

    def _nested(self, tree: Tree) -> bytes:
        return _BUCKET.pack(self.bucket(tree), 0)

    def _leaf(self, entries: Sequence[tuple[bytes, int, bytes]]) -> int:
        heads, data = bytearray(), bytearray()
        for index, (key, flags, value) in enumerate(entries):
            position = (len(entries) - index) * _LEAF_ELEMENT.size + len(data)
            heads += _LEAF_ELEMENT.pack(flags, position, len(key), len(value))
            data += key + value
        return self._put(_LEAF, len(entries), bytes(heads + data))

    def _branch(self, children: Sequence[tuple[bytes, int]]) -> int:
        heads, data = bytearray(), bytearray()
        for index, (key, child) in enumerate(children):
            position = (len(children) - index) * _BRANCH_ELEMENT.size + len(data)
            heads += _BRANCH_ELEMENT.pack(position, len(key), child)
            data += key
        return self._put(_BRANCH, len(children), bytes(heads + data))

    def _put(self, flags: int, count: int, body: bytes) -> int:
        page, overflow = self._next, (_HEADER.size + len(body) - 1) // _PAGE
        self._body += _padded(_HEADER.pack(page, flags, count, overflow) + body)
        self._next += 1 + overflow
        return page

    def file(self, root: int) -> bytes:
        head = bytearray()
        for number in (0, 1):
            meta = _META_BODY.pack(_MAGIC, _VERSION, _PAGE, 0, root, 0, 2, self._next, number)
            head += _padded(_HEADER.pack(number, _META, 0, 0) + meta + struct.pack("<Q", _fnv1a(meta)))
        head += _padded(_HEADER.pack(2, _FREELIST, 0, 0))
        return bytes(head + self._body).ljust(_MIN_FILE, b"\0")


def _pages[T](items: Sequence[T], sizes: Sequence[int]) -> list[Sequence[T]]:
    """Split `items` so that each page is full or nearly; at least two on a page, so that every level is shorter."""
    starts, used = [0], _HEADER.size
    for index, size in enumerate(sizes):
        if used + size > _PAGE and index - starts[-1] >= 2:
            starts.append(index)
            used = _HEADER.size
        used += size
    return [items[start:end] for start, end in zip(starts, [*starts[1:], len(items)], strict=True)]


def _padded(page: bytes) -> bytes:
    return page + b"\0" * (-len(page) % _PAGE)


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value
