"""Rebases in place of builds, where nothing but the runtime base is another than when the stable image was made.

The book of good builds tells what that was made of. What is refused here, or by the registry, is built: a rebase
saves a build, it decides nothing.
"""

from dataclasses import replace
from typing import Any

from graph.reference import Reference
from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.cascade.inputs import Inputs
from groundswell.cascade.model import Rebuild
from groundswell.cascade.repeats import Look
from groundswell.errors import PermanentError
from groundswell.lineage.model import Registration
from groundswell.registry.port import Registry


class Rebases:
    def __init__(self, *, registry: Registry, good: GoodBook) -> None:
        self._registry = registry
        self._good = good

    def rebase(self, image: Registration, state: Rebuild, look: Look) -> tuple[str, dict[str, Any]]:
        """Put what is stable now onto the base as it is now, under the candidate's tag.

        Returns the digest, and what it was made of. Raises PermanentError, with the reason, where only a build will
        do.
        """
        if look.inputs is None:
            raise PermanentError(look.why)
        if image.runtime is None:
            raise PermanentError("it stands on no base")
        stable = image.references[0]
        digest = self._registry.digest(stable)
        good = self._good.of(image.name, digest) if digest else None
        if digest is None or good is None or not good.base:
            raise PermanentError(f"what {stable} was built from is not known")
        if why := _another(good, look.inputs, image.runtime):
            raise PermanentError(why)
        base = Reference.parse(image.runtime).without_digest()
        at = look.at[image.runtime]
        if good.base == at:
            raise PermanentError(f"{stable} stands on {base}@{at} already")
        rebased = self._registry.rebase(
            stable.with_digest(digest),
            old=base.with_digest(good.base),
            new=base.with_digest(at),
            tag=state.candidate_tag,
        )
        return rebased, {**look.kept(), "rebased": {"image": digest, "base": good.base}}


def _another(good: Good, inputs: Inputs, runtime: str) -> str:
    """What else than the runtime base is another than it was; empty when nothing is."""
    if good.revision != inputs.revision:
        return f"its source moved from {good.revision} to {inputs.revision}"
    for base in sorted(inputs.bases.keys() | good.bases.keys()):
        if base not in good.bases or base not in inputs.bases:
            return f"its bases are others: {base} is there only {'now' if base in inputs.bases else 'before'}"
        if base != runtime and good.bases[base] != inputs.bases[base]:
            return f"the build needs {base}, which moved"
    as_it_was = replace(inputs, bases={**inputs.bases, runtime: good.bases[runtime]})
    return "" if as_it_was.key == good.key else "how it is built was registered anew"
