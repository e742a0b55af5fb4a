"""Watches: the changes of a kind as a stream of JSON lines, from a resourceVersion on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import Kind
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.store import Change, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watch wants to hear of. `since` of None begins with what is there now, as ADDED."""

    kind: Kind
    matches: Callable[[Json], bool]
    since: int | None
    seconds: float
    bookmarks: bool


class Watches:
    """All open watches; made on the loop's thread."""

    def __init__(self, store: Store, bookmark_seconds: float) -> None:
        self._store = store
        self._bookmark_seconds = bookmark_seconds
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream."""
        self._closing.set()

    async def stream(self, watched: Watched) -> AsyncIterator[bytes]:
        """Lines until the time is over or the server closes."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        end = loop.time() + watched.seconds

        def wake(_: Change) -> None:
            loop.call_soon_threadsafe(changed.set)

        stop = self._store.listen(wake)
        closing = asyncio.create_task(self._closing.wait())
        bookmark = loop.time() + self._bookmark_seconds
        try:
            since, known = self._beginning(watched)
            for item in known:
                yield _line("ADDED", item)
            while not self._closing.is_set():
                changed.clear()
                try:
                    changes, since = self._store.changes(watched.kind, since)
                except ApiError as exc:
                    yield _line("ERROR", exc.document())
                    return
                for change in changes:
                    if line := _told(change, watched.matches):
                        yield line
                now = loop.time()
                if now >= bookmark or now >= end:
                    bookmark = now + self._bookmark_seconds
                    if watched.bookmarks:
                        yield _line("BOOKMARK", _bookmark(watched.kind, since))
                if now >= end:
                    return
                waiting = asyncio.create_task(changed.wait())
                await asyncio.wait(
                    (waiting, closing),
                    timeout=max(min(end, bookmark) - now, 0),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                waiting.cancel()
        finally:
            closing.cancel()
            stop()

    def _beginning(self, watched: Watched) -> tuple[int, list[Json]]:
        if watched.since is not None:
            return watched.since, []
        with self._store.lock:
            return self._store.version, [item for item in self._store.items(watched.kind) if watched.matches(item)]


def _told(change: Change, matches: Callable[[Json], bool]) -> bytes:
    """A change as the watcher sees it: what leaves its selection is deleted for it, what enters is added."""
    before = change.former is not None and matches(change.former)
    after = not change.deleted and matches(change.item)
    if after:
        return _line("MODIFIED" if before else "ADDED", change.item)
    return _line("DELETED", change.item) if before else b""


def _bookmark(kind: Kind, version: int) -> Json:
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"resourceVersion": str(version)}}


def _line(event: str, item: Json) -> bytes:
    return json.dumps({"type": event, "object": item}).encode() + b"\n"
