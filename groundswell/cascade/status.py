"""How far a rebuild is: its status, and the stage that work is done for. Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """What a rebuild goes through, in order; also where a replay may start and what a failure is filed under."""

    BUILD = "build"
    VERIFY = "verify"
    SCAN = "scan"
    PROMOTE = "promote"
    DEPLOY = "deploy"


class Status(StrEnum):
    WAITING = "waiting"  # for bases in this cascade
    READY = "ready"  # for a build slot
    BUILDING = "building"
    VERIFYING = "verifying"
    SCANNING = "scanning"
    PROMOTING = "promoting"
    DEPLOYING = "deploying"
    DONE = "done"
    UNCHANGED = "unchanged"  # the new image is the old one
    FAILED = "failed"  # at `failed_stage`, because of `reason`
    REJECTED = "rejected"  # by the gate, see `verdict`
    BLOCKED = "blocked"  # an ancestor failed or was rejected; comes back by itself
    HELD = "held"  # by a person, for an approval, by a freeze: see `holds`; goes on with `held_at`
    SUPERSEDED = "superseded"  # by a newer cascade
    CANCELLED = "cancelled"

    @property
    def settled(self) -> bool:
        """Nothing more happens by itself. A cascade has ended when all its rebuilds are settled."""
        return self in _SETTLED


_SETTLED = frozenset(
    {
        Status.DONE,
        Status.UNCHANGED,
        Status.FAILED,
        Status.REJECTED,
        Status.BLOCKED,
        Status.SUPERSEDED,
        Status.CANCELLED,
    }
)

ACTIVE_STAGE: Mapping[Status, Stage] = {
    Status.READY: Stage.BUILD,
    Status.BUILDING: Stage.BUILD,
    Status.VERIFYING: Stage.VERIFY,
    Status.SCANNING: Stage.SCAN,
    Status.PROMOTING: Stage.PROMOTE,
    Status.DEPLOYING: Stage.DEPLOY,
}
"""The stage that work is being done for, by status."""
