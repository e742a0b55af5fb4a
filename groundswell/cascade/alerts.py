"""What is known of a digest that runs: when it was scanned last, what is wrong with it, what may mend it. Pure.

One record per image and digest. It is an alert while something is wrong: the gate refuses a finding, or no scan
of it counts. An alert is resolved, and kept for a while, when the digest no longer runs or is no longer refused.

A rebuild is begun for a finding once: neither the same record nor another whose rebuild was of the same image
begins one for it again, so a repair that a rebuild does not bring is not tried for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from groundswell.scan.policy import OnNewFinding
from groundswell.scan.verdict import Line, Verdict, cut

EVERY = 86_400.0
"""Seconds between two scans of a digest that runs."""
RETRY = 3_600.0
"""Seconds after which a scan that failed is tried again."""
WAITS = 7_200.0
"""Seconds after which a report that does not come counts as a scan that failed."""
KEPT = 30 * 86_400.0
"""Seconds for which a resolved alert is kept."""
SHOWN = 50
"""Workloads that are kept by name."""


class Kind(StrEnum):
    UNSEEN = "unseen"  # not scanned yet since it runs
    CLEAN = "clean"
    REFUSED = "refused"  # by the gate, for its findings
    UNSCANNABLE = "unscannable"  # no scan of it counts: it is not known to be clean


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """`image` is what to build anew, empty where that would not help; `why` says why, or what to do instead."""

    image: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A digest that runs, or ran. `reference` is what to scan, `workloads` are who runs it, none when nobody does.

    `looked_at` is when a scan ended last, well or not (0: it is due), `awaited` since when a report is. `findings`
    are those that the gate refuses, the worst 100; `trouble` says why no scan counts. Both are as they were last
    when the alert is resolved. `cascade` was begun for it by policy, `begun` once that is certain, for the `wanted`
    image; `answered` are the findings that it was begun for.
    """

    image: str
    digest: str
    reference: str
    workloads: tuple[str, ...] = ()
    looked_at: float = 0.0
    awaited: float = 0.0
    findings: tuple[Line, ...] = ()
    trouble: str = ""
    first_seen: float = 0.0
    last_seen: float = 0.0
    resolved_at: float = 0.0
    remedy: Remedy = field(default_factory=lambda: Remedy(image="", why=""))
    cascade: str = ""
    begun: bool = False
    wanted: str = ""
    answered: tuple[str, ...] = ()

    @property
    def row(self) -> str:
        return f"{self.image}@{self.digest}"

    @property
    def raised(self) -> bool:
        """Whether there ever was something wrong that is still kept."""
        return bool(self.findings or self.trouble)

    @property
    def open(self) -> bool:
        return self.raised and not self.resolved_at

    @property
    def kind(self) -> Kind:
        """What it is an alert for, or was."""
        if self.raised:
            return Kind.REFUSED if self.findings else Kind.UNSCANNABLE
        return Kind.CLEAN if self.looked_at else Kind.UNSEEN

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Alert":
        return cls(
            **{
                **document,
                "workloads": tuple(document["workloads"]),
                "findings": tuple(Line(**line) for line in document["findings"]),
                "remedy": Remedy(**document["remedy"]),
                "answered": tuple(document["answered"]),
            }
        )


