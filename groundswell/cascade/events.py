"""What can happen to a rebuild. Values only; `decide.py` says what follows. `at` is seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from groundswell.cascade.model import Hold, Ring, Rollout, Wait
from groundswell.cascade.status import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseNews(Event):
    """A base moved on: its outcome, and the digest that its tags now point to."""

    base: str
    wait: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """`refused` says why it was not rebased, where its registration asks for that."""

    run: str
    built_on: Mapping[str, str]
    spec: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased(Event):
    """Nothing was started: the candidate `digest` is there already, made of what is stable now, `onto` its base."""

    digest: str
    onto: str
    built_on: Mapping[str, str]
    spec: Mapping[str, Any]
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyBuilt(Event):
    """Nothing was started: the cascade `by` built the same inputs, and its `digest` is under the stable tag."""

    digest: str
    by: str
    built_on: Mapping[str, str]
    spec: Mapping[str, Any]
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSucceeded(Event):
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Event):
    """The layers are proven. `previous` is under the stable tag; `unchanged` when it has this content."""

    proof: Mapping[str, Any]
    previous: str
    unchanged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Disproved(Event):
    """The new image does not stand on the new base."""

    proof: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned(Event):
    passed: bool
    verdict: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMoved(Event):
    """Somebody else moved the stable tag since the candidate was compared with it."""

    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted(Event):
    digest: str
    deploys: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RingEvent(Event):
    """Of the ring of this number: a message of it may be handled twice, and the next ring be begun by then."""

    ring: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsPlanned(RingEvent):
    """What is to be moved in the ring; `rings` are all of them, when it is the first."""

    rollouts: tuple[Rollout, ...]
    rings: tuple[Ring, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsSeen(RingEvent):
    """Some of the ring's rollouts, or of its way back, are further on."""

    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut(RingEvent):
    """The ring is wholly healthy."""

    rollouts: tuple[Rollout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFailed(RingEvent):
    """A workload of the ring, or of the one that bakes, is beyond help: the ring goes back."""

    rollouts: tuple[Rollout, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WentBack(RingEvent):
    """The ring runs what it ran before, as far as that could be; `rollouts` say how it went."""

    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeOver(RingEvent):
    """The ring before has stayed healthy until its bake was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFailed(Event):
    reason: str
    rollouts: tuple[Rollout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nudged(Event):
    """The sweep found the rebuild without news for too long: its commands are sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue(Event):
    """The sweep looked at the clock: a rebuild that is past its deadline fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed(Event):
    """A later cascade holds the same image, and waits until this rebuild has settled.

    Or, with an `image`, that one is about to come into this cascade (`by`), and stands on this rebuild: whoever
    brings it in knows how the rebuild stands.
    """

    by: str
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed(Event):
    """Something that the image stands on was pushed again: what was stopped has a new reason to be rebuilt."""

    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded(Event):
    """A newer push of the same base started another cascade: stop, unless it is promoting already."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed(Event):
    stage: Stage
    who: str
    why: str
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Event):
    """A person wants it to stop at its next checkpoint: before its build, its promotion or its rollout."""

    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Event):
    """The end of a hold by a person."""

    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved(Event):
    """This attempt may be rolled out, `despite_freeze` also while its environments are frozen."""

    who: str
    why: str
    despite_freeze: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack(RingEvent):
    """Its ring may not be rolled out now, or not any further: `begun` when one of its workloads runs it already.

    `rings` are those that were planned, when it is the first.
    """

    holds: Mapping[Hold, str]
    begun: bool
    rollouts: tuple[Rollout, ...] = ()
    rings: tuple[Ring, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outdated(Event):
    """Its rollout was held, and a newer one of the image was promoted meanwhile."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSeen(Event):
    """The sweep read the freezes: `why` its environments are frozen now, empty when none is."""

    why: str
