"""What stands on an older base than there is now: images and running workloads, since when, and why.

The layers decide for runtime bases, not our records: an image is up to date when its chain begins with that of the
base as it is now. Layers do not show build bases; for those the cascade that the base's push started is asked.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graph.lineage import Edge, EdgeKind, Lineage, tagged, watched
from graph.reference import Reference
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Records
from groundswell.cascade.status import Stage, Status
from groundswell.deploy.port import Deployer, Workload
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.discovery import Report as Survey
from groundswell.lineage.model import Registration
from groundswell.registry.chain import prove
from groundswell.registry.port import Image, Registry

_AT_ONCE = 8
_BASE_DIGEST = "org.opencontainers.image.base.digest"


class Cause(StrEnum):
    """Why something is stale."""

    PINNED = "pinned"  # to a digest: its Dockerfile must change
    FIXED_TAG = "fixed tag"  # on a tag that is published once and never moved
    FAILED = "failed"
    REJECTED = "rejected"
    BLOCKED = "blocked"  # by a base that is itself stale, failed or rejected
    NOT_YET = "not yet"  # its rebuild is under way, or its push was not seen
    STOPPED = "stopped"  # cancelled or superseded
    NOT_REGISTERED = "not registered"  # when the base moved, or at all


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleImage:
    """`stands_on` is the digest of the base it was built on, where known; `since` is seconds since the epoch."""

    image: str
    owner: str
    base: str
    kind: EdgeKind
    stands_on: str
    current: str
    since: float | None
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleWorkload:
    """A workload that runs another digest than the image's stable tag points to, or an image that is stale."""

    workload: str
    image: str
    runs: str
    current: str
    since: float | None
    cause: Cause
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is stale; `unread` has a line for everything that could not be looked at."""

    images: tuple[StaleImage, ...]
    workloads: tuple[StaleWorkload, ...]
    unread: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "images": [
                {
                    "image": item.image,
                    "owner": item.owner,
                    "base": item.base,
                    "edge": item.kind.value,
                    "stands_on": item.stands_on or None,
                    "current": item.current or None,
                    "since": item.since,
                    "why": item.cause.value,
                    "detail": item.detail,
                }
                for item in self.images
            ],
            "workloads": [
                {
                    "workload": item.workload,
                    "image": item.image,
                    "runs": item.runs,
                    "current": item.current,
                    "since": item.since,
                    "why": item.cause.value,
                    "detail": item.detail,
                }
                for item in self.workloads
            ],
            "unread": list(self.unread),
        }


def survey(
    *,
    catalog: Catalog,
    bases: BaseBook,
    records: Records,
    registry: Registry,
    deployer: Callable[[], Deployer],
) -> Report:
    """Look at every registered image and every workload that runs one; `deployer` is made when there is one."""
    with catalog.lineage() as lineage:
        edges = [edge for node in lineage for edge in lineage.edges(node.name)]
        fixed = {edge.base: tag for edge in edges if (tag := _fixed(lineage, edge))}
        followers = {node.name: tuple(sorted(lineage.followers(node.name))) for node in lineage}
    registrations = {item.name: item for item in catalog.registrations()}
    looks = _Looks(registry, bases, records)
    looks.read(edges, registrations.values())
    found: dict[str, StaleImage] = {}
    for edge in edges:
        registration = registrations.get(edge.image)
        if registration is not None and edge.image not in found:
            stale = looks.judge(edge, registration, fixed=fixed.get(edge.base))
            if stale is not None:
                found[edge.image] = stale
    _spread(found, followers, registrations)
    images = tuple(found[name] for name in sorted(found))
    workloads = _workloads(registrations.values(), found, looks, deployer)
    return Report(images=images, workloads=workloads, unread=tuple(sorted(set(looks.unread))))


def unregistered(report: Survey, lineage: Lineage, bases: BaseBook) -> tuple[StaleImage, ...]:
    """The images of a registry that nobody registered and that stand on an older base, by what the images tell.

    What stands on a digest that no tag points at any more stands on an older version of that repository: of its
    registered base, where there is one only.
    """
    tags: dict[str, list[str]] = {}
    for tag in lineage.bases():
        tags.setdefault(Reference.parse(tag).name, []).append(tag)
    strangers = {each.image for each in report.differences.unregistered}
    found = []
    for finding in (finding for image in sorted(strangers) for finding in report.found[image]):
        base, current = finding.base, finding.current_digest or ""
        if not finding.stale:
            if not finding.platforms or current or "@" not in base:
                continue
            named = tags.get(base.partition("@")[0], ())
            base = named[0] if len(named) == 1 else base
        known = bases.get(base)
        found.append(
            StaleImage(
                image=finding.image,
                owner="",
                base=base,
                kind=finding.kind,
                stands_on=finding.base_digest or "",
                current=current or (known.digest if known else ""),
                since=known.seen_at if known is not None and current in ("", known.digest) else None,
                cause=Cause.NOT_REGISTERED,
                detail=finding.why,
            )
        )
    return tuple(found)


def _fixed(lineage: Lineage, edge: Edge) -> str | None:
    """The first stable reference of the image which the edge stands on by a tag that only its patterns name."""
    publisher = None if edge.pinned else lineage.publisher(edge.base)
    node = lineage.node(publisher) if publisher else None
    return node.publishes[0] if node is not None and edge.base not in node.publishes else None


def _spread(
    found: dict[str, StaleImage], followers: Mapping[str, Sequence[str]], registrations: Mapping[str, Registration]
) -> None:
    """What stands on a stale image is stale by it."""
    stack = sorted(found)
    while stack:
        cause = found[stack.pop()]
        for name in followers[cause.image]:
            if name not in found and name in registrations:
                found[name] = StaleImage(
                    image=name,
                    owner=registrations[name].owner,
                    base=cause.base,
                    kind=cause.kind,
                    stands_on=cause.stands_on,
                    current=cause.current,
                    since=cause.since,
                    cause=Cause.BLOCKED,
                    detail=f"stands on {cause.image}, which is stale",
                )
                stack.append(name)


class _Looks:
    """What was read of the registry, each thing once, and the judgement on an edge."""

    def __init__(self, registry: Registry, bases: BaseBook, records: Records) -> None:
        self._registry = registry
        self._bases = bases
        self._records = records
        self._digests: dict[str, str | None] = {}
        self._images: dict[str, Image | None] = {}
        self._known: dict[str, Base | None] = {}
        self.unread: list[str] = []

    def read(self, edges: Iterable[Edge], registrations: Iterable[Registration]) -> None:
        """Read, several at once: the digest of every base, the stable image of everything, the bases it needs."""
        edges = list(edges)
        bases = set(filter(tagged, (watched(edge.base) for edge in edges)))
        stable = {str(item.references[0]) for item in registrations}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._known = dict(zip(bases | stable, pool.map(self._bases.get, bases | stable), strict=True))
            self._digests = dict(zip(bases, pool.map(self._digest, bases), strict=True))
            runtime = {
                f"{name}@{digest}"
                for edge in edges
                if edge.kind is EdgeKind.RUNTIME and not edge.pinned
                for name in [watched(edge.base)]
                if (digest := self._digests.get(name))
            }
            self._images = dict(zip(stable | runtime, pool.map(self._image, stable | runtime), strict=True))

    def stable(self, registration: Registration) -> Image | None:
        return self._images[str(registration.references[0])]

    def since(self, reference: str, digest: str) -> float | None:
        """When `reference` was first seen at `digest`; None when somebody moved it without our knowing."""
        known = self._known.get(reference)
        return known.seen_at if known is not None and known.digest == digest else None

    def rebuild(self, reference: str, image: str, digest: str) -> Rebuild | None:
        """The rebuild of `image` in the cascade that brought `reference` to `digest`."""
        known = self._known.get(reference)
        if known is None or known.digest != digest or not known.cascade:
            return None
        try:
            return self._records.rebuild(known.cascade, image).value
        except NotFoundError:
            return None

    def judge(self, edge: Edge, registration: Registration, *, fixed: str | None) -> StaleImage | None:
        """The edge, if it is stale; `fixed` is the stable tag of whom it stands on by one that never moves."""
        verdict = self._verdict(edge, registration, fixed)
        if verdict is None:
            return None
        current, stands_on, cause, detail = verdict
        return StaleImage(
            image=edge.image,
            owner=registration.owner,
            base=edge.base,
            kind=edge.kind,
            stands_on=stands_on,
            current=current,
            since=self.since(fixed or watched(edge.base), current),
            cause=cause,
            detail=detail,
        )

    def _verdict(
        self, edge: Edge, registration: Registration, fixed: str | None
    ) -> tuple[str, str, Cause, str] | None:
        """(current digest, digest it stands on, cause, detail) of a stale edge."""
        base = watched(edge.base)
        current = self._digests.get(base)
        if current is None:
            return None
        if edge.pinned:
            pin = edge.base.partition("@")[2]
            return None if pin == current else (current, pin, Cause.PINNED, f"change its Dockerfile: {edge.base}")
        if fixed is not None:
            moved = self._images.get(fixed)
            if moved is None or moved.digest == current:
                return None
            return moved.digest, current, Cause.FIXED_TAG, f"{base} does not move; {fixed} is newer"
        built = self.stable(registration)
        state = self.rebuild(base, edge.image, current)
        if edge.kind is EdgeKind.RUNTIME:
            now = self._images.get(f"{base}@{current}")
            if built is None or now is None or prove(built, now).proven:
                return None
        elif state is None or state.status in (Status.DONE, Status.UNCHANGED, Status.DEPLOYING) or _held(state):
            return None  # nothing says that it was built with an older one
        return current, _claimed(built), *self._why(state, base, current)

    def _why(self, state: Rebuild | None, base: str, current: str) -> tuple[Cause, str]:
        if state is not None:
            return explain(state)
        known = self._known.get(base)
        if known is None or known.digest != current:
            return Cause.NOT_YET, f"the push of {current} was not dealt with yet"
        if known.cascade and not self._records.has(known.cascade):
            return (
                Cause.NOT_YET,
                f"what cascade {known.cascade} made of it is no longer recorded; tell the push again",
            )
        if known.cascade:
            return Cause.NOT_REGISTERED, f"it was not registered when cascade {known.cascade} began"
        return Cause.NOT_REGISTERED, f"it was built before {base} moved, and has not been rebuilt since it is known"

    def _digest(self, reference: str) -> str | None:
        try:
            return self._registry.digest(Reference.parse(reference))
        except GroundswellError as exc:
            self.unread.append(f"{reference}: {exc}")
            known = self._known.get(reference)
            return known.digest if known else None

    def _image(self, reference: str) -> Image | None:
        try:
            found = self._registry.image(Reference.parse(reference))
        except GroundswellError as exc:
            self.unread.append(f"{reference}: {exc}")
            return None
        if found is None:
            self.unread.append(f"{reference}: not in its registry")
        return found


def explain(state: Rebuild) -> tuple[Cause, str]:
    """Why a rebuild has not brought its image up to date."""
    where = f"cascade {state.cascade}"
    match state.status:
        case Status.FAILED:
            return Cause.FAILED, f"{where}, {state.failed_stage}: {state.reason}"
        case Status.REJECTED:
            return Cause.REJECTED, f"{where}: {state.reason}"
        case Status.BLOCKED:
            return Cause.BLOCKED, f"{where}: {state.reason}"
        case Status.CANCELLED | Status.SUPERSEDED:
            return Cause.STOPPED, f"{where}: {state.reason}"
        case Status.DONE | Status.UNCHANGED:
            return Cause.NOT_YET, f"{where} brought it up to date, but its tag was moved back since"
        case Status.HELD:
            return Cause.NOT_YET, f"{where}: held {state.reason}"
        case _:
            return Cause.NOT_YET, f"{where}: {state.status}"


def _held(state: Rebuild) -> bool:
    """Only its rollout is held: the image itself is promoted."""
    return state.status is Status.HELD and state.held_at is Stage.DEPLOY


def _claimed(built: Image | None) -> str:
    """The digest of its base that the image itself tells, if any."""
    if built is None:
        return ""
    told = {image.annotations.get(_BASE_DIGEST, "") for image in built.platforms}
    return told.pop() if len(told) == 1 else ""


def _workloads(
    registrations: Iterable[Registration],
    stale: Mapping[str, StaleImage],
    looks: _Looks,
    deployer: Callable[[], Deployer],
) -> tuple[StaleWorkload, ...]:
    pairs = [(item, target) for item in registrations for target in item.deployments]
    if not pairs:
        return ()
    clusters = deployer()

    def look(pair: tuple[Registration, Workload]) -> StaleWorkload | None:
        item, target = pair
        try:
            runs = clusters.observe(target).image
        except GroundswellError as exc:
            looks.unread.append(f"{target}: {exc}")
            return None
        return _workload(item, target, runs.partition("@")[2] or runs, stale.get(item.name), looks)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(found for found in pool.map(look, pairs) if found is not None)


def _workload(
    item: Registration, target: Workload, runs: str, stale: StaleImage | None, looks: _Looks
) -> StaleWorkload | None:
    stable = looks.stable(item)
    if stable is None:
        return None
    reference = str(item.references[0])
    since: float | None
    if runs != stable.digest:
        state = looks.rebuild(reference, item.name, stable.digest)
        behind = state is not None and state.status not in (Status.DONE, Status.UNCHANGED)
        unknown = (Cause.NOT_YET, "nobody has rolled out what the stable tag points to")
        cause, detail = explain(state) if state is not None and behind else unknown
        since = looks.since(reference, stable.digest)
    elif stale is not None:
        cause, detail, since = stale.cause, f"its image is stale: {stale.detail}", stale.since
    else:
        return None
    return StaleWorkload(
        workload=str(target),
        image=item.name,
        runs=runs,
        current=stable.digest,
        since=since,
        cause=cause,
        detail=detail,
    )
