"""Never twice for the same reason: what a build would be made of, and whether just that was built and good before.

When anything is in doubt (a revision or a base that cannot be read, a base that is not where its rebuild put it)
there is no key, and the image is built.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from graph.reference import Reference
from groundswell.build.port import Run, Source
from groundswell.build.revision import Revisions
from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.cascade.inputs import Inputs, inputs, unknown, used
from groundswell.cascade.model import Outcome, Rebuild
from groundswell.clock import Clock
from groundswell.errors import GroundswellError, PermanentError
from groundswell.lineage.model import REBASE, Registration
from groundswell.registry.port import Registry
from groundswell.store.port import Put

logger = logging.getLogger(__name__)

_KEPT = 4096
"""Bases, by digest and platforms, whose manifests are not read again by this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen before a build: the source to build from, at the commit that was read, and the inputs.

    `at` is where the tag of each base led, as the Dockerfile names it (of an index: its own digest).
    `inputs` is None when they are not known for certain; `why` then says what is not.
    """

    source: Source
    at: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs | None = None
    why: str = ""

    def kept(self, run: Run | None = None) -> dict[str, Any]:
        """What is kept with a rebuild, which `run` builds."""
        if self.inputs is None:
            return unknown(self.why)
        if run is not None and run.resumed:
            return unknown(f"run {run.id} was started before, maybe from others")
        return self.inputs.to_json()


class Repeats:
    def __init__(self, *, revisions: Revisions, registry: Registry, good: GoodBook, clock: Clock) -> None:
        self._revisions = revisions
        self._registry = registry
        self._good = good
        self._clock = clock
        self._used = lru_cache(_KEPT)(self._read)

    def look(self, image: Registration, state: Rebuild) -> Look:
        """Read what a build of `image` would be made of now."""
        try:
            revision = self._revisions.revision(image.source)
        except GroundswellError as exc:
            return self._doubt(image, image.source, f"the revision of its source is not known: {exc}")
        source = replace(image.source, ref=revision) if image.source.is_git else image.source
        try:
            at = dict(self._digests(_bases(image)))
            moved = sorted(set(_promised(state)) - set(at.values()))
            if moved:
                return self._doubt(image, source, f"no base is at {', '.join(moved)} any more, or yet")
            bases = {base: self._manifests(base, digest, image.platforms) for base, digest in at.items()}
        except GroundswellError as exc:
            return self._doubt(image, source, f"a base could not be read: {exc}")
        return Look(source=source, at=at, inputs=inputs(image, revision=revision, bases=bases))

    def before(self, image: Registration, look: Look) -> Good | None:
        """The build of the same inputs that is good and still under the image's stable tag.

        A rebase counts as one for an image that is to be rebased and no more.
        """
        good = self._good.get(image.name, look.inputs.key) if look.inputs else None
        if good is None or (good.rebased and image.strategy != REBASE):
            return None
        if self._registry.digest(image.references[0]) != good.digest:
            return None
        return good

    def note(self, image: Registration, state: Rebuild, digest: str, *, scans: Sequence[Put] = ()) -> None:
        """`digest` is what the rebuild's inputs give, and it is good; `scans` are kept in the same write."""
        good = None
        if (key := state.inputs.get("key")) and self._stood(image, state):
            good = Good(
                key=key,
                digest=digest,
                cascade=state.cascade,
                at=self._clock(),
                revision=state.inputs["revision"],
                bases=state.inputs["bases"],
                base=state.proof.get("base_digest", ""),
                rebased="rebased" in state.inputs,
            )
        if good or scans:
            self._good.note(state.image, good, scans)

    def _stood(self, image: Registration, state: Rebuild) -> bool:
        """Whether its build bases are what they were: else the run may have pulled others than those read.

        Of the runtime base the layers are proof.
        """
        try:
            now = {base: self._manifests(base, at, image.platforms) for base, at in self._digests(image.build)}
        except GroundswellError as exc:
            logger.warning("build not kept as good", extra={"image": image.name, "why": str(exc)})
            return False
        return all(state.inputs["bases"].get(base) == digest for base, digest in now.items())

    def _digests(self, bases: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Each base as the Dockerfile names it, with what its tag points to now, or its pin."""
        for base in bases:
            reference = Reference.parse(base)
            digest = reference.digest or self._registry.digest(reference)
            if digest is None:
                raise PermanentError(f"{base} is not in its registry")
            yield base, digest

    def _manifests(self, base: str, digest: str, platforms: tuple[str, ...]) -> str:
        return digest if Reference.parse(base).digest else self._used(base, digest, platforms)

    def _read(self, base: str, digest: str, platforms: tuple[str, ...]) -> str:
        reference = Reference.parse(base).with_digest(digest)
        found = self._registry.image(reference)
        if found is None:
            raise PermanentError(f"{reference} is not in its registry")
        return used(found, platforms)

    def _doubt(self, image: Registration, source: Source, why: str) -> Look:
        logger.info("no key for a build", extra={"image": image.name, "why": why})
        return Look(source=source, why=why)


def _bases(image: Registration) -> dict[str, None]:
    """Of both kinds of edges, each once."""
    return dict.fromkeys((*((image.runtime,) if image.runtime else ()), *image.build))


def _promised(state: Rebuild) -> Iterator[str]:
    """The digests at which the bases in its cascade were promoted."""
    for wait in state.waits.values():
        if wait.outcome is Outcome.PROMOTED and wait.digest:
            yield wait.digest
