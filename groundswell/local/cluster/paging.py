"""Lists: selected, cut into pages of one snapshot. A continue token whose snapshot is gone is answered with 410."""

import base64
import binascii
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.objects import Json

_SNAPSHOTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    items: list[Json]
    version: str
    token: str = ""
    remaining: int = 0


class Pager:
    """Used on one thread."""

    def __init__(self) -> None:
        self._snapshots: OrderedDict[str, tuple[str, list[Json]]] = OrderedDict()

    def first(self, items: list[Json], version: str, limit: int) -> Page:
        return self._cut(secrets.token_hex(8), items, version, limit=limit, start=0)

    def next(self, token: str, limit: int) -> Page:
        """The page that `token` names. ApiError 400 for a malformed token, 410 when its snapshot is gone."""
        try:
            found = json.loads(base64.urlsafe_b64decode(token))
            name, start = str(found["snapshot"]), int(found["start"])
        except (binascii.Error, ValueError, KeyError, TypeError) as exc:
            raise ApiError(400, f"invalid continue token: continue key is not valid: {exc}") from exc
        if name not in self._snapshots:
            raise ApiError(
                410,
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter.",
            )
        version, items = self._snapshots[name]
        return self._cut(name, items, version, limit=limit, start=start)

    def expire(self) -> None:
        """Forget all snapshots."""
        self._snapshots.clear()

    def _cut(self, name: str, items: list[Json], version: str, *, limit: int, start: int) -> Page:
        end = start + limit if limit else len(items)
        if end >= len(items):
            return Page(items=items[start:], version=version)
        self._snapshots[name] = (version, items)
        while len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)
        token = base64.urlsafe_b64encode(json.dumps({"snapshot": name, "start": end}).encode()).decode()
        return Page(items=items[start:end], version=version, token=token, remaining=len(items) - end)
