"""One round of the sweep over held rollouts: a freeze that is over lets them go on by itself."""

import logging
from functools import cached_property

from groundswell.cascade.engine import Engine
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.freezes import Freeze
from groundswell.cascade.holds import frozen
from groundswell.cascade.model import FreezeSeen, Hold, Rebuild, Stage, Status
from groundswell.errors import PermanentError
from groundswell.lineage.model import from_json

logger = logging.getLogger(__name__)


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
        """Tell a rebuild whose rollout is held how its environments are now, if that is news to it."""
        if state.status is not Status.HELD or state.held_at is not Stage.DEPLOY or self._rules is None:
            return
        environments = from_json(state.spec).environments
        if environments not in self._told:
            self._told[environments] = frozen(environments, self._rules, self._at)
        why = self._told[environments]
        if why != state.holds.get(Hold.FREEZE, ""):
            self._engine.advance(state.cascade, state.image, FreezeSeen(at=self._at, why=why))
