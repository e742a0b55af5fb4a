"""The cluster's objects and the history of their changes, as etcd keeps them behind an API server.

One counter gives every write its resourceVersion. The history feeds watches until it is compacted; who asks for
something older gets 410. Safe to use from several threads. What is stored is never changed in place, so `items` and
`changes` hand out the stored objects themselves, to be read only; `find` and `get` hand out copies.
"""

import copy
import threading
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from groundswell.clock import Clock
from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import NAMESPACES, Kind
from groundswell.local.cluster.objects import Json, stamp

_HISTORY = 5000

type _Key = tuple[Kind, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A write: `item` after it (before it, when deleted) and `former` before it."""

    version: int
    kind: Kind
    deleted: bool
    item: Json
    former: Json | None


type Listener = Callable[[Change], None]


class Store:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._objects: dict[_Key, Json] = {}
        self._changes: deque[Change] = deque()
        self._version = 1
        self._compacted = 0
        self._listeners: list[Listener] = []

    @property
    def lock(self) -> threading.RLock:
        """Hold it to read and write as one step."""
        return self._lock

    @property
    def version(self) -> int:
        with self._lock:
            return self._version

    def find(self, kind: Kind, namespace: str, name: str) -> Json | None:
        with self._lock:
            return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def get(self, kind: Kind, namespace: str, name: str) -> Json:
        """The object; ApiError 404 when there is none."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise ApiError(
                404,
                f'{_qualified(kind)} "{name}" not found',
                details={"name": name, "group": kind.group, "kind": kind.plural},
            )
        return found

    def items(self, kind: Kind, namespace: str = "") -> list[Json]:
        """All of a kind, of one namespace when it is given, by namespace and name."""
        with self._lock:
            keys = sorted(
                (key for key in self._objects if key[0] == kind and namespace in ("", key[1])),
                key=lambda key: key[1:],
            )
            return [self._objects[key] for key in keys]

    def create(self, kind: Kind, item: Json, *, dry_run: bool = False) -> Json:
        """Store a new object under its metadata's name. ApiError 404 without its namespace, 409 when it exists.

        With `dry_run`, here and below, everything is checked and nothing is stored.
        """
        with self._lock:
            item = copy.deepcopy(item)
            metadata = item["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            if kind.namespaced:
                self.get(NAMESPACES, "", namespace)
            if (kind, namespace, name) in self._objects:
                raise ApiError(
                    409,
                    f'{_qualified(kind)} "{name}" already exists',
                    reason="AlreadyExists",
                    details={"name": name, "group": kind.group, "kind": kind.plural},
                )
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": stamp(self._clock())}
            if kind.generation:
                metadata["generation"] = 1
            return item if dry_run else self._write(kind, item, None)

    def update(self, kind: Kind, item: Json, *, dry_run: bool = False) -> Json:
        """Store a changed object. ApiError 409 when its resourceVersion is not the newest; same content: no write.

        The generation grows with the spec; that of a Deployment with its annotations too (as in Kubernetes, where
        the deployment controller's own revision annotation is the exception: see `update_status`).
        """
        with self._lock:
            former, item = self._former(kind, item)
            if kind.generation:
                counted = item.get("spec") != former.get("spec") or (
                    kind.name == "Deployment"
                    and item["metadata"].get("annotations") != former["metadata"].get("annotations")
                )
                item["metadata"]["generation"] = former["metadata"]["generation"] + counted
            return item if dry_run or item == former else self._write(kind, item, former)

    def update_status(self, kind: Kind, item: Json, *, dry_run: bool = False) -> Json:
        """Store a changed status or annotations without counting a generation."""
        with self._lock:
            former, item = self._former(kind, item)
            item["spec"] = copy.deepcopy(former.get("spec"))
            if item["spec"] is None:
                del item["spec"]
            if kind.generation:
                item["metadata"]["generation"] = former["metadata"]["generation"]
            return item if dry_run or item == former else self._write(kind, item, former)

    def _former(self, kind: Kind, item: Json) -> tuple[Json, Json]:
        item = copy.deepcopy(item)
        metadata = item["metadata"]
        former = self.get(kind, metadata.get("namespace", ""), metadata["name"])
        wanted = metadata.get("resourceVersion") or former["metadata"]["resourceVersion"]
        if wanted != former["metadata"]["resourceVersion"]:
            raise ApiError(
                409,
                f'Operation cannot be fulfilled on {_qualified(kind)} "{metadata["name"]}": the object has been '
                "modified; please apply your changes to the latest version and try again",
                details={"name": metadata["name"], "group": kind.group, "kind": kind.plural},
            )
        for field in ("uid", "creationTimestamp"):
            metadata[field] = former["metadata"][field]
        metadata["resourceVersion"] = wanted
        return former, item

    def delete(self, kind: Kind, namespace: str, name: str) -> Json:
        with self._lock:
            item = self.get(kind, namespace, name)
            del self._objects[kind, namespace, name]
            self._version += 1
            item["metadata"]["resourceVersion"] = str(self._version)
            self._record(Change(version=self._version, kind=kind, deleted=True, item=item, former=item))
            return copy.deepcopy(item)

    def _write(self, kind: Kind, item: Json, former: Json | None) -> Json:
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._objects[kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]] = item
        self._record(Change(version=self._version, kind=kind, deleted=False, item=item, former=former))
        return copy.deepcopy(item)

    def _record(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > _HISTORY:
            self._compacted = self._changes.popleft().version
        for listener in self._listeners:
            listener(change)

    def changes(self, kind: Kind, since: int) -> tuple[list[Change], int]:
        """What was written to a kind after version `since`, and the version now; ApiError 410 when compacted."""
        with self._lock:
            if since < self._compacted:
                raise ApiError(410, f"too old resource version: {since} ({self._compacted})")
            found = [change for change in self._changes if change.version > since and change.kind == kind]
            return found, self._version

    def compact(self) -> None:
        """Forget the history: every older resourceVersion is gone."""
        with self._lock:
            self._changes.clear()
            self._compacted = self._version

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` (quick, from any thread) after each write, until what is returned is called."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return stop


def _qualified(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural
