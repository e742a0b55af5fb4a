"""When each timer's work last ended well, in any instance: a timer that stands still tells nobody itself."""

from dataclasses import dataclass

from groundswell.clock import Clock
from groundswell.store.port import ANY, Documents, Put

_TABLE, _PARTITION = "timers", "timers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`at` is when it last ended well, `first` when it ever did, in seconds since the epoch."""

    at: float
    first: float


class TimerBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def ran(self, name: str) -> None:
        """Note that the work of a timer has ended well. Of two instances, the last one counts."""
        now = self._clock()
        record = self._store.get(_TABLE, _PARTITION, name)
        first = record.value["first"] if record else now
        self._store.commit(_TABLE, _PARTITION, [Put(row=name, value={"at": now, "first": first}, etag=ANY)])

    def all(self) -> dict[str, Run]:
        """Every timer that ever ran, by name."""
        return {record.row: Run(**record.value) for record in self._store.scan(_TABLE, _PARTITION)}
