"""Why an image was, or was not, rebuilt, and what it waits for now: told from the records alone.

`look` reads them, `explain` puts them together and does no I/O. Nothing is guessed: what no record says is not
said, and where only so many records were looked at, that is said too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any

from graph.lineage import Edge, Lineage, watched
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.pools import Places
from groundswell.cascade.push import Result
from groundswell.cascade.records import Header, Records
from groundswell.cascade.status import Status
from groundswell.cascade.view import short, when
from groundswell.cascade.waits import UNSAID, Link, chains, last_reason, predecessor_of, waited_for
from groundswell.errors import NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import from_json
from groundswell.store.port import Json

CASCADES = 200
"""Cascades looked through for the image, the newest first."""
PUSHES = 1000
"""Lines of the push log looked through, the newest first."""
PATHS = 5
"""Paths told, the shortest first at every fork."""

_BECAME: Mapping[str, str] = {
    Result.KNOWN: "its digest was known already",
    Result.UNKNOWN: "no registered image stood on it then",
    Result.MISSING: "the registry had no such tag when it was read back",
    Result.PINNED: "all that stood on it was held, by pins or by tags that are not moved",
    Result.GAVE_UP: "the registry could not be asked, again and again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One push: what the push log, or the cascade's own record, says of it. `at` is seconds since the epoch."""

    reference: str
    digest: str
    source: str
    at: float
    result: str
    cascade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One edge of a path: `image` stands on `base` (an image's name, or the pushed reference), by `kinds`."""

    base: str
    image: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`told` is the answer in a sentence, `reasons` what else the records say about why not."""

    image: str
    told: str
    cascade: str | None = None
    status: Status | None = None
    pushes: tuple[Pushed, ...] = ()
    paths: tuple[tuple[Step, ...], ...] = ()
    more_paths: bool = False
    history: tuple[Moment, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] = field(default_factory=dict)
    waits: tuple[tuple[Link, ...], ...] = ()
    reasons: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read. `rebuilds` holds, by (cascade, image), the cascade's own and those of others they follow."""

    image: str
    lineage: Lineage
    header: Header | None = None
    rebuilds: Mapping[tuple[str, str], Rebuild] = field(default_factory=dict)
    log: Sequence[Json] = ()
    bases: Mapping[str, Base] = field(default_factory=dict)
    places: Places = field(default_factory=lambda: Places(running={}, waiting={}))
    changed: Json | None = None


def look(
    image: str,
    cascade: str | None,
    *,
    catalog: Catalog,
    records: Records,
    bases: BaseBook,
    places: Places,
    log: Sequence[Json],
) -> Answer:
    """Read what concerns an image, in `cascade` or the newest that it is in, and explain it.

    `log` is the push log, the newest first. Raises NotFoundError when there is no such cascade, or when neither the
    catalog nor any record knows the image.
    """
    header = records.header(cascade).value if cascade else _newest(records, image)
    changed = next(catalog.history(image, limit=1), None)
    with catalog.lineage() as lineage:
        if header is None and image not in lineage:
            raise NotFoundError(
                f"{_unregistered(image, changed)}, and none of the newest {CASCADES} cascades holds it; "
                "`groundswell lineage show` lists what is"
            )
        names = {watched(edge.base) for edge in _all_edges(lineage, image)}
        known = Known(
            image=image,
            lineage=lineage,
            header=header,
            rebuilds=_rebuilds(records, header.id) if header else {},
            log=log,
            bases={name: base for name in sorted(names) if (base := bases.get(name)) is not None},
            places=places,
            changed=changed,
        )
        return explain(known)


def explain(known: Known) -> Answer:
    """The answer that the records give."""
    header = known.header
    if header is None:
        return _untouched(known)
    state = known.rebuilds.get((header.id, known.image))
    if state is None:
        return _left_out(known, header)
    states = {image: each for (cascade, image), each in known.rebuilds.items() if cascade == header.id}
    found = list(islice(_paths(known.lineage, states, known.image), PATHS + 1))
    held = tuple(_held_text(known, base) for image, base in header.pinned if image == known.image)
    where = f" at {state.failed_stage}" if state.status is Status.FAILED and state.failed_stage else ""
    return Answer(
        image=known.image,
        told=f"{known.image} is {state.status}{where} in cascade {header.id}: {last_reason(state)}",
        cascade=header.id,
        status=state.status,
        pushes=_pushes(known, header),
        paths=tuple(found[:PATHS]),
        more_paths=len(found) > PATHS,
        history=tuple(_moments(state)),
        inputs=state.inputs,
        proof=state.proof,
        verdict=state.verdict,
        waits=tuple(chains(state, known.rebuilds, known.places)),
        reasons=(*held, *_later(known, header)),
    )


# Reading.


def _newest(records: Records, image: str) -> Header | None:
    for header in records.recent(CASCADES):
        if any(name == image for name, _ in header.pinned):
            return header
        try:
            records.rebuild(header.id, image)
        except NotFoundError:
            continue
        return header
    return None


def _rebuilds(records: Records, cascade: str) -> dict[tuple[str, str], Rebuild]:
    """A cascade's rebuilds, and of older cascades those that they wait for, with what those wait for in turn."""
    return with_older(records, cascade, records.rebuilds(cascade))


def with_older(records: Records, cascade: str, states: Iterable[Rebuild]) -> dict[tuple[str, str], Rebuild]:
    """The rebuilds of a cascade, and of others those that they wait for, by (cascade, image)."""
    found = {(cascade, state.image): state for state in states}
    stack = list(found.values())
    while stack:
        state = stack.pop()
        for place in waited_for(state):
            if place in found or place[0] == cascade:
                continue
            try:
                found[place] = records.rebuild(*place).value
            except NotFoundError:
                continue  # told as such
            stack.append(found[place])
    return found


def _unregistered(image: str, changed: Json | None) -> str:
    if changed is None:
        return f"no image {image} is registered"
    by = f"{changed['action']} {when(changed['at'])} by {changed['who']}"
    return f"no image {image} is registered (its last record: {by})"


# Why it was rebuilt.


def _pushes(known: Known, header: Header) -> tuple[Pushed, ...]:
    """The pushes that went into the cascade, from its record; then others that the log counts to it."""
    own = [
        Pushed(
            reference=push.base,
            digest=push.digest,
            source=push.source,
            at=push.at,
            result=Result.CASCADE,
            cascade=header.id,
        )
        for push in header.went_in
    ]
    logged = (_pushed(entry) for entry in reversed(known.log) if entry["cascade"] == header.id)
    others = (push for push in logged if push.result != Result.KNOWN and push.reference not in header.bases)
    return (*own, *others)


def _pushed(entry: Json) -> Pushed:
    name = f"{entry['registry']}/{entry['repository']}"
    return Pushed(
        reference=f"{name}:{entry['tag']}" if entry["tag"] else f"{name}@{entry['digest']}",
        digest=entry["digest"],
        source=entry["source"],
        at=entry["at"],
        result=entry["result"],
        cascade=entry["cascade"],
    )


def _paths(lineage: Lineage, states: Mapping[str, Rebuild], image: str) -> Iterator[tuple[Step, ...]]:
    """The ways from what was pushed to `image`, by the waits as recorded: every one of them ends in a push."""
    bases = {
        name: sorted(base for base in state.waits if base in states or _is_pushed(base, state))
        for name, state in states.items()
    }
    far: dict[str, int] = {}
    for name in TopologicalSorter(bases).static_order():
        far[name] = 1 + min((far[base] for base in bases.get(name, ())), default=0)
    stack: list[tuple[str, tuple[Step, ...]]] = [(image, ())]
    while stack:
        name, steps = stack.pop()
        if not bases.get(name):
            yield steps
            continue
        for base in sorted(bases[name], key=lambda base: far[base], reverse=True):
            step = Step(base=base, image=name, kinds=_kinds(lineage, states[name], base))
            stack.append((base, (step, *steps)))


def _is_pushed(base: str, state: Rebuild) -> bool:
    """Else the wait is for a rebuild of the same image in an older cascade."""
    return predecessor_of(base, state) is None


def _kinds(lineage: Lineage, state: Rebuild, base: str) -> tuple[str, ...]:
    """Of the edges as they were when it was built, or else as they are registered now."""
    edges = Lineage([from_json(state.spec).node]).edges(state.image) if state.spec else lineage.edges(state.image)
    leading = (edge for edge in edges if base in (watched(edge.base), lineage.publisher(watched(edge.base))))
    return tuple(dict.fromkeys(edge.kind.value for edge in leading))


def _moments(state: Rebuild) -> Iterator[Moment]:
    for moment in state.history:
        yield replace(moment, reason=moment.reason or UNSAID.get(moment.status, ""))


def _later(known: Known, header: Header) -> Iterator[str]:
    """Pushes of what it stands on since the cascade began, other than the cascade's own."""
    roots = _roots(known.lineage, known.image)
    for entry in known.log:
        push = _pushed(entry)
        if push.at > header.started_at and push.reference in roots and push.cascade != header.id:
            yield f"{_became(push)} (push log)"


# Why it was not rebuilt.


def _left_out(known: Known, header: Header) -> Answer:
    image, lineage = known.image, known.lineage
    ancestors = {edge.image for edge in _all_edges(lineage, image)}
    own = [_held_text(known, base) for name, base in header.pinned if name == image]
    through = [
        f"{name}, on which it stands, is held: {_held_text(known, base)}"
        for name, base in header.pinned
        if name != image and name in ancestors
    ]
    if own:
        told, reasons = f"{image} is held in cascade {header.id}", own
    elif image not in lineage:
        told, reasons = f"{image} is not in cascade {header.id}", [_unregistered(image, known.changed)]
    elif not header.bases.keys().isdisjoint(_roots(lineage, image)):
        told, reasons = f"{image} is not in cascade {header.id}", [_since(known, header)]
    elif through:
        told, reasons = f"{image} is not in cascade {header.id}", through
    else:
        stands = ", ".join(sorted({watched(edge.base) for edge in lineage.edges(image)})) or "nothing"
        told = f"{image} is not in cascade {header.id}: it does not stand on {' or '.join(header.bases)}"
        reasons = [f"it stands on {stands} (lineage)"]
    return Answer(
        image=image,
        told=told,
        cascade=header.id,
        pushes=_pushes(known, header),
        reasons=(*reasons, *(_later(known, header) if own else ())),
    )


def _since(known: Known, header: Header) -> str:
    changed = known.changed
    if changed is not None and changed["at"] > header.started_at:
        by = f"{changed['action']} {when(changed['at'])} by {changed['who']}"
        return f"it was {by}, after the cascade was planned ({when(header.started_at)})"
    planned = when(header.started_at)
    return (
        f"the lineage leads from {' or '.join(header.bases)} to it now, but the plan of {planned} "
        "does not hold it: so it did not lead there then"
    )


def _untouched(known: Known) -> Answer:
    edges = known.lineage.edges(known.image)
    told = f"{known.image} is in none of the newest {CASCADES} cascades"
    if not edges:
        return Answer(image=known.image, told=told, reasons=("it stands on no base (lineage)",))
    roots = _roots(known.lineage, known.image)
    if not roots:
        told = f"{known.image} is never rebuilt by a push: all that it stands on is held"
    held = (edge for edge in _all_edges(known.lineage, known.image) if _is_held(known.lineage, edge))
    reasons = [
        _held_text(known, edge.base)
        if edge.image == known.image
        else f"{edge.image}: {_held_text(known, edge.base)}"
        for edge in held
    ]
    newest: dict[str, Pushed] = {}
    for entry in known.log:
        push = _pushed(entry)
        if push.reference in roots:
            newest.setdefault(push.reference, push)
    reasons += (
        f"{_became(newest[root])} (push log)" if root in newest else _not_pushed(known, root)
        for root in sorted(roots)
    )
    if roots and not newest and known.log:
        last = _pushed(known.log[0])
        reasons.append(
            f"the newest push, of {last.reference} {when(last.at)}, is of nothing it stands on (push log)"
        )
    return Answer(image=known.image, told=told, reasons=tuple(reasons))


def _became(push: Pushed) -> str:
    head = f"{push.reference} was pushed {when(push.at)} ({push.source}): "
    if push.result == Result.CASCADE:
        return f"{head}it started cascade {push.cascade}"
    of = f", from cascade {push.cascade}" if push.cascade else ""
    return f"{head}{push.result}: {_BECAME.get(push.result, 'nothing was started')}{of}"


def _not_pushed(known: Known, reference: str) -> str:
    base = known.bases.get(reference)
    seen = f"; at {short(base.digest)} since {when(base.seen_at)} (book of bases)" if base else ""
    return f"no push of {reference} among the newest {PUSHES} (push log){seen}"


def _held_text(known: Known, base: str) -> str:
    """A held edge, and what to change about it."""
    name, pin, digest = base.partition("@")
    book = known.bases.get(name)
    now = f"; it is at {short(book.digest)} now" if book and book.digest != digest else ""
    if pin:
        return (
            f"its Dockerfile names {name} by the digest {short(digest)}, which no push moves: change it there{now}"
        )
    return f"its Dockerfile names {base}, a tag that is not moved: name a newer one there{now}"


def _is_held(lineage: Lineage, edge: Edge) -> bool:
    if edge.pinned:
        return True
    publisher = lineage.publisher(edge.base)
    node = lineage.node(publisher) if publisher else None
    return node is not None and publisher != edge.image and edge.base not in node.publishes


def _all_edges(lineage: Lineage, image: str) -> tuple[Edge, ...]:
    """Every edge above an image, its own first, those included that are held."""
    return tuple(_edges_above(lineage, image, through_held=True))


def _roots(lineage: Lineage, image: str) -> set[str]:
    """The references whose push leads to an image."""
    above = _edges_above(lineage, image, through_held=False)
    return {edge.base for edge in above if not _is_held(lineage, edge)}


def _edges_above(lineage: Lineage, image: str, *, through_held: bool) -> Iterator[Edge]:
    seen = {image}
    for name in (queue := [image]):
        for edge in lineage.edges(name):
            yield edge
            publisher = lineage.publisher(watched(edge.base))
            if publisher is None or publisher in seen or (not through_held and _is_held(lineage, edge)):
                continue
            seen.add(publisher)
            queue.append(publisher)
