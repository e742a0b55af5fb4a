"""Where the flaws of an image that runs come from: its own layers, or which of the bases that we can build."""

import logging
from collections.abc import Callable, Collection

from graph.reference import Reference
from groundswell.cascade.alerts import Remedy, remedy
from groundswell.cascade.gating import base_layers
from groundswell.cascade.goodbook import GoodBook
from groundswell.errors import GroundswellError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.registry.chain import prove
from groundswell.registry.port import Image, Registry
from groundswell.scan.verdict import Verdict

logger = logging.getLogger(__name__)

type Judge = Callable[[Collection[str] | None], Verdict]
"""The verdict, blaming a base of these layers (None: not known)."""


class Remedies:
    def __init__(self, *, catalog: Catalog, registry: Registry, good: GoodBook) -> None:
        self._catalog = catalog
        self._registry = registry
        self._good = good

    def find(self, image: Registration, reference: Reference, judge: Judge) -> tuple[Verdict, Remedy]:
        """The verdict with its blame, and what may mend what it refuses.

        What cannot be read of the registry makes the blame less exact, never the verdict.
        """
        verdict = judge(None)
        if verdict.passed:
            return verdict, Remedy(image="", why="")
        base, moved_on = "", ""
        try:
            stable = self._registry.digest(image.references[0])
            moved_on = stable if stable and stable != reference.digest else ""
            built = self._registry.image(reference)
            if built is not None:
                verdict = judge(self._layers(image, built))
                base = self._lowest(image, built, judge)
        except GroundswellError as exc:
            logger.warning("flaws not blamed", extra={"image": image.name, "why": str(exc)})
        refused = [line for line in verdict.findings if line.refused]
        return verdict, remedy(refused, image=image.name, base=base, moved_on=moved_on)

    def _layers(self, image: Registration, built: Image) -> Collection[str] | None:
        """The layers of the base that it was built on; None when that is not known."""
        if image.runtime is None:
            return ()
        base = self._registry.image(Reference.parse(image.runtime))
        if base is not None and prove(built, base).proven:
            return base_layers(built, base)
        good = self._good.of(image.name, built.digest)
        if good is None or not good.base:
            return None
        older = self._registry.image(Reference.parse(image.runtime).without_digest().with_digest(good.base))
        return base_layers(built, older) if older else None

    def _lowest(self, image: Registration, built: Image, judge: Judge) -> str:
        """The lowest base of ours that a repairable flaw comes with.

        Only as far as each stands on the base as it is now: on a newer one it is put by its own build.
        """
        found = ""
        while image.runtime is not None:
            reference = Reference.parse(image.runtime)
            with self._catalog.lineage() as lineage:
                publisher = lineage.publisher(str(reference.without_digest()))
            base = self._registry.image(reference) if publisher and not reference.digest else None
            if publisher is None or base is None or not prove(built, base).proven:
                return found
            lines = judge(base_layers(built, base)).findings
            if not any(line.refused and line.fixed and line.blame in ("base", "both") for line in lines):
                return found
            found, image = publisher, self._catalog.registration(publisher)
            built = base
        return found
