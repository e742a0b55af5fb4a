"""The stages of a rebuild, as works of the engine: each looks at the outside, does one thing, says what happened.

A work may be run again after a crash at any point, so each looks before it acts, or acts under a name that makes
the second time harmless.
"""

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, replace

from graph.reference import Reference
from groundswell import printable
from groundswell.build.port import Builder, BuildRequest, Run
from groundswell.cascade.attesting import Attest
from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.deadlines import SCAN
from groundswell.cascade.engine import Work
from groundswell.cascade.events import (
    AlreadyBuilt,
    Disproved,
    Event,
    Promoted,
    Rebased,
    RunStarted,
    RunSucceeded,
    Scanned,
    StageFailed,
    TagMoved,
    Verified,
)
from groundswell.cascade.evidence import build_bases
from groundswell.cascade.gating import Gate, base_layers
from groundswell.cascade.model import Command, Kind, Outcome, Rebuild, former_tag
from groundswell.cascade.rebases import Rebases
from groundswell.cascade.repeats import Repeats
from groundswell.cascade.rolling import Rolling
from groundswell.clock import Clock
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration, from_json, to_json
from groundswell.registry.chain import prove, same_content
from groundswell.registry.port import Image, Registry
from groundswell.scan.port import NotYetError

logger = logging.getLogger(__name__)

_TAIL_LINES, _TAIL_CHARS = 6, 600
_LINEAGE_AGE = 60.0
"""Seconds for which the lineage is not asked for again, where it says only which image a tag belongs to."""


