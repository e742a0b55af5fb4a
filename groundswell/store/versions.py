"""Which shapes of documents and messages this program reads, so that none of a newer one is misread.

A document or a message without `v` has version 1. A program that finds one above what it reads leaves it alone: it
raises NewerError, and whoever met it tries again later, when a newer instance may have dealt with it. A new shape
comes in two releases: the first reads it, the second writes it. So one step back is always possible.
"""

from collections.abc import Mapping
from typing import Any

from groundswell.errors import NewerError

READ: Mapping[str, int] = {}
"""The newest version of a table's documents that this program reads, where that is not 1."""

_CHECKED_BY_READERS = frozenset({"freezes", "tokens"})
"""A rule or a token that cannot be read must refuse, at once, and can be taken away."""


def check(what: str, document: Mapping[str, Any], read: int) -> None:
    """Raises NewerError when `document` has a version above `read`."""
    version = document.get("v", 1)
    if isinstance(version, int) and version > read:
        raise NewerError(
            f"{what} has schema version {version}, this program reads {read}: it is left to the newer program; "
            "if none runs, upgrade this one"
        )


def check_document(table: str, row: str, document: Mapping[str, Any]) -> None:
    """What a store does with each document that it reads."""
    if table not in _CHECKED_BY_READERS:
        check(f"document {row!r} of table {table}", document, READ.get(table, 1))
