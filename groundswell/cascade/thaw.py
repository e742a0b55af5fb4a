"""One round of the sweep over held rollouts: they go on when a freeze ends, or give way to a newer image."""

import logging
from functools import cached_property

from groundswell.cascade.engine import Engine
from groundswell.cascade.events import FreezeSeen, Nudged, Outdated
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.freezes import Freeze
from groundswell.cascade.holds import frozen
from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.rings import baking, under_way
from groundswell.cascade.status import Stage, Status
from groundswell.errors import NotFoundError, PermanentError
from groundswell.lineage.model import from_json

logger = logging.getLogger(__name__)

_LATE = 900.0
"""Seconds after the end of a bake after which the look at it is taken for lost."""


class Thaw:
    """The rules are read once, when the first held rollout is met."""

    def __init__(self, *, engine: Engine, freezes: FreezeBook, at: float) -> None:
        self._engine = engine
        self._freezes = freezes
        self._at = at
        self._told: dict[frozenset[str], str] = {}

    @cached_property
    def _rules(self) -> tuple[Freeze, ...] | None:
        try:
            return self._freezes.rules()
        except PermanentError as exc:
            logger.error("freezes not understood; what is held stays held", extra={"why": str(exc)})  # noqa: TRY400  # the message says it all
            return None

    def look(self, state: Rebuild) -> None:
        """Tell a rebuild whose rollout is held what is news to it: a newer image, how its environments are now."""
        if state.status is not Status.HELD or state.held_at is not Stage.DEPLOY:
            return
        if later := self._later(state):
            reason = f"cascade {later} promoted a newer image while its rollout was held"
            self._engine.advance(state.cascade, state.image, Outdated(at=self._at, reason=reason))
            return
        if baking(state) and self._at - state.baked_at > _LATE:
            logger.warning("bake nudged", extra={"cascade": state.cascade, "image": state.image})
            self._engine.advance(state.cascade, state.image, Nudged(at=self._at))
        if self._rules is None:
            return
        environments = self._environments(state)
        if environments not in self._told:
            self._told[environments] = frozen(environments, self._rules, self._at)
        why = self._told[environments]
        if why != state.holds.get(Hold.FREEZE, ""):
            self._engine.advance(state.cascade, state.image, FreezeSeen(at=self._at, why=why))

    @staticmethod
    def _environments(state: Rebuild) -> frozenset[str]:
        """Of the ring that is held; of one that was never planned, all of the image's."""
        ring = under_way(state)
        return frozenset(ring.environments) if ring else from_json(state.spec).environments

    def _later(self, state: Rebuild) -> str:
        """The cascade that promoted a newer one of this image, of those that followed this one."""
        for cascade in (cascade for cascade, _ in state.dependants if cascade != state.cascade):
            try:
                later = self._engine.records.rebuild(cascade, state.image).value
            except NotFoundError:
                continue
            if later.promoted not in ("", state.promoted):
                return cascade
        return ""
