"""What the records say, as matters that people may be told of. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from groundswell.cascade import evidence
from groundswell.cascade.alerts import Alert
from groundswell.cascade.alerts import Kind as AlertKind
from groundswell.cascade.holds import how_to_end, reasons
from groundswell.cascade.model import Hold, Move, Rebuild
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.workloads import Known
from groundswell.channels import Kind
from groundswell.notify.notice import Seen, State

type Owner = Callable[[str], str]
"""The team of an image, "" when it has none."""

_NOT_THE_CAUSE = re.compile(r"sha(?:256|512):[0-9a-f]+|\b[0-9a-f]{7,}\b|\d{4,}")
_BACK = frozenset({Move.RETURNING, Move.RETURNED, Move.STUCK})
_GOOD = frozenset({Status.DONE, Status.UNCHANGED})
_TO_LOOK_AT = (Status.FAILED, Status.REJECTED, Status.BLOCKED)


def image_key(image: str) -> str:
    return f"image {image}"


def ended_key(cascade: str) -> str:
    return f"cascade {cascade}"


def of_cascade(header: Header, states: Sequence[Rebuild], owner: Owner) -> Iterator[Seen]:
    """Everything that a cascade says."""
    for state in states:
        yield _rebuild(state, owner)
        yield _approval(state, owner)
    if header.total:
        yield _ended(header, states, owner)


def _rebuild(state: Rebuild, owner: Owner) -> Seen:
    kind, stands, title = Kind.FAILED, State.UNSURE, ""
    match state.status:
        case Status.FAILED:
            stands, title = State.STANDS, f"{state.image} failed at {state.failed_stage or Stage.BUILD}"
            if any(rollout.move in _BACK for rollout in state.rollouts):
                kind, title = Kind.ROLLED_BACK, f"{state.image} was rolled back"
        case Status.REJECTED:
            kind, stands, title = Kind.REJECTED, State.STANDS, f"{state.image} was rejected by the gate"
        case Status.CANCELLED:
            stands = State.OVER
        case status if status in _GOOD:
            stands = State.OVER
    return Seen(
        key=image_key(state.image),
        kind=kind,
        state=stands,
        subject=state.image,
        teams=_teams([state.image], owner) if stands is State.STANDS else (),
        cascade=state.cascade,
        cause=_cause(state) if stands is State.STANDS else "",
        mark=f"{state.cascade} {state.updated_at:.3f}" if stands is State.STANDS else "",
        title=title,
        text=evidence.outcome(state),
        at=state.updated_at,
    )


def _cause(state: Rebuild) -> str:
    """What others of its cascade may share: the findings that it was rejected for, or the reason without names."""
    if state.status is Status.REJECTED:
        found = sorted(
            {f"{each['id']} {each['package']}" for each in state.verdict.get("findings", ()) if _refused(each)}
        )
        if found:
            return _short("; ".join(found))
    reason = state.reason.replace(state.image, "…").replace(state.cascade, "…")
    reason = reason.replace(state.run, "…") if state.run else reason
    for rollout in state.rollouts:
        reason = reason.replace(rollout.workload, "…")
    return _short(f"{state.failed_stage or ''} {_NOT_THE_CAUSE.sub('…', reason)}")


def _refused(finding: object) -> bool:
    return isinstance(finding, dict) and bool(finding.get("refused")) and "id" in finding and "package" in finding


def _short(text: str) -> str:
    return text if len(text) <= 100 else hashlib.sha256(text.encode()).hexdigest()[:20]


def _approval(state: Rebuild, owner: Owner) -> Seen:
    waits = state.status is Status.HELD and Hold.APPROVAL in state.holds
    return Seen(
        key=f"approval {state.cascade} {state.image}",
        kind=Kind.APPROVAL,
        state=State.STANDS if waits else State.OVER,
        subject=state.image,
        teams=_teams([state.image], owner) if waits else (),
        cascade=state.cascade,
        cause="approval",
        mark=f"{state.attempt} {state.ring}",
        title=f"{state.image} waits for an approval",
        text=f"{state.image} is held {reasons(state)}; {how_to_end(state)}" if waits else "",
        at=state.updated_at,
    )


def _ended(header: Header, states: Sequence[Rebuild], owner: Owner) -> Seen:
    ended = header.phase is Phase.ENDED and header.ended_at is not None
    counts = Counter(state.status for state in states)
    summary = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    left = [state.image for state in states if state.status in _TO_LOOK_AT]
    more = (
        f"; to look at: {', '.join(left[:10])}{f' and {len(left) - 10} more' if len(left) > 10 else ''}"
        if left
        else ""
    )
    seconds = (header.ended_at or header.started_at) - header.started_at
    return Seen(
        key=ended_key(header.id),
        kind=Kind.ENDED,
        state=State.STANDS if ended else State.UNSURE,
        subject=header.id,
        teams=_teams([state.image for state in states], owner) if ended else (),
        cascade=header.id,
        mark=f"{header.ended_at:.3f}" if ended else "",
        title=f"cascade {header.id} has ended: {summary}",
        text=f"what followed from {header.pushed} has ended after {seconds:.0f} s: {summary}{more}",
        at=header.ended_at or 0.0,
    )


def _teams(images: Iterable[str], owner: Owner) -> tuple[str, ...]:
    return tuple(sorted({team for image in images if (team := owner(image))}))


def of_alert(alert: Alert, owner: Owner) -> Seen:
    """What runs and is not good."""
    refused = alert.kind is AlertKind.REFUSED
    ids = list(dict.fromkeys(line.id for line in alert.findings))
    names = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
    runs = ", ".join(alert.workloads[:3]) + (
        f" and {len(alert.workloads) - 3} more" if len(alert.workloads) > 3 else ""
    )
    if not alert.open:
        text = "nothing runs it any more" if not alert.workloads else "the last scan passes"
    elif refused:
        text = f"{alert.reference}, which runs in {runs}, would be refused by now: {names}. {alert.remedy.why}"
    else:
        text = f"{alert.reference}, which runs in {runs}: {alert.trouble}"
    what = "runs and would be refused by now" if refused else "runs, and no scan of it counts"
    return Seen(
        key=f"alert {alert.row}",
        kind=Kind.REFUSED if refused else Kind.UNSCANNABLE,
        state=State.STANDS if alert.open else State.OVER,
        subject=alert.image,
        teams=_teams([alert.image], owner) if alert.open else (),
        cause=_short("; ".join(sorted(ids)) if refused else _NOT_THE_CAUSE.sub("…", alert.trouble)),
        mark=_short(f"{alert.kind} {'; '.join(sorted(ids))}") if alert.open else "",
        title=f"{alert.image} {what}",
        text=text,
        at=alert.first_seen,
    )


def of_workload(known: Known, owner: Owner) -> Seen:
    """Whether somebody else changed a workload."""
    drift = known.drift
    ours = known.ours[-1] if known.ours else ""
    return Seen(
        key=f"drift {known.workload}",
        kind=Kind.DRIFT,
        state=State.STANDS if drift else State.OVER,
        subject=known.workload,
        teams=_teams([known.image], owner) if drift else (),
        cause=f"{drift.cascade} {known.image}" if drift else "",
        mark=drift.image if drift else "",
        title=f"{known.workload} was changed by somebody else",
        text=f"it runs {drift.image} where {ours} was set; it is left alone until `groundswell drift release`"
        if drift
        else "it was released, or runs again what was set",
        at=drift.at if drift else 0.0,
    )


def gone(key: str, kind: Kind, cascade: str) -> Seen:
    """A matter of a cascade that is no more."""
    return Seen(key=key, kind=kind, state=State.GONE, subject="", cascade=cascade)


def vanished(before: Seen) -> Seen:
    """A matter whose record is no more: what ran does not run any more, or is not known any more."""
    return replace(before, state=State.OVER, text="nothing runs it any more, or it is not ours any more")
