"""What this process read or wrote last: a bounded memory beside the store. Safe to share between threads.

It may be stale, and nothing may be wrong then: what is decided on a remembered record is saved under its ETag, so
that somebody else's write makes a conflict, after which the record is read again.
"""

import threading
from collections import OrderedDict
from typing import overload


class Recent[K, V]:
    """At most `most` values; the one that was used longest ago makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    @overload
    def get(self, key: K) -> V | None: ...

    @overload
    def get(self, key: K, default: V) -> V: ...

    def get(self, key: K, default: V | None = None) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key, default)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        with self._lock:
            self._values.pop(key, None)
