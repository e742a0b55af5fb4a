"""Takes tags of ours away that nothing needs any more: old candidates, and what was stable long ago.

Only tags are taken away, never what they point at: that is deleted by the registry's own policy for what has no
tag, if it has one, and until then a digest can still be pulled. And only tags that carry the mark of a registered
image, in its own repository. The last tag of a digest stays while a workload runs it, an open cascade speaks of it,
or that cannot be told. Every step may be repeated, and a round does a bounded amount of work.
"""

import logging
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from graph.reference import Reference
from groundswell.cascade.alertbook import AlertBook
from groundswell.cascade.ids import began
from groundswell.cascade.model import CANDIDATE, FORMER, image_mark
from groundswell.cascade.records import Records
from groundswell.clock import Clock
from groundswell.deploy.port import Deployer
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.registry.port import Registry, Tag

logger = logging.getLogger(__name__)

MOST = 1000
"""Tags that one round takes away."""
SECONDS = 240.0
"""After these a round begins nothing more: the functionTimeout of host.json is far."""

_CANDIDATE = re.compile(rf"{CANDIDATE}(?P<cascade>[0-9a-hjkmnp-tv-z]{{10}})-(?P<image>[0-9a-f]{{10}})-\d+")
_FORMER = re.compile(rf"{FORMER}(?P<image>[0-9a-f]{{10}})-[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What one round did.

    `kept` tags are old, but the last of a digest that is needed, or may be; `failed` counts the repositories that
    could not be cleaned; `more`: the next round has work.
    """

    tags: int = 0
    kept: int = 0
    failed: int = 0
    more: bool = False


class Cleanup:
    """A candidate keeps its tag for `keep` seconds after its cascade began; 0: then nothing is taken away at all.

    Of what was stable before, the last `formers` of each image keep theirs.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        catalog: Catalog,
        records: Records,
        deployer: Callable[[], Deployer],
        stock: AlertBook,
        keep: float,
        formers: int,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._catalog = catalog
        self._records = records
        self._deployer = deployer
        self._stock = stock
        self._keep = keep
        self._formers = formers
        self._clock = clock

    def run(self) -> Cleaned:
        """One round over the repositories of registered images, in another order each time."""
        cleaned, until = Cleaned(), self._clock() + SECONDS
        if not self._keep:
            return cleaned
        shared: dict[tuple[str, str], list[Registration]] = defaultdict(list)
        for image in self._catalog.registrations():
            shared[image.registry, image.repository].append(image)
        spoken_of = set(self._spoken_of())
        for images in random.sample(list(shared.values()), len(shared)):
            if cleaned.tags >= MOST or self._clock() >= until:
                break
            try:
                for taken in self._clean(images, spoken_of, most=MOST - cleaned.tags):
                    cleaned = replace(cleaned, tags=cleaned.tags + taken, kept=cleaned.kept + (not taken))
            except NotFoundError:
                continue  # nothing was ever pushed there
            except GroundswellError as exc:
                fields = {"registry": images[0].registry, "repository": images[0].repository, "why": str(exc)}
                logger.warning("repository not cleaned", extra=fields)
                cleaned = replace(cleaned, failed=cleaned.failed + 1)
        cleaned = replace(cleaned, more=cleaned.tags >= MOST or self._clock() >= until)
        logger.info("old tags taken away", extra=asdict(cleaned))
        return cleaned

    def _clean(self, images: Sequence[Registration], spoken_of: Collection[str], *, most: int) -> Iterator[bool]:
        """Take tags of the images' repository away; of each old one, whether it was."""
        registry, repository = images[0].registry, images[0].repository
        tags = self._registry.tagged(registry, repository)
        # Read after the tags: what was pushed for a cascade is there only after that was put on the list.
        under_way = set(self._records.open())
        old = set(self._old({image_mark(image.name) for image in images}, tags, under_way))
        others = {tag.digest for tag in tags if tag.name not in old}
        last = {tag.digest for tag in tags if tag.name in old} - others
        needed = self._needed(images, last, spoken_of) if last else set()
        taken = 0
        for tag in tags:
            if tag.name in old and taken < most:
                if tag.digest not in needed:
                    self._registry.untag(Reference(registry=registry, repository=repository, tag=tag.name))
                    taken += 1
                yield tag.digest not in needed

    def _old(self, marks: Collection[str], tags: Sequence[Tag], under_way: Collection[str]) -> Iterator[str]:
        """Names of tags of ours that have had their time. `tags` have the last changed first."""
        formers: Counter[str] = Counter()
        for tag in tags:
            if (found := _FORMER.fullmatch(tag.name)) and found["image"] in marks:
                formers[found["image"]] += 1
                if formers[found["image"]] > self._formers:
                    yield tag.name
            found = _CANDIDATE.fullmatch(tag.name)
            if found is None or found["image"] not in marks or found["cascade"] in under_way:
                continue
            if self._clock() - began(found["cascade"]) > self._keep:
                yield tag.name

    def _spoken_of(self) -> Iterator[str]:
        """Digests that open cascades may come back to, and those that ran when stock was taken, wherever."""
        yield from (known.digest for known, _ in self._stock.all() if known.workloads)
        for cascade in self._records.open():
            for state in self._records.rebuilds(cascade):
                yield from (state.candidate, state.previous, state.promoted)
                yield from (rollout.former.partition("@")[2] for rollout in state.rollouts)

    def _needed(self, images: Sequence[Registration], last: set[str], spoken_of: Collection[str]) -> set[str]:
        """Of digests that would lose their last tag, those that must not; all, when it cannot be told."""
        needed = last.intersection(spoken_of)
        for workload in {workload for image in images for workload in image.deployments}:
            try:
                _, _, digest = self._deployer().observe(workload).image.partition("@")
            except NotFoundError:
                continue  # nothing runs there
            except GroundswellError as exc:
                logger.warning("workload not seen", extra={"workload": str(workload), "why": str(exc)})
                return last
            if not digest:
                return last  # it runs what some tag pointed to when it began
            needed.add(digest)
        return needed & last
