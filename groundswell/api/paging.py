"""Pages of what is in the store: each begins after a row, so they stay in step while rows come and go."""

import base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from groundswell.api.parameters import Parameters
from groundswell.api.problems import InvalidError
from groundswell.errors import PermanentError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.store.limits import check_key

MOST = 500
"""Rows looked at for one page, whatever few of them fit a filter."""
_ROOM = "image:"
"""What a row may have in front of what a cursor holds."""


class Paged(Parameters):
    """What the queries of lists have in common."""

    cursor: str = Field("", max_length=1000, description="`next_cursor` of the page before.")
    limit: int = Field(100, ge=1, le=500, description="At most so many in a page.")

    @property
    def after(self) -> str:
        """The row after which the page begins. Raises InvalidError for a cursor that is none."""
        return decode(self.cursor)


def take[T](found: Iterable[tuple[str, T | None]], limit: int) -> tuple[list[T], str | None]:
    """At most `limit` of the items, each with its row, and the next page's cursor; None is one that is left out.

    At most MOST are looked at, so a page may hold fewer, and still not be the last.
    """
    taken: list[T] = []
    last = ""
    for number, (row, item) in enumerate(found):
        if number == MOST or (item is not None and len(taken) == limit):
            return taken, encode(last)
        if item is not None:
            taken.append(item)
        if len(taken) < limit or item is not None:
            last = row
    return taken, None


def page(
    catalog: Catalog, *, prefix: str, owner: str, labels: Mapping[str, str], after: str, limit: int
) -> tuple[list[Registration], str | None]:
    """Registrations of a team (of any: "") with these labels whose names begin so, as `take`."""

    def found() -> Iterator[tuple[str, Registration | None]]:
        for item in catalog.owned(owner, after=after) if owner else catalog.each(prefix=prefix, after=after):
            fits = item.name.startswith(prefix) and labels.items() <= item.labels.items()
            yield item.name, item if fits else None

    return take(found(), limit)


def encode(row: str) -> str:
    return base64.urlsafe_b64encode(row.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    wrong: Any = [{"parameter": "cursor", "detail": "not a `next_cursor` that was given"}]
    try:
        row = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
        check_key("cursor", _ROOM + row)
    except (ValueError, PermanentError) as exc:
        raise InvalidError(wrong) from exc
    return row
