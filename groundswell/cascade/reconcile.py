"""Reads every base's digest back: what moved without a webhook reaching us becomes a push all the same.

Ours and everybody's: a registry out there tells nobody, so for its bases this is how a push is seen at all. Many
are asked at once; a registry that is away, or asked for a pause, is left alone for the rest of the round.
"""

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from graph.lineage import tagged, watched
from graph.reference import Reference
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.push import Push, queue
from groundswell.clock import Clock
from groundswell.errors import InputError, PermanentError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.registry.port import NotAllowedError, PausedError, Registry
from groundswell.store.port import Queues

logger = logging.getLogger(__name__)

SOURCE = "reconcile"
THREADS = 10
"""Asked at once: as many connections as the SDKs' transport keeps to one host."""
STRIKES = 3
"""Failures after which a registry is not asked again in the same round."""


class Reconcile:
    def __init__(
        self, *, queues: Queues, catalog: Catalog, bases: BaseBook, registry: Registry, clock: Clock
    ) -> None:
        self._clock = clock
        self._queues = queues
        self._catalog = catalog
        self._bases = bases
        self._registry = registry
        self._told: set[str] = set()

    def bases(self) -> None:
        """One round: read every base back, and queue a push of each that moved."""
        with self._catalog.lineage() as lineage:
            names = lineage.bases()
        book = self._bases.all()
        reading = _Round(self._registry, self._told)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="reconcile") as threads:
            for name, digest in zip(names, threads.map(reading.digest, names), strict=True):
                if digest is not None and not self._is(book.get(name), digest):
                    self._moved(name, digest)

    def _is(self, known: Base | None, digest: str) -> bool:
        return known is not None and known.planned and known.knows(digest, self._clock())

    def _moved(self, name: str, digest: str) -> None:
        known = self._bases.get(name)  # as it is now: the round takes a while
        if known is None:
            self._bases.note(name, digest=digest)  # first sight of it: nothing to compare with
        elif not self._is(known, digest):
            logger.warning("a push was missed", extra={"base": name, "digest": digest})
            reference = Reference.parse(name)
            push = Push(
                id=f"reconcile-{digest[-12:]}",
                registry=reference.registry,
                repository=reference.repository,
                tag=reference.tag or "",
                digest=digest,
                source=SOURCE,
            )
            queue(self._queues, push)


class _Round:
    """One round's reading, from many threads. `told` are the registries that may not be asked, told already."""

    def __init__(self, registry: Registry, told: set[str]) -> None:
        self._registry = registry
        self._told = told
        self._strikes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def digest(self, name: str) -> str | None:
        """The base's digest; None where there is none, or it cannot be read in this round."""
        reference = Reference.parse(name)
        host = reference.registry
        with self._lock:
            if self._strikes[host] >= STRIKES:
                return None
        try:
            return self._registry.digest(reference)
        except NotAllowedError as exc:
            with self._lock:
                first = host not in self._told
                self._told.add(host)
                self._strikes[host] = STRIKES
            if first:
                logger.warning("registry not asked", extra={"registry": host, "why": str(exc)})
        except PausedError:  # the adapter has told of the pause
            with self._lock:
                self._strikes[host] = STRIKES
        except TemporaryError as exc:
            with self._lock:
                self._strikes[host] += 1
                last = self._strikes[host] == STRIKES
            logger.warning("base not read", extra={"base": name, "why": str(exc), "left_alone": last})
        except PermanentError as exc:
            logger.warning("base not read", extra={"base": name, "why": str(exc)})
        return None


def seed(bases: BaseBook, catalog: Catalog, registry: Registry, images: Iterable[str]) -> list[str]:
    """Enter the digests that the bases of these images have now, where the book knows none.

    Done at registration, so that the next push is compared with something. Returns what could not be read.
    """
    failed = []
    with catalog.lineage() as lineage:
        named = {watched(edge.base) for image in images for edge in lineage.edges(image)}
    for name in sorted(filter(tagged, named)):
        reference = Reference.parse(name)
        if bases.get(name) is not None:
            continue
        try:
            digest = registry.digest(reference)
        except (TemporaryError, PermanentError, InputError) as exc:
            failed.append(f"{name}: {exc}")
            continue
        if digest is not None:
            bases.note(name, digest=digest)
    return failed
