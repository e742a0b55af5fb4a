"""A candidate of ours arrived in its registry: the run that built it is about to end, so it is looked at."""

from groundswell.cascade.engine import Engine
from groundswell.cascade.model import CANDIDATE, FORMER, candidate_mark


def seen(engine: Engine, tag: str) -> bool:
    """Wake the rebuild that builds the candidate `tag`. False when none does: it has ended, or is not ours."""
    if not tag.startswith(CANDIDATE) or tag.startswith(FORMER):
        return False
    for anew in (False, True):
        for entry in engine.building(anew=anew):
            if tag.startswith(candidate_mark(entry.cascade, entry.image)):
                return engine.look(entry.cascade, entry.image, tag)
    return False
