"""The builds that follow a rebase, of images registered as `rebase-then-rebuild`.

Such a build waits until its cascade has ended, and until a slot is free that nobody else waits for. It is a replay
of the rebuild, forced so that nothing is rebased again, and with all that a replay does: it is in the audit trail,
the result is scanned, proven, promoted and rolled out, and what stands on it hears of it. A build leaves nothing
owed, whether it ends well or not, so this comes to an end.
"""

import logging
from collections.abc import Mapping

from groundswell.cascade.engine import Engine
from groundswell.cascade.model import Rebuild
from groundswell.cascade.operate import Operator
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import REBASE_THEN_REBUILD

logger = logging.getLogger(__name__)

WHO, WHY = "groundswell", "the build that follows its rebase"


class Owed:
    def __init__(self, *, engine: Engine, operator: Operator, catalog: Catalog) -> None:
        self._engine = engine
        self._operator = operator
        self._catalog = catalog

    def begin(self, states: Mapping[str, Rebuild]) -> bool:
        """Begin builds that a cascade which has ended owes, bases first; whether it owes any, begun or not.

        `states` are its rebuilds, by image.

        What another cascade has rebuilt, or is rebuilding, since then is not owed here any more.
        """
        owing = {image: state for image, state in states.items() if _owes(state) and self._wanted(state)}
        for image, state in sorted(owing.items()):
            if owing.keys().isdisjoint(state.waits) and self._engine.room(image):
                try:
                    self._operator.replay(state.cascade, image, stage=Stage.BUILD, force=True, who=WHO, why=WHY)
                except InputError as exc:  # somebody was faster this moment
                    fields = {"cascade": state.cascade, "image": image, "why": str(exc)}
                    logger.info("build not begun", extra=fields)
        return bool(owing)

    def _wanted(self, state: Rebuild) -> bool:
        """Whether it is to be built still: as it is registered now, and when no newer cascade has it."""
        try:
            wanted = self._catalog.registration(state.image).strategy == REBASE_THEN_REBUILD
        except NotFoundError:
            return False
        return wanted and self._engine.records.holders.of({state.image}, since=state.cascade) <= {state.cascade}


def _owes(state: Rebuild) -> bool:
    return state.status is Status.DONE and "rebased" in state.inputs
