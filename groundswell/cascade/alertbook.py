"""The alerts as stored: a row for each digest that runs, and for a while for one that ran and was not good."""

from collections.abc import Iterator

from groundswell.cascade.alerts import Alert
from groundswell.store.port import Delete, Documents, Put

_TABLE, _PARTITION = "alerts", "alerts"


class AlertBook:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def all(self, *, after: str = "") -> Iterator[tuple[Alert, str]]:
        """Every record with its ETag, by image, those whose row sorts after `after`."""
        for record in self._store.scan(_TABLE, _PARTITION, after=after):
            yield Alert.from_json(record.value), record.etag

    def put(self, alert: Alert, etag: str | None) -> str:
        """Write over what was read; None: it is new. Raises ConflictError when somebody was faster."""
        return self._store.commit(_TABLE, _PARTITION, [Put(row=alert.row, value=alert.to_json(), etag=etag)])[0]

    def drop(self, alert: Alert, etag: str) -> None:
        """Raises ConflictError when somebody changed it."""
        self._store.commit(_TABLE, _PARTITION, [Delete(row=alert.row, etag=etag)])
