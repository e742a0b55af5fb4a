"""The append-only audit trail: every change by a person, who, when, why, before and after."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from groundswell.clock import inverted
from groundswell.store.port import Documents, Json, Put, Record

_TABLE, _PARTITION = "audit", "audit"


def record(
    store: Documents,
    *,
    at: float,
    who: str,
    action: str,
    subject: str,
    why: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Append one entry. Entries are only ever inserted: nothing updates or deletes them."""
    value = {
        "at": at,
        "who": who,
        "action": action,
        "subject": subject,
        "why": why,
        "before": before,
        "after": after,
    }
    store.commit(_TABLE, _PARTITION, [Put(row=f"{inverted(at)}-{uuid4().hex[:8]}", value=value, etag=None)])


def rows(store: Documents, *, after: str = "") -> Iterator[Record]:
    """The newest entries first with their rows, those that sort after `after`, read as the caller goes on."""
    return store.scan(_TABLE, _PARTITION, after=after)


def entries(store: Documents, *, limit: int = 100) -> Iterator[Json]:
    """The newest entries first."""
    for item in store.scan(_TABLE, _PARTITION, limit=limit):
        yield item.value
