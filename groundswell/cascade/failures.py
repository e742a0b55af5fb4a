"""What stands still because something failed: grouped by cause, with what each blocks. Pure.

What is blocked has no cause of its own: it counts with what blocks it, whether that is beneath it or beneath a base
of it. A rebuild that failed is healed by any later success of its image, in whatever cascade.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.cascade.causes import Trouble, advice, cause, since
from groundswell.cascade.meaning import standing
from groundswell.cascade.model import Move, Outcome, Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.status import Stage, Status
from groundswell.lineage.catalog import Brief
from groundswell.store.port import Json

SHOWN = 100
"""Images, blocked images and workloads that one group names; all are counted."""
_REASON = 1000
_REPLAYED_TOGETHER = (Status.FAILED, Status.REJECTED, Status.CANCELLED)
"""What `groundswell replay --failed` runs again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One rebuild that failed or was rejected. `at` is when, `since` when it first did so for this cause.

    `blocks` are the images in its cascade that cannot go on because of it, `workloads` what is not moved because of
    it: its own, and those of what it blocks. `owners` are those of all these images.
    """

    cascade: str
    image: str
    owner: str
    key: str
    title: str
    stage: Stage
    kind: Trouble
    attempt: int
    run: str
    reason: str
    at: float
    since: float
    begin: Stage
    why: str
    blocks: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def command(self) -> str:
        return f"groundswell replay {self.cascade} {self.image} --from {self.begin} --reason TEXT"


def failure(document: Json) -> Failure:
    """The failure in a record."""
    lists = {name: tuple(document[name]) for name in ("blocks", "workloads", "owners")}
    stages = {name: Stage(document[name]) for name in ("stage", "begin")}
    return Failure(**{**document, **lists, **stages, "kind": Trouble(document["kind"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Failures of one cause. `blocks` and `workloads` are all of them, each once.

    `begin` is where a replay should begin, of most of them when they differ; `commands` are what to run.
    """

    key: str
    title: str
    stage: Stage
    kind: Trouble
    first: float
    last: float
    failures: tuple[Failure, ...]
    blocks: tuple[str, ...]
    workloads: tuple[str, ...]
    owners: tuple[str, ...]
    begin: Stage
    why: str
    commands: tuple[str, ...]

    @property
    def row(self) -> str:
        """Its place: what blocks most comes first, then what is oldest."""
        return f"{10**9 - len(self.blocks):010d}-{int(self.first * 1000):014d}-{self.key}"


def troubled(states: Iterable[Rebuild | Outline]) -> tuple[list[Rebuild], list[Rebuild], int]:
    """Of a cascade's rebuilds: what failed, what is blocked, and how many a replay of all that failed touches."""
    failed: list[Rebuild] = []
    blocked: list[Rebuild] = []
    together = 0
    for state in states:
        status = state.status
        if status is Status.BLOCKED:
            blocked.append(_whole(state))
        elif status in _REPLAYED_TOGETHER:
            together += 1
            if status is not Status.CANCELLED:
                failed.append(_whole(state))
    return failed, blocked, together


def _whole(state: Rebuild | Outline) -> Rebuild:
    return state.rebuild() if isinstance(state, Outline) else state


def failures(
    failed: Iterable[Rebuild], blocked: Iterable[Rebuild], registered: Mapping[str, Brief]
) -> Iterator[Failure]:
    """Each failure of one cascade with what it blocks. `registered` has whichever of these images still are."""
    behind: dict[str, list[Rebuild]] = {}
    for state in blocked:
        for image in _blamed(state):
            behind.setdefault(image, []).append(state)
    for state in failed:
        why = cause(state)
        if why is None:
            continue
        standing_still = sorted(behind.get(state.image, ()), key=lambda each: each.image)
        begin = advice(state)
        images = [state.image, *(each.image for each in standing_still)]
        unmoved = [w for each in (state, *standing_still) for w in _unmoved(each, registered.get(each.image))]
        yield Failure(
            cascade=state.cascade,
            image=state.image,
            owner=_owner(state.image, registered),
            key=why.key,
            title=why.title,
            stage=why.stage,
            kind=why.kind,
            attempt=state.attempt,
            run=state.run,
            reason=state.reason[:_REASON],
            at=state.updated_at,
            since=since(state),
            begin=begin.stage,
            why=begin.why,
            blocks=tuple(each.image for each in standing_still),
            workloads=tuple(dict.fromkeys(unmoved)),
            owners=tuple(sorted({owner for image in images if (owner := _owner(image, registered))})),
        )


