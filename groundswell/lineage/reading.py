"""Reads many images of one registry, several at a time: retries what may pass, notes what cannot be read.

So many passing failures in a row that the registry itself must be away end the reading with that error.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from graph.findings import Known
from graph.reference import Reference
from groundswell.errors import GroundswellError, NotFoundError, TemporaryError
from groundswell.lineage.claims import known
from groundswell.registry.port import NotAnImageError, Registry, Tag

WORKERS = 8

_ATTEMPTS = 4
_LONGEST_WAIT = 60.0
_IN_A_ROW = 2 * WORKERS

type Progress = Callable[[str, int, int], None]
"""What is being read, how many of them are done, how many there are."""


def silent(_what: str, _done: int, _total: int) -> None:
    """No progress to be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What could not be read, and the error."""

    subject: str
    error: GroundswellError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An image to read: `reference` by digest, or by a tag; `tags` are all the tags that point at it, canonical."""

    reference: Reference
    tags: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.tags[0] if self.tags else str(self.reference)


class Reader:
    """Reads from the registry `host`; `unreadable` grows meanwhile."""

    def __init__(
        self,
        registry: Registry,
        host: str,
        *,
        progress: Progress = silent,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._registry = registry
        self._host = host
        self._progress = progress
        self._sleep = sleep
        self.unreadable: list[Unreadable] = []

    def repositories(self) -> tuple[str, ...]:
        """The registry's repositories. Its errors are raised: without them there is nothing to read."""
        return self._ask(partial(self._registry.repositories, self._host))

    def tags(self, repositories: Collection[str]) -> Iterator[tuple[str, tuple[Tag, ...]]]:
        """Every repository with its tags, the last changed first."""

        def one(repository: str) -> tuple[Tag, ...]:
            return self._ask(partial(self._registry.tagged, self._host, repository))

        return self._each("repositories", one, repositories)

    def untagged(self, repositories: Collection[str], limit: int) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every repository with the digests of its newest manifests without a tag."""

        def one(repository: str) -> tuple[str, ...]:
            return self._ask(partial(self._registry.untagged, self._host, repository, limit))

        return self._each("old manifests", one, repositories)

    def images(self, wanted: Collection[Wanted]) -> Iterator[tuple[Wanted, Known | None]]:
        """Every image that can be read, None for what is no image."""
        return self._each("images", self._image, wanted)

    def bases(self, wanted: Collection[Wanted]) -> Iterator[Known]:
        """The images that are there; something may name what no registry ever had."""

        def one(base: Wanted) -> Known | None:
            try:
                return self._image(base)
            except NotFoundError:
                return None

        for _, base in self._each("bases", one, wanted):
            if base:
                yield base

    def _image(self, wanted: Wanted) -> Known | None:
        try:
            image = self._ask(partial(self._registry.image, wanted.reference))
        except NotAnImageError:
            return None
        if image is None:
            raise NotFoundError(f"{wanted.reference} is not in the registry; it may have been deleted meanwhile")
        if not image.platforms:  # an index of signatures or the like
            return None
        statements: list[Mapping[str, Any]] = []
        for digest in image.attestations:
            attestation = wanted.reference.with_digest(digest)
            try:
                statements += self._ask(partial(self._registry.provenance, attestation))
            except GroundswellError as exc:
                self.unreadable.append(Unreadable(subject=f"{wanted}, its provenance", error=exc))
        return known(image, name=wanted.reference.name, references=wanted.tags, statements=statements)

    def _ask[R](self, call: Callable[[], R]) -> R:
        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryError),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=_asked_for,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(call)

    def _each[T, R](self, what: str, call: Callable[[T], R], items: Collection[T]) -> Iterator[tuple[T, R]]:
        """The items that could be read with what was read, in their order."""
        outage = _Outage()

        def attempt(item: T) -> R | GroundswellError:
            outage.check()
            try:
                result = call(item)
            except GroundswellError as exc:
                outage.note(exc)
                return exc
            outage.note(None)
            return result

        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="discover")
        try:
            for done, (item, result) in enumerate(zip(items, pool.map(attempt, items), strict=True), 1):
                outage.check()
                self._progress(what, done, len(items))
                if isinstance(result, GroundswellError):
                    self.unreadable.append(Unreadable(subject=_label(self._host, item), error=result))
                else:
                    yield item, result
        finally:
            pool.shutdown(cancel_futures=True)


class _Outage:
    """Counts the failures that might pass, one after the other and over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0
        self._error: TemporaryError | None = None

    def note(self, error: GroundswellError | None) -> None:
        """How one request ended."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if isinstance(error, TemporaryError) else 0
            if self._in_a_row == _IN_A_ROW and isinstance(error, TemporaryError):
                self._error = error

    def check(self) -> None:
        """Raises the last error once there were too many."""
        if self._error:
            raise self._error


def _asked_for(state: RetryCallState) -> float:
    """The delay that the registry asked for."""
    error = state.outcome.exception() if state.outcome else None
    return min(error.delay, _LONGEST_WAIT) if isinstance(error, TemporaryError) else 0.0


def _label(host: str, item: object) -> str:
    return str(item) if isinstance(item, Wanted) else f"{host}/{item}"
