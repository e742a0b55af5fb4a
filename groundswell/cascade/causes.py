"""What failures have in common: a cause is the stage and the reason without what differs from case to case. Pure.

Two images that failed because one mirror is down failed for one cause, though each log names another run, digest,
time and request. A rejection's cause is what the gate refuses: finding and package, whatever the image.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from groundswell.cascade.model import CANDIDATE, POISONED, Rebuild
from groundswell.cascade.operate import failed_at, restart
from groundswell.cascade.rules.candidate import stands_elsewhere
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.view import short

_SHOWN = 3
"""Findings that a title names; the rest is counted."""
_TITLE = 240

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
"""What Kubernetes makes names of pods of."""

type _Change = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]

_CHANGES: tuple[_Change, ...] = (
    (re.compile(r"\b(sha256|sha512):[0-9a-f]{6,128}…?"), r"\1:…"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I), "…"),
    (
        re.compile(r"\b((?:request|correlation|activity|trace|operation)[-_ ]?id)(['\": =]+)[\w.:/+=-]+", re.I),
        r"\1\2…",
    ),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "…"),
    (re.compile(rf"\b{CANDIDATE}[0-9a-z-]+"), f"{CANDIDATE}…"),
    (re.compile(rf"-{_SAFE}{{6,10}}-{_SAFE}{{5}}\b"), "-…"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.I), "…"),
    (
        re.compile(r"(\bCVE-\d{4}-\d+|\b(?:exit (?:code|status)|status|HTTP)[ :=]+\d{1,3}\b)|\b\d+(?:[.,:]\d+)*"),
        lambda found: found[1] or "…",
    ),
)
"""In this order: what is longest is taken out first. What a status says is no mere number."""


class Trouble(StrEnum):
    """What kind of end it was."""

    FAILED = "failed"
    REJECTED = "rejected"
    POISONED = "poisoned"  # no delivery of its message could be handled


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """`key` is the same for whatever has this cause, today and next month; `title` is it in words."""

    key: str
    title: str
    stage: Stage
    kind: Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The stage that a replay should begin with, among those that the rules allow, and why."""

    stage: Stage
    why: str


def cause(state: Rebuild) -> Cause | None:
    """Why a rebuild came to a bad end by its own doing; None for any other end: what is blocked has another's."""
    match state.status:
        case Status.REJECTED:
            return _refused(state)
        case Status.FAILED:
            stage = state.failed_stage or Stage.BUILD
            kind = Trouble.POISONED if state.reason.endswith(POISONED) else Trouble.FAILED
            said = normalised(state.reason, state) or "no reason is recorded"
            return _cause(stage, kind, said, said)
        case _:
            return None


def normalised(reason: str, state: Rebuild) -> str:
    """A reason without digests, times, ids, numbers, and without the names of this very rebuild."""
    for own, name in ((state.run, "…"), (state.cascade, "…"), (state.image, "IMAGE")):
        if own:
            reason = re.sub(rf"(?<![\w/-]){re.escape(own)}(?![\w/-])", name, reason)
    reason = re.sub(rf"(?<=/){re.escape(state.image)}(?=[:@\s]|$)", "IMAGE", reason)
    for pattern, by in _CHANGES:
        reason = pattern.sub(by, reason)
    return " ".join(reason.split())


def _refused(state: Rebuild) -> Cause:
    found = state.verdict.get("findings", ())
    refused = sorted({f"{each['id']} in {each['package']}" for each in found if each.get("refused")})
    if not refused:  # a verdict of before findings were explained, or of something else than a finding
        said = normalised(state.reason, state) or "no reason is recorded"
        return _cause(Stage.SCAN, Trouble.REJECTED, said, said)
    more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return _cause(Stage.SCAN, Trouble.REJECTED, "\n".join(refused), ", ".join(refused[:_SHOWN]) + more)


def _cause(stage: Stage, kind: Trouble, of: str, said: str) -> Cause:
    key = hashlib.sha256(f"{stage}\n{kind}\n{of}".encode()).hexdigest()[:16]
    title = said if len(said) <= _TITLE else said[: _TITLE - 1] + "…"
    return Cause(key=key, title=title, stage=stage, kind=kind)


def since(state: Rebuild) -> float:
    """When the rebuild first came to its end of now, for the same cause, as far as its history goes back."""

    def same(reason: str) -> bool:
        return reason == state.reason or normalised(reason, state) == normalised(state.reason, state)

    ends = (moment for moment in state.history if moment.status is state.status)
    return next((moment.at for moment in ends if same(moment.reason)), state.updated_at)


def advice(state: Rebuild) -> Advice:
    """Where a replay of a failed or rejected rebuild should begin."""
    asked, why = _asked(state)
    stage, instead = restart(state, asked)
    return Advice(stage=stage, why=instead.removeprefix(f"from {stage} instead: ") if instead else why)


def _asked(state: Rebuild) -> tuple[Stage, str]:
    if stands_elsewhere(state):
        return Stage.BUILD, "its candidate does not stand on the new base, and a second look would say the same"
    if state.status is Status.REJECTED:
        refused = [each for each in state.verdict.get("findings", ()) if each.get("refused")]
        if refused and all(each.get("fixed") for each in refused):
            return Stage.BUILD, "there are fixed versions of all that is refused, and only a build brings them in"
        return Stage.SCAN, "its candidate stays as it is: it passes once the policy, or the advisories, let it"
    return failed_at(state), _LEFT[failed_at(state)].format(candidate=short(state.candidate))


_LEFT: Mapping[Stage, str] = {
    Stage.BUILD: "its build left nothing to go on from",
    Stage.VERIFY: "its candidate {candidate} is built: the proof alone is missing",
    Stage.SCAN: "its candidate {candidate} is built and proven: the scan alone is missing",
    Stage.PROMOTE: "its candidate {candidate} has passed the gate: its tags alone have not moved",
    Stage.DEPLOY: "its tags have moved: the rollout alone is missing",
}
