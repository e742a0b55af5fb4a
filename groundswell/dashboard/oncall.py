"""/ui/on-call: what failed, by cause, and its replay; and whatever else waits for a person.

Nothing is asked of services to show it. The logs, and the difference against the last good rebuild, are fetched
when somebody unfolds them.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from starlette.responses import Response

from groundswell.api.failures import Listing
from groundswell.api.logs import LogShelf, registry_of
from groundswell.api.problems import InvalidError
from groundswell.cascade.failures import SHOWN, grouped
from groundswell.cascade.freezes import local
from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.operate import Bulk, Item, Seen
from groundswell.cascade.status import Stage, Status
from groundswell.dashboard.beside import everything
from groundswell.dashboard.differences import parts
from groundswell.dashboard.offered import moved
from groundswell.dashboard.outcome import fates, outcome
from groundswell.dashboard.pressed import Telling, number, once, reason, told
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.troubles import FEW, MANY, cards, milliseconds, read_picked, seen
from groundswell.errors import GroundswellError, InputError
from groundswell.wiring import App

pages = Pages()

PLACE = "/ui/on-call"
_CAUSES = 10
_HELD = 50
_TAIL, _WIDE = 20, 500


class Looking(Listing, Telling):
    """As the API's list of failures, and `cause` alone, a `page` of the causes."""

    cause: str = ""
    page: int = 1


@pages.page("/on-call", "list_failures")
def show(asked: Asked) -> Response:
    query, product = asked.read(Looking), asked.product
    if query.page < 1:
        raise InvalidError([{"parameter": "page", "detail": "1 is the first"}])
    found = product.failures.now()
    groups = grouped(found.failures, found.together, owner=query.owner)
    if query.cause:
        groups = [group for group in groups if group.key == query.cause]
    known = cards(groups, found.urgent, most=MANY if query.cause else FEW)
    first = (query.page - 1) * _CAUSES
    held = _of(query.owner, product, found.held)
    return asked.render(
        "on-call.html",
        cards=known[first : first + _CAUSES],
        causes=len(known),
        failed=len({each.image for group in groups for each in group.failures}),
        blocked=len({image for group in groups for image in group.blocks}),
        workloads=len({workload for group in groups for workload in group.workloads}),
        following=query.page + 1 if len(known) > first + _CAUSES else None,
        teams=sorted({owner for each in found.failures for owner in each.owners}),
        approvals=_first(state for state in held if Hold.APPROVAL in state.holds),
        persons=_first(state for state in held if Hold.PERSON in state.holds),
        by_themselves=sum(not {Hold.APPROVAL, Hold.PERSON} & state.holds.keys() for state in held),
        freezes=_in_force(product),
        told=told(asked, query.told),
        cut=SHOWN,
        stamp=_stamp,
    )


@pages.page("/on-call/log/{cascade}/{image:path}", "show_log")
def log(asked: Asked) -> Response:
    """The end of a build's log; why there is none is a part of the page, for it is shown within another."""
    cascade, image = asked.path["cascade"], asked.path["image"]
    state = Kept(asked.product.engine.records, asked.product.archive, cascade).rebuild(image)
    lines, why = [], ""
    if not state.run:
        why = "it has no build of its own in this cascade"
    else:
        try:
            text = asked.part(LogShelf).text(
                registry_of(asked.product, state), state.run, ended=state.status is not Status.BUILDING
            )
        except GroundswellError as exc:
            why = str(exc)
        else:
            lines = text.splitlines()
    tail = [line if len(line) <= _WIDE else line[:_WIDE] + "…" for line in lines[-_TAIL:]]
    return asked.render("on-call-log.html", state=state, tail=tail, before=len(lines) - len(tail), why=why)


@pages.page("/on-call/compare/{cascade}/{image:path}", "compare_rebuild")
def compare(asked: Asked) -> Response:
    cascade, image = asked.path["cascade"], asked.path["image"]
    found = asked.product.comparer.compare(cascade, image, partial(asked.part(LogShelf).text, ended=True))
    return asked.render("on-call-compare.html", told=found, parts=parts(found))


@pages.page("/on-call/beside", "list_alerts")
def beside(asked: Asked) -> Response:
    return asked.render("on-call-beside.html", found=everything(asked.product, asked.read(Listing).owner))


