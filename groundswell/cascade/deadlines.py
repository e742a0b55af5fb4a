"""How long a rebuild may stay in one state: nothing is waited for without an end. Pure.

Most things end long before (ACR Tasks gives a run an hour, a command has its tries). This is the backstop for what
never answers: a run that stays queued, a paused Deployment, an OnDelete strategy. A rebuild that waits for others
has no deadline: those it waits for have theirs.
"""

from collections.abc import Mapping

from groundswell.cascade.model import Rebuild
from groundswell.cascade.status import Status

_MINUTE, _HOUR = 60.0, 3600.0

DEADLINES: Mapping[Status, float] = {
    Status.READY: 24 * _HOUR,  # the line for a slot included: a day in it is for people to see
    Status.BUILDING: 2 * _HOUR,  # a run is given one hour, and may stand in the service's own line before
    Status.VERIFYING: 30 * _MINUTE,
    Status.SCANNING: _HOUR,
    Status.PROMOTING: 30 * _MINUTE,
    Status.DEPLOYING: 2 * _HOUR,
}
"""Seconds, by state."""

SCAN = 50 * _MINUTE
"""Seconds after which a scan whose report is not there yet is given up: before its state is, so as to say why."""

ROLLOUT = _HOUR
"""Seconds after which workloads that are still not healthy go back to what they ran."""


PROPOSED = 7 * 24 * _HOUR
"""Seconds that a rollout may take of which a part is a pull request: people may be away for a few days."""


def overdue(state: Rebuild, now: float) -> str:
    """Why the rebuild has been in its state for too long; empty while it has not."""
    limit = DEADLINES.get(state.status)
    if state.status is Status.DEPLOYING and any(
        one.get("pull_request") for one in state.spec.get("deployments", ())
    ):
        limit = PROPOSED
    moved_at = max((rollout.at for rollout in state.rollouts), default=0.0)  # one by one, it may take long in all
    if limit is None or now - max(state.updated_at, moved_at) < limit:
        return ""
    return f"still {state.status} after {limit / _HOUR:g} h: given up; see what holds it up, then replay"
