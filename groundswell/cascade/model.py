"""The words of a cascade: a rebuild's state, and what it asks to be done.

Everything here is a value. `events.py` has what can happen, `decide.py` the rules, the engine the doing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from groundswell.cascade.status import Stage, Status


class Outcome(StrEnum):
    """What a rebuild means to those that stand on it."""

    PENDING = "pending"
    PROMOTED = "promoted"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class Hold(StrEnum):
    """What holds a rebuild. It goes on when none of them does any more."""

    PERSON = "person"  # until somebody releases it
    APPROVAL = "approval"  # its registration asks for one before its rollout
    FREEZE = "freeze"  # an environment that it would be rolled out to; ends by itself
    BAKE = "bake"  # the ring before has to stay healthy for a while; ends by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What is known of one base: `turn` orders the news of it, `cause` names the image at fault."""

    outcome: Outcome
    digest: str = ""
    turn: int = -1
    cause: str = ""


class Kind(StrEnum):
    """Commands: work to be done for a rebuild. Each is idempotent."""

    ADMIT = "admit"  # queue for a build slot
    RELEASE = "release"  # give the slot back
    BUILD = "build"  # start the run
    OBSERVE = "observe"  # look at the run
    CANCEL = "cancel"  # stop the run that `data` names
    VERIFY = "verify"
    SCAN = "scan"
    PROMOTE = "promote"
    DEPLOY = "deploy"  # note what runs now
    WATCH = "watch"  # patch and watch the rollouts of the ring
    BACK = "back"  # move the ring's workloads back to what they ran, and watch that
    BAKE = "bake"  # look whether the last ring is healthy still, and its bake over
    NEWS = "news"  # tell dependants


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One outgoing message.

    `turn` is the number of the decision that asked for it; a command whose turn is no longer the rebuild's own is
    stale and is dropped. (NEWS goes to other rebuilds, `images`, and carries its own turn in `data`.)
    """

    kind: Kind
    cascade: str
    image: str
    turn: int
    delay: float = 0.0
    tries: int = 0
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> tuple[str, ...]:
        """The rebuilds that it is for: NEWS goes to several of one cascade at once."""
        return tuple(self.data.get("images", (self.image,)))


class Move(StrEnum):
    """How far a workload's rollout is."""

    PLANNED = "planned"
    MOVED = "moved"  # patched, and not healthy yet
    HEALTHY = "healthy"
    DRIFTED = "drifted"  # a person had changed it: left alone
    SKIPPED = "skipped"  # a person has paused it: left alone
    TAKEN = "taken"  # a person changed it after it was moved: left alone, and its ring has failed
    BAD = "bad"  # it did not become healthy, or did not stay so
    RETURNING = "returning"  # put back, and not healthy yet
    RETURNED = "returned"
    STUCK = "stuck"  # it could not be put back, or is not healthy there either


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One workload to move. `former` is what it goes back to, `at` since when it is as `move` says.

    `ring` is the name of its ring. Of a record that does not say more, the rollout is planned.
    """

    workload: str
    former: str
    image: str
    ring: str = ""
    move: Move = Move.PLANNED
    at: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Workloads that are rolled out together; the next ring waits until they have been healthy for `bake` seconds.

    `name` is empty when there is but one. `approval` says that a person must agree before it is begun.
    """

    name: str
    workloads: tuple[str, ...]
    environments: tuple[str, ...]
    bake: float = 0.0
    approval: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of a rebuild's history. `at` is seconds since the epoch."""

    status: Status
    at: float
    reason: str = ""


CANDIDATE = "gs-"
"""What the tags of candidates begin with, and no stable tag may."""


FORMER = f"{CANDIDATE}former-"
"""What the tags begin with that keep what was stable before."""


POISONED = "it failed again and again; see the log, then replay"
"""How the reason ends of a rebuild that failed because its message could not be handled by any delivery."""


def image_mark(image: str) -> str:
    """Stands for an image in tags of ours: several images may share a repository."""
    return hashlib.sha256(image.encode()).hexdigest()[:10]


def candidate_mark(cascade: str, image: str) -> str:
    """What the tags of an image's candidates begin with in one cascade."""
    return f"{CANDIDATE}{cascade}-{image_mark(image)}-"


def former_tag(image: str, digest: str) -> str:
    """The tag that keeps what was stable before: untagged, a registry may delete it."""
    return f"{FORMER}{image_mark(image)}-{digest.partition(':')[2][:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One image inside one cascade.

    `waits` holds each base in this cascade (by image name), the pushed base itself (by reference), and a rebuild of
    an older cascade that this one follows (`CASCADE/IMAGE`). `built_on` is what the waits said when the build
    started. `dependants` are (cascade, image) pairs.
    An `urgent` one gets its build slot before others, a `forced` one is built even if the same was built before.
    `inputs` are what it is built from, with their key (`inputs.py`), or say why they are not known; `rebased` among
    them what it was rebased from, in place of a build.
    `holds` says what holds it, or will at its next checkpoint, and why; `held_at` is the stage it goes on with (it
    stays when it is stopped while held); `passes` are the approvals given for this attempt and ring.
    `rings` are those of its rollout, as planned when that began, `ring` the number of the one under way, or held;
    `baked_at` is when the bake of the one before is over, `back` why the ring is being rolled back.
    `trace` is the trace context of its cascade, empty when none is kept.
    """

    cascade: str
    image: str
    status: Status
    waits: Mapping[str, Wait]
    dependants: tuple[tuple[str, str], ...] = ()
    priority: float = 0.0
    urgent: bool = False
    forced: bool = False
    attempt: int = 0
    turn: int = 0
    reason: str = ""
    failed_stage: Stage | None = None
    no_cache: bool = False
    run: str = ""
    built_on: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    previous: str = ""
    candidate: str = ""
    promoted: str = ""
    proof: Mapping[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] = field(default_factory=dict)
    rollouts: tuple[Rollout, ...] = ()
    holds: Mapping[Hold, str] = field(default_factory=dict)
    held_at: Stage | None = None
    passes: tuple[Hold, ...] = ()
    rings: tuple[Ring, ...] = ()
    ring: int = 0
    baked_at: float = 0.0
    back: str = ""
    history: tuple[Moment, ...] = ()
    outbox: tuple[Command, ...] = ()
    trace: str = ""

    @property
    def candidate_tag(self) -> str:
        """The tag a candidate is built under: never a stable one, and no other image's of the same repository."""
        return f"{candidate_mark(self.cascade, self.image)}{self.attempt}"

    @property
    def updated_at(self) -> float:
        return self.history[-1].at if self.history else 0.0