class Stages:
    def __init__(
        self,
        *,
        catalog: Catalog,
        bases: BaseBook,
        repeats: Repeats,
        rebases: Rebases,
        registry: Registry,
        builder: Builder,
        gate: Gate,
        attest: Attest,
        rolling: Rolling,
        keeps_former: bool,
        clock: Clock,
    ) -> None:
        self._catalog = catalog
        self._bases = bases
        self._repeats = repeats
        self._rebases = rebases
        self._registry = registry
        self._builder = builder
        self._gate = gate
        self._attest = attest
        self._rolling = rolling
        self._keeps_former = keeps_former
        self._clock = clock

    def works(self) -> dict[Kind, Work]:
        return {
            Kind.BUILD: self.build,
            Kind.OBSERVE: self.observe,
            Kind.CANCEL: self.cancel,
            Kind.VERIFY: self.verify,
            Kind.SCAN: self.scan,
            Kind.PROMOTE: self.promote,
            Kind.DEPLOY: self._rolling.deploy,
            Kind.WATCH: self._rolling.watch,
            Kind.BACK: self._rolling.back,
            Kind.BAKE: self._rolling.bake,
        }

    # build

    def build(self, _: Command, state: Rebuild) -> Event:
        """Start the run under a name of its own: started twice, it runs once. Or find that it need not be.

        Or rebase, which gives the same digest each time. What a person forced, and what has failed its proof once,
        is built.
        """
        image = self._catalog.registration(state.image)
        spec = to_json(image)
        built_on = {
            base: wait.digest if wait.outcome is Outcome.PROMOTED else "" for base, wait in state.waits.items()
        }
        look = self._repeats.look(image, state)
        if not state.forced and (good := self._repeats.before(image, look)):
            return AlreadyBuilt(
                at=self._clock(),
                digest=good.digest,
                by=good.cascade,
                built_on=built_on,
                spec=spec,
                inputs=look.kept(),
            )
        refused = ""
        if image.rebases and not (state.forced or state.no_cache):
            try:
                digest, made_of = self._rebases.rebase(image, state, look)
            except PermanentError as exc:
                refused = str(exc)
            else:
                onto = f"{image.runtime}@{look.at[image.runtime or '']}"
                return Rebased(
                    at=self._clock(), digest=digest, onto=onto, built_on=built_on, spec=spec, inputs=made_of
                )
        run = self._builder.start(
            BuildRequest(
                name=run_name(state),
                registry=image.registry,
                repository=image.repository,
                tag=state.candidate_tag,
                source=look.source,
                dockerfile=image.dockerfile,
                target=image.target,
                build_args=image.build_args,
                platform=image.platforms[0],
                no_cache=state.no_cache,
                pool=image.agent_pool,
                builder=image.builder,
            )
        )
        inputs = look.kept(run)
        return RunStarted(
            at=self._clock(), run=run.id, built_on=built_on, spec=spec, inputs=inputs, refused=refused
        )

    def observe(self, _: Command, state: Rebuild) -> Event | None:
        image = from_json(state.spec)
        run = self._builder.observe(image.registry, state.run)
        if not run.status.ended:
            return None
        self._forget(image, state)
        if run.status.value != "Succeeded":
            return StageFailed(at=self._clock(), reason=self._why(image, run))
        candidate = _reference(image, tag=state.candidate_tag)
        digest = self._registry.digest(candidate)
        if digest is None:
            raise TemporaryError(f"run {run.id} succeeded, but {candidate} is not in the registry yet")
        return RunSucceeded(at=self._clock(), digest=digest)

    def _forget(self, image: Registration, state: Rebuild) -> None:
        """The name has done its work; one that stays costs nothing but a place among the service's 800."""
        if image.builder is not None:
            return  # a pipeline keeps no names
        try:
            self._builder.forget(image.registry, run_name(state))
        except (PermanentError, TemporaryError) as exc:
            logger.warning("build name not forgotten", extra={"image": state.image, "why": str(exc)})

    def _why(self, image: Registration, run: Run) -> str:
        ended = f"run {run.id} ended as {run.status}"
        try:
            log = self._builder.log(image.registry, run.id)
        except (PermanentError, TemporaryError) as exc:
            return f"{ended}: {run.error} (its log cannot be read: {exc})"
        lines = [printable.line(line).strip() for line in log.splitlines()]
        tail = " | ".join([line for line in lines if line][-_TAIL_LINES:])[-_TAIL_CHARS:]
        return f"{ended}; its log ends: {tail}" if tail else f"{ended}: {run.error}"

    def cancel(self, command: Command, state: Rebuild) -> None:
        """Stop the run that the command names: the rebuild may have another by now."""
        registry = command.data.get("registry") or from_json(state.spec).registry
        self._builder.cancel(registry, command.data["run"])

    # verify

    def verify(self, _: Command, state: Rebuild) -> Event:
        """Prove the layers, then compare with what the stable tag points to."""
        image = from_json(state.spec)
        built = self._candidate(image, state)
        current = self._registry.image(image.references[0])
        base = self._runtime_base(image, state)
        proof: dict[str, object] = {"run": state.run, "digest": built.digest}
        if image.build:
            with self._catalog.lineage(age=_LINEAGE_AGE) as lineage:
                proof["build"] = list(build_bases(image, state, lineage.publisher))
        if base is not None:
            reference, content = base
            result = prove(built, content)
            proof |= {"base": reference, "base_digest": content.digest, "layers": asdict(result)}
            proof["base_layers"] = base_layers(built, content)
            if not result.proven:
                reason = f"not built on {reference}@{content.digest}: {'; '.join(result.reasons)}"
                return Disproved(at=self._clock(), proof=proof, reason=reason)
        unchanged = current is not None and same_content(built, current)
        previous = current.digest if current else ""
        if unchanged:
            self._repeats.note(image, replace(state, proof=proof), previous)
        return Verified(at=self._clock(), proof=proof, previous=previous, unchanged=unchanged)

    def _candidate(self, image: Registration, state: Rebuild) -> Image:
        reference = _reference(image, digest=state.candidate)
        built = self._registry.image(reference)
        if built is None:
            raise PermanentError(f"{reference} is no longer in the registry; replay from build")
        return built

    def _runtime_base(self, image: Registration, state: Rebuild) -> tuple[str, Image] | None:
        if image.runtime is None:
            return None
        named = Reference.parse(image.runtime)
        tagged = str(named.without_digest())
        with self._catalog.lineage(age=_LINEAGE_AGE) as lineage:
            publisher = lineage.publisher(tagged)
        # A push by hand may have come in too; then the rebuild of that very image moved the tag again.
        wait = state.waits.get(publisher or "") or state.waits.get(tagged)
        reference = named
        if named.digest is None and wait is not None and wait.digest:
            reference = named.with_digest(wait.digest)
        content = self._registry.image(reference)
        if content is None:
            raise PermanentError(f"the base {reference} is not in its registry, so nothing can be proven")
        return image.runtime, content

    # scan, promote

    def scan(self, _: Command, state: Rebuild) -> Event | None:
        """Judge the candidate once every report is there; None while one is awaited, but not for ever."""
        image = from_json(state.spec)
        try:
            verdict = self._gate.verdict(image, state)
        except NotYetError as exc:
            if self._clock() - state.updated_at > SCAN:
                raise PermanentError(f"no report after {SCAN / 60:.0f} min: {exc}") from exc
            return None
        return Scanned(
            at=self._clock(),
            passed=verdict.passed,
            verdict=verdict.to_json(),
            reason="" if verdict.passed else "; ".join(verdict.reasons),
        )

    def promote(self, _: Command, state: Rebuild) -> Event:
        """Stable tags to the candidate, unless they are there already; all that it rests on is attached before.

        What they pointed to gets a tag before they move, so that there is a way back. The bases' book is written
        then, so that our own push is known as ours. It holds what something stands on, or runs.
        """
        image = from_json(state.spec)
        if not state.verdict.get("passed") or state.verdict.get("digest") != state.candidate:
            raise PermanentError("the verdict is not a pass for this digest; replay from scan")
        now = self._registry.digest(image.references[0]) or ""
        if now not in (state.previous, state.candidate):
            return TagMoved(at=self._clock(), digest=now)
        self._attest.promotion(image, state)
        at = [now, *(self._registry.digest(reference) for reference in image.references[1:])]
        tags = tuple(tag for tag, digest in zip(image.tags, at, strict=True) if digest != state.candidate)
        if tags:
            self._keep({digest for digest in at if digest and digest != state.candidate}, image)
            names = [str(reference) for reference in image.references]
            with self._catalog.lineage(age=_LINEAGE_AGE) as lineage:
                bases = (
                    names if self._rolling.deploys(image) else [name for name in names if lineage.stood_on(name)]
                )
            self._bases.promoting(names, before=now, digest=state.candidate, cascade=state.cascade, bases=bases)
            # Looked at once more: a registry takes no condition with a tag, so what is left is one request wide.
            meanwhile = self._registry.digest(image.references[0]) or ""
            if meanwhile not in (now, state.candidate):
                return TagMoved(at=self._clock(), digest=meanwhile)
            self._registry.promote(_reference(image, digest=state.candidate), tags)
        # Before it is said to be promoted: a crash in between brings the command back, and both are done again.
        scans = self._gate.held(image.name, state.candidate)
        self._repeats.note(image, state, state.candidate, scans=scans)
        return Promoted(at=self._clock(), digest=state.candidate, deploys=self._rolling.deploys(image))

    def _keep(self, formers: Collection[str], image: Registration) -> None:
        """Tags of their own for what stable tags are about to leave."""
        for digest in sorted(formers) if self._keeps_former else ():
            with suppress(NotFoundError):  # gone by now: nothing is left to keep
                self._registry.promote(_reference(image, digest=digest), [former_tag(image.name, digest)])


def run_name(state: Rebuild) -> str:
    """The build's idempotency key: one per cascade, image and attempt."""
    return state.candidate_tag


def _reference(image: Registration, *, tag: str | None = None, digest: str | None = None) -> Reference:
    return Reference(registry=image.registry, repository=image.repository, tag=tag, digest=digest)
