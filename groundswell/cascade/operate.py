"""What operators do to cascades: each with a name and a reason, each in the audit trail."""

from groundswell import audit
from groundswell.cascade.decide import decide
from groundswell.cascade.engine import Engine
from groundswell.cascade.model import Cancelled, Rebuild, Replayed, Stage
from groundswell.clock import Clock
from groundswell.errors import InputError
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import Documents


class Operator:
    def __init__(self, *, store: Documents, engine: Engine, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock

    def replay(self, cascade: str, image: str, *, stage: Stage, who: str, why: str) -> Rebuild:
        """Run a rebuild again from `stage`; what stands on it comes back by itself when it succeeds.

        Raises InputError when it cannot be replayed from there (the message says from where it can),
        NotFoundError when there is no such rebuild.
        """
        if not why.strip():
            raise InputError("a replay needs a reason: --reason TEXT")
        records = self._engine.records
        records.rebuild(cascade, image)  # a mistyped id on the open list would be waited for by all that follow
        for other in records.open():
            if other != cascade and any(
                state.image == image and not state.status.settled for state in records.rebuilds(other)
            ):
                raise InputError(f"{image} is being rebuilt by cascade {other}: wait for it, or replay it there")
        for attempt in retry_conflicts():
            with attempt:
                records.enlist(cascade)
        return self._apply(cascade, image, "replay", Replayed(at=self._clock(), stage=stage, who=who, why=why))

    def cancel(self, cascade: str, image: str, *, who: str, why: str) -> Rebuild:
        """Stop a rebuild that has not promoted anything; what stands on it is blocked."""
        if not why.strip():
            raise InputError("cancelling needs a reason")
        return self._apply(cascade, image, "cancel", Cancelled(at=self._clock(), who=who, why=why))

    def _apply(self, cascade: str, image: str, action: str, event: Replayed | Cancelled) -> Rebuild:
        """Audit first, with what the rules say will follow: nothing a person does can go unrecorded."""
        before = self._engine.records.rebuild(cascade, image).value
        after = decide(before, event)[0]
        audit.record(
            self._store,
            at=event.at,
            who=event.who,
            action=action,
            subject=f"{cascade}/{image}",
            why=event.why,
            before={"status": before.status.value, "reason": before.reason},
            after={"status": after.status.value, "reason": after.reason},
        )
        return self._engine.advance(cascade, image, event)
