"""/ui/cascades/ID/images/IMAGE: one image of a cascade with all its evidence, and what may be done to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from groundswell.api.problems import RefusedError, kind_of
from groundswell.cascade import evidence
from groundswell.cascade.causes import advice
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Approved, Cancelled, Event, Held, Released, Replayed
from groundswell.cascade.holds import marked
from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.operate import failed_at, restart
from groundswell.cascade.outline import Outline
from groundswell.cascade.pools import Places
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.waits import UNSAID, Link, behind, chains
from groundswell.dashboard.outcome import sentence
from groundswell.dashboard.pressed import Telling, once, reason, told
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.errors import InputError, NotFoundError, TemporaryError
from groundswell.scan.verdict import Verdict

pages = Pages()

_CHAINS = 5
"""Root causes that are told; `groundswell why --json` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What the rules let be done to a rebuild now, whoever asks. `stages` are where a replay may begin."""

    stages: tuple[Stage, ...]
    begin: Stage
    why: str
    cancel: bool
    hold: bool
    release: bool
    approve: bool
    despite_freeze: bool


def offers(state: Rebuild) -> Offers:
    """As the rules themselves say it."""
    begin, why = _begin(state)
    return Offers(
        stages=tuple(stage for stage in Stage if _fits(state, Replayed(at=0.0, stage=stage, who="", why=""))),
        begin=begin,
        why=why,
        cancel=_fits(state, Cancelled(at=0.0, who="", why="")),
        hold=_fits(state, Held(at=0.0, who="", why="")),
        release=_fits(state, Released(at=0.0, who="", why="")),
        approve=_fits(state, Approved(at=0.0, despite_freeze=True, who="", why="")),
        despite_freeze=Hold.FREEZE in state.holds,
    )


def _begin(state: Rebuild) -> tuple[Stage, str]:
    if state.status in (Status.FAILED, Status.REJECTED):
        advised = advice(state)
        return advised.stage, advised.why
    return restart(state, failed_at(state))[0], ""


def _fits(state: Rebuild, event: Event) -> bool:
    try:
        decide(state, event)
    except InputError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is read of an image for its page: the records of others may be a moment old, its own is as it is."""

    header: Header
    archived: bool
    state: Rebuild
    others: Mapping[str, Outline]
    waits: tuple[tuple[Link, ...], ...]

    @property
    def address(self) -> str:
        return address(self.header.id, self.state.image)


def address(cascade: str, image: str) -> str:
    return f"/ui/cascades/{quote(cascade)}/images/{quote(image)}"


@pages.page("/cascades/{cascade}/images/{image:path}", "show_rebuild")
def show(asked: Asked) -> Response:
    return _page(asked, _known(asked))


def _known(asked: Asked) -> Known:
    kept = Kept(asked.product.engine.records, asked.product.archive, asked.path["cascade"])
    header = kept.header()
    state = kept.rebuild(asked.path["image"])
    others = {each.image: each for each in asked.part(RebuildShelf).outlines(kept, header)}
    waits = () if kept.archived else _waits(asked, state, others)
    return Known(header=header, archived=kept.archived, state=state, others=others, waits=waits)


def _waits(asked: Asked, state: Rebuild, others: Mapping[str, Outline]) -> tuple[tuple[Link, ...], ...]:
    """What it waits for; the slots are looked at only where somebody may stand in line for one."""
    if state.status.settled and state.status is not Status.BLOCKED:
        return ()
    product = asked.product

    def find(cascade: str, image: str) -> Rebuild | None:
        """One of another cascade is read, and told as gone when it is."""
        if cascade == state.cascade:
            return others[image].rebuild() if image in others else None
        try:
            return product.engine.records.rebuild(cascade, image).value
        except NotFoundError:
            return None

    near = behind(state, find)
    lined = any(each.status is Status.READY for each in near.values())
    places = product.engine.pool() if lined else Places(running={}, waiting={})
    return tuple(chains(state, near, places))


