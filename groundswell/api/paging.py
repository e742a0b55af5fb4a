"""Pages of registrations, by name: each begins after a name, so they stay in step while images come and go."""

import base64
from collections.abc import Mapping
from itertools import islice

from groundswell.api.problems import InvalidError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration


def page(
    catalog: Catalog, *, owner: str, labels: Mapping[str, str], cursor: str, limit: int
) -> tuple[list[Registration], str | None]:
    """At most `limit` registrations of a team (of any: "") with these labels, and the next page's cursor.

    Raises InvalidError for a cursor that is none.
    """
    wanted = (
        item
        for item in catalog.each(after=_decode(cursor))
        if (not owner or item.owner == owner) and labels.items() <= item.labels.items()
    )
    found = list(islice(wanted, limit + 1))
    return found[:limit], _encode(found[limit - 1].name) if len(found) > limit else None


def _encode(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True).decode()
    except ValueError as exc:
        raise InvalidError([{"parameter": "cursor", "detail": "not a `next_cursor` that was given"}]) from exc
