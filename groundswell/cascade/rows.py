"""What people are shown of a cascade, from its records. Pure."""

from collections.abc import Sequence

from groundswell.cascade.holds import marked
from groundswell.cascade.model import Rebuild
from groundswell.cascade.status import Status
from groundswell.cascade.view import Row, in_order


def rows(rebuilds: Sequence[Rebuild], *, now: float) -> tuple[Row, ...]:
    """A row per rebuild, in the order in which they began; those that have not begun come last."""
    return in_order(_row(state, now) for state in rebuilds)


def _row(state: Rebuild, now: float) -> Row:
    began = _began(state)
    end = state.updated_at if state.status.settled else now
    return Row(
        image=state.image,
        status=state.status.value,
        stage=state.failed_stage.value if state.status is Status.FAILED and state.failed_stage else None,
        why="; ".join(filter(None, (state.reason, marked(state)))),
        attempt=state.attempt,
        seconds=None if began is None else round(end - began, 1),
        old=state.previous,
        new=state.previous if state.status is Status.UNCHANGED else state.promoted or state.candidate,
        run=state.run,
        inputs=state.inputs,
        began_at=began,
        updated_at=state.updated_at,
    )


def _began(state: Rebuild) -> float | None:
    """When this attempt's build began."""
    moments = [moment.at for moment in state.history if moment.status is Status.BUILDING]
    return moments[-1] if moments else None