def _page(asked: Asked, known: Known, *, wrong: str = "", act: str = "", status: int = 200) -> Response:
    """`wrong` says why the act `act` was not done; what was entered is still there then."""
    state, now = known.state, asked.product.clock()
    verdict = Verdict.from_json(state.verdict) if state.verdict else None
    return asked.render(
        "image.html",
        status=status,
        header=known.header,
        archived=known.archived,
        state=state,
        told=evidence.to_json(state, now=now),
        coming=marked(state),
        waits=known.waits[:_CHAINS],
        more_waits=max(0, len(known.waits) - _CHAINS),
        bases=[(base, wait.outcome.value, known.others.get(base)) for base, wait in sorted(state.waits.items())],
        dependants=[
            known.others[name] for c, name in state.dependants if c == state.cascade and name in known.others
        ],
        moves=_moves(state, now),
        verdict=verdict,
        offers=None if known.archived else offers(state),
        log=f"/ui/cascades/{quote(state.cascade)}/logs/{quote(state.image)}" if state.run else "",
        live=known.header.phase is not Phase.ENDED,
        here=known.address,
        said=told(asked, asked.read(Telling).told),
        wrong=wrong,
        act=act,
        reason=asked.field("reason"),
        chosen=asked.field("from"),
    )


def _moves(state: Rebuild, now: float) -> list[dict[str, Any]]:
    """Each move, the newest last, and how long it stayed so; of its end, nothing."""
    ends = [moment.at for moment in state.history[1:]]
    last = None if state.status.settled else now
    return [
        {
            "status": moment.status.value,
            "at": moment.at,
            "lasted": None if end is None else max(0.0, end - moment.at),
            "reason": moment.reason or UNSAID.get(moment.status, ""),
        }
        for moment, end in zip(state.history, [*ends, last], strict=False)
    ]


# What may be done to it.


type _Deed = Callable[[Asked, str, str, Mapping[str, str]], str]


def _act(verb: str, deed: _Deed) -> None:
    """A form of the page. What is refused is said on the page, and what was entered stays."""

    def act(asked: Asked) -> Response:
        cascade, image = asked.path["cascade"], asked.path["image"]
        try:
            said = {"who": asked.who.who, "why": reason(asked)}
            return once(
                asked,
                address(cascade, image),
                lambda: sentence(_refusing(lambda: deed(asked, cascade, image, said)), said["why"]),
            )
        except (InputError, TemporaryError) as exc:
            return _page(asked, _known(asked), wrong=str(exc), act=verb, status=kind_of(exc).status.value)

    pages.act(f"/cascades/{{cascade}}/{verb}/{{image:path}}", verb)(act)


def _refusing(act: Callable[[], str]) -> str:
    """What the rules do not allow is no mistake in the form. Raises RefusedError."""
    try:
        return act()
    except InputError as exc:
        raise RefusedError(str(exc)) from exc


def _replay(asked: Asked, cascade: str, image: str, said: Mapping[str, str]) -> str:
    stage, force = stage_of(asked), asked.field("force") == "true"
    state = asked.product.operator.replay(cascade, image, stage=stage, force=force, **said)
    return f"It runs again, and is {state.status} now."


def stage_of(asked: Asked) -> Stage | None:
    """Where a replay is to begin; None when the form leaves it open. Raises InputError."""
    try:
        return Stage(asked.field("from")) if asked.field("from") else None
    except ValueError as exc:
        raise InputError(f"from: there is no such stage; choose one of {', '.join(Stage)}") from exc


def _cancel(asked: Asked, cascade: str, image: str, said: Mapping[str, str]) -> str:
    asked.product.operator.cancel(cascade, image, **said)
    return "It is cancelled. What stands on it and was not promoted stays blocked until it is replayed."


def _hold(asked: Asked, cascade: str, image: str, said: Mapping[str, str]) -> str:
    state = asked.product.operator.hold(cascade, image, **said)
    return f"It is {marked(state)}." if marked(state) else "It is held, until somebody releases it."


def _release(asked: Asked, cascade: str, image: str, said: Mapping[str, str]) -> str:
    state = asked.product.operator.release(cascade, image, **said)
    return f"It is released, and is {state.status} now."


def _approve(asked: Asked, cascade: str, image: str, said: Mapping[str, str]) -> str:
    despite = asked.field("despite_freeze") == "true"
    outcome = asked.product.operator.approve(cascade, (image,), despite_freeze=despite, **said)
    for item in outcome.left:
        raise InputError(item.why)
    for item in outcome.failed:
        raise TemporaryError(item.why)
    return f"It is approved, and is {outcome.done[0].status} now."


_act("replay", _replay)
_act("cancel", _cancel)
_act("hold", _hold)
_act("release", _release)
_act("approve", _approve)