@pages.act("/on-call/replay", "replay")
def replay(asked: Asked) -> Response:
    """The failures that the form names, or all of its cause that were there when the page was made."""
    why, texts, cause = reason(asked), asked.form.get("failure", ()), asked.field("cause")
    named = read_picked(texts)
    if not named and not cause:
        raise InvalidError([{"parameter": "failure", "detail": "choose at least one"}])
    until = number(asked, "until") if not named else 0

    def act() -> dict[str, object]:
        wanted: Mapping[str, Mapping[str, Seen]] = named
        if not wanted:
            found = asked.product.failures.now()
            wanted = seen((each for each in found.failures if each.key == cause), until)
        bulks = [_replay(asked, each, some, why) for each, some in wanted.items()]
        return outcome("replayed", why, fates(bulks), nothing="what was chosen does not stand still any more")

    return once(asked, PLACE, act, owner=asked.field("owner"))


def _replay(asked: Asked, cascade: str, some: Mapping[str, Seen], why: str) -> Bulk:
    """Of one cascade; that it cannot be done there keeps none of the others from it."""
    try:
        return asked.product.operator.replay_seen(cascade, some, who=asked.who.who, why=why)
    except GroundswellError as exc:
        failed = tuple(Item(image=image, status=Status.FAILED, why=str(exc)) for image in some)
        return Bulk(cascade=cascade, done=(), left=(), failed=failed)


@pages.act("/on-call/approve", "approve")
def approve(asked: Asked) -> Response:
    why = reason(asked)

    def one(cascade: str, image: str) -> Bulk:
        return asked.product.operator.approve(cascade, [image], who=asked.who.who, why=why)

    return _to_held(asked, "approved", why, one)


@pages.act("/on-call/release", "release")
def release(asked: Asked) -> Response:
    why = reason(asked)

    def one(cascade: str, image: str) -> Bulk:
        try:
            state = asked.product.operator.release(cascade, image, who=asked.who.who, why=why)
        except InputError as exc:
            state = asked.product.engine.records.rebuild(cascade, image).value
            item = Item(image=image, status=state.status, why=str(exc))
            return Bulk(cascade=cascade, done=(), left=(item,), failed=())
        return Bulk(cascade=cascade, done=(Item(image=image, status=state.status),), left=(), failed=())

    return _to_held(asked, "released", why, one)


def _to_held(asked: Asked, verb: str, why: str, one: Callable[[str, str], Bulk]) -> Response:
    """To one rebuild as the page showed it: held since then, on the digest that it had then."""
    ((cascade, some),) = read_picked([asked.field("held")]).items()
    ((image, shown),) = some.items()

    def act() -> dict[str, object]:
        state = asked.product.engine.records.rebuild(cascade, image).value
        if moved(state) != milliseconds(shown.at):
            item = Item(image=image, status=state.status, why=f"is {state.status} since: look at it again")
            return outcome(verb, why, fates([Bulk(cascade=cascade, done=(), left=(item,), failed=())]))
        return outcome(verb, why, fates([one(cascade, image)]))

    return once(asked, PLACE, act, owner=asked.field("owner"))


def _stamp(state: Rebuild) -> str:
    """A held rebuild as a form names it."""
    return f"{state.cascade} {moved(state)} {state.held_at or Stage.BUILD} {state.image}"


def _of(owner: str, product: App, held: tuple[Rebuild, ...]) -> list[Rebuild]:
    """Those of a team (of any: ""), what is held longest first."""
    ordered = sorted(held, key=lambda state: (state.updated_at, state.image))
    if not owner or not ordered:
        return ordered
    items = product.catalog.registrations({state.image for state in ordered})
    owned = {item.name for item in items if item.owner == owner}
    return [state for state in ordered if state.image in owned]


def _first(states: Iterable[Rebuild]) -> tuple[list[Rebuild], int]:
    """Those that are shown, and how many more there are."""
    some = list(states)
    return some[:_HELD], max(0, len(some) - _HELD)


def _in_force(product: App) -> list[tuple[str, str, str, str]]:
    """Name, environment, end and why of each freeze that is in force. Raises PermanentError as the book does."""
    now = product.clock()
    return [
        (freeze.name, freeze.environment, local(until, freeze.zone), freeze.why)
        for freeze in product.freezes.rules()
        if (until := freeze.until(now)) is not None
    ]