def _blamed(state: Rebuild) -> set[str]:
    """The images that a blocked rebuild is blocked by in the end, however far beneath."""
    found = {wait.cause or base for base, wait in state.waits.items() if wait.outcome is Outcome.FAILED}
    return found or {standing(state.waits)[2]} - {""}


def _owner(image: str, registered: Mapping[str, Brief]) -> str:
    return registered[image].owner if image in registered else ""


def _unmoved(state: Rebuild, image: Brief | None) -> Iterator[str]:
    """Workloads that should run the new image and do not."""
    moved = {each.workload for each in state.rollouts if each.move is Move.HEALTHY}
    planned = [each.workload for each in state.rollouts]
    named = image.workloads if image else ()
    yield from (workload for workload in dict.fromkeys((*planned, *named)) if workload not in moved)


def healed(each: Failure, succeeded: Mapping[str, float]) -> bool:
    """Whether the image came to a good end since; `succeeded` says when each did last."""
    return succeeded.get(each.image, 0.0) > each.at


def success(state: Rebuild | Outline) -> bool:
    """Whether it came to a good end by its own doing: one whose bases came out unchanged did nothing."""
    status = state.status
    return status is Status.DONE or (status is Status.UNCHANGED and bool(state.candidate))


def grouped(found: Iterable[Failure], together: Mapping[str, int], *, owner: str = "") -> list[Group]:
    """Groups by cause, what blocks most first, then the oldest.

    `together` says of each cascade how many rebuilds a replay of all that failed in it would touch. With an `owner`
    the groups are those that concern that team: whose image failed, or is blocked.
    """
    by_key: dict[str, list[Failure]] = {}
    for each in found:
        by_key.setdefault(each.key, []).append(each)
    groups = [
        _group(some, together)
        for some in by_key.values()
        if not owner or any(owner in each.owners for each in some)
    ]
    return sorted(groups, key=lambda group: group.row)


def _group(some: list[Failure], together: Mapping[str, int]) -> Group:
    some = sorted(some, key=lambda each: (-len(each.blocks), each.at, each.cascade, each.image))
    first = some[0]
    stages = [each.begin for each in some]
    begin = max(set(stages), key=lambda stage: (stages.count(stage), -tuple(Stage).index(stage)))
    return Group(
        key=first.key,
        title=first.title,
        stage=first.stage,
        kind=first.kind,
        first=min(each.since for each in some),
        last=max(each.at for each in some),
        failures=tuple(some),
        blocks=_each(image for each in some for image in each.blocks),
        workloads=_each(workload for each in some for workload in each.workloads),
        owners=_each(owner for each in some for owner in each.owners),
        begin=begin,
        why=next(each.why for each in some if each.begin is begin),
        commands=tuple(_commands(some, together)),
    )


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


def _commands(some: list[Failure], together: Mapping[str, int]) -> Iterator[str]:
    """One command for a cascade whose failures all have this cause and begin alike, else one for each image."""
    by_cascade: dict[str, list[Failure]] = {}
    for each in some:
        by_cascade.setdefault(each.cascade, []).append(each)
    for cascade, those in by_cascade.items():
        stages = {each.begin for each in those}
        if 1 < len(those) == together.get(cascade) and len(stages) == 1:
            yield f"groundswell replay --failed {cascade} --from {stages.pop()} --reason TEXT"
        else:
            yield from (each.command for each in those)