# What runs.


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A digest that runs: `reference` names it, `workloads` who runs it."""

    image: str
    reference: str
    workloads: frozenset[str]


def runs(known: Alert | None, seen: Running) -> Alert:
    """A digest was seen to run; one that did not for a while is due at once."""
    names = tuple(sorted(seen.workloads)[:SHOWN])
    if known is None:
        digest = seen.reference.partition("@")[2]
        return Alert(image=seen.image, digest=digest, reference=seen.reference, workloads=names)
    back = not known.workloads
    looked_at = 0.0 if back else known.looked_at
    return replace(known, reference=seen.reference, workloads=names, looked_at=looked_at)


def gone(known: Alert, *, now: float) -> Alert | None:
    """It does not run any more; None when nothing is to be kept of it."""
    if not known.raised or (known.resolved_at and now - known.resolved_at > KEPT):
        return None
    return replace(known, workloads=(), awaited=0.0, resolved_at=known.resolved_at or now)


def due(known: Alert, *, now: float) -> bool:
    """Whether it is to be scanned: once a day, sooner when that went wrong or a report is awaited."""
    if not known.workloads:
        return False
    if known.awaited or not known.looked_at:
        return True
    return now - known.looked_at >= (RETRY if known.trouble and not known.resolved_at else EVERY)


# What comes of a scan.


def judged(known: Alert, verdict: Verdict, remedy: Remedy, *, now: float) -> Alert:
    """A verdict. One that refuses no finding, and does not pass either, is a scan that does not count."""
    refused = tuple(line for line in verdict.findings if line.refused)
    if verdict.passed:
        return _passed(replace(known, looked_at=now, awaited=0.0), now)
    if not refused:
        return failed(known, "; ".join(verdict.reasons), now=now)
    return _raised(replace(known, findings=refused, trouble="", remedy=remedy), known, now)


def failed(known: Alert, why: str, *, now: float) -> Alert:
    """It could not be scanned: what was wrong before, if anything, still is."""
    before = known if known.open else replace(known, findings=(), remedy=Remedy(image="", why=""))
    return _raised(replace(before, trouble=cut(why, 600)), known, now)


def awaited(known: Alert, why: str, *, now: float) -> Alert:
    """A scanner is at work; not for ever."""
    if known.awaited and now - known.awaited > WAITS:
        return failed(known, f"no report after {WAITS / 3600:g} h: {why}", now=now)
    return known if known.awaited else replace(known, awaited=now)


def _passed(known: Alert, now: float) -> Alert:
    """What was wrong is kept for a while, then forgotten; what it was answered with goes with it."""
    if known.resolved_at and now - known.resolved_at > KEPT:
        return Alert(
            image=known.image,
            digest=known.digest,
            reference=known.reference,
            workloads=known.workloads,
            looked_at=known.looked_at,
        )
    return replace(known, resolved_at=known.resolved_at or now) if known.raised else known


def _raised(alert: Alert, before: Alert, now: float) -> Alert:
    return replace(
        alert,
        looked_at=now,
        awaited=0.0,
        first_seen=before.first_seen if before.open else now,
        last_seen=now,
        resolved_at=0.0,
    )


# What is done about it.


def remedy(findings: Sequence[Line], *, image: str, base: str, moved_on: str) -> Remedy:
    """What may mend `findings`. `base` is the registered image whose layers a flaw may come with, empty for none.

    `moved_on` says where the image's stable tag has gone to, empty while it still leads to what runs.
    """
    repaired = [line for line in findings if line.fixed]
    if not repaired:
        return Remedy(image="", why="no newer package version repairs it yet")
    if moved_on:
        return Remedy(image="", why=f"its stable tag has moved on to {moved_on}: roll that out")
    if base and any(line.blame in ("base", "both") for line in repaired):
        return Remedy(image=base, why=f"comes with its base, {base}, which may be built with newer packages")
    return Remedy(image=image, why="a build may bring newer packages")


def wants(alert: Alert, policy: OnNewFinding, others: Iterable[Alert]) -> Alert:
    """The alert with the rebuild that it is to begin, if the policy says so and nobody began it for these findings.

    `others` are all alerts that are kept. What is to be begun has `wanted` set, and no cascade yet.
    """
    target = alert.remedy.image
    if policy is not OnNewFinding.REBUILD or not alert.open or not target or alert.trouble:
        return alert
    if unfinished(alert):
        return alert
    same = [each for each in others if each.wanted == target]
    answered = {key for each in [*same, alert] for key in each.answered}
    if new := [key for line in alert.findings if line.fixed and (key := _key(line)) not in answered]:
        kept = (*alert.answered, *new)[-200:]
        return replace(alert, wanted=target, cascade="", begun=False, answered=kept)
    return alert


def unfinished(alert: Alert) -> bool:
    """Whether a rebuild was decided on that is not begun for certain."""
    return alert.open and bool(alert.wanted) and not alert.begun


def impossible(alert: Alert) -> Alert:
    """What was to be rebuilt is not registered any more."""
    return replace(alert, wanted="", cascade="")


def why(alert: Alert) -> str:
    """Why a rebuild is begun for it, for the audit trail."""
    ids = list(dict.fromkeys(line.id for line in alert.findings if line.fixed))
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return f"{', '.join(ids[:3])}{more} in {alert.image}@{alert.digest}, which runs"


def _key(line: Line) -> str:
    """A repair of a finding."""
    return f"{line.id} {line.package} {line.fixed}"
