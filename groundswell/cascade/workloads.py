"""The book of workloads: what we set each one to last, so that what a person changed since is known as drift.

It is a table of ours and not an annotation on the workload: `kubectl rollout undo` puts a Deployment's annotations
back along with its template, so an annotation would call the very rollback ours that it should tell of.

A row is written before a workload is patched, with both images, and again when its ring has ended, with the one it
was given. What somebody else changes in between, the rebuild sees by itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from itertools import batched

from graph.reference import InvalidReferenceError, Reference
from groundswell import audit
from groundswell.cascade.model import Rebuild, Rollout
from groundswell.clock import Clock
from groundswell.deploy.port import Found
from groundswell.errors import InputError, NotFoundError, PermanentError
from groundswell.lineage.model import Registration
from groundswell.store.limits import check_key
from groundswell.store.port import ANY, MAX_COMMIT, Documents, Json, Put

_TABLE, _PARTITION = "workloads", "workloads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Somebody else gave a workload this `image`; `cascade` found it so at `at`, and left it alone."""

    image: str
    at: float
    cascade: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know of a workload. `image` is the name of the registration that it follows.

    `ours` are the images that it may run by our doing, none when a person released it; `former` is what it ran
    before; `cascade` set it at `at`.
    """

    workload: str
    image: str
    ours: tuple[str, ...]
    former: str
    cascade: str
    at: float
    drift: Drift | None = None


class WorkloadBook:
    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, workload: str) -> Known | None:
        """None when we never set it, as nothing whose name cannot be stored."""
        try:
            check_key("workload", workload)
        except (ValueError, PermanentError):
            return None
        record = self._store.get(_TABLE, _PARTITION, workload)
        return _known(record.value) if record else None

    def all(self, *, after: str = "") -> Iterator[Known]:
        """Every workload that we set whose name sorts after `after`, by name, read as the caller goes on."""
        for record in self._store.scan(_TABLE, _PARTITION, after=after):
            yield _known(record.value)

    def setting(self, state: Rebuild, rollouts: Iterable[Rollout], *, back: bool = False) -> None:
        """Before they are patched, or put `back`: each may run either of its images by our doing."""
        self._put(self._row(state, each, (each.former, each.image), back=back) for each in rollouts)

    def was_set(self, state: Rebuild, rollouts: Iterable[Rollout], *, back: bool = False) -> None:
        """They run what they were given."""
        self._put(self._row(state, each, (each.former if back else each.image,), back=back) for each in rollouts)

    def drifted(self, state: Rebuild, rollout: Rollout, image: str) -> None:
        """A workload that is to be moved was found to run `image`, which is not ours."""
        known = self.find(rollout.workload) or self._row(state, rollout, (rollout.former,))
        self._drift(state, known, image)

    def taken(self, state: Rebuild, rollout: Rollout, image: str) -> None:
        """A workload that was moved was found to run `image`: who undid that is not us, whatever it ran before."""
        self._drift(state, self._row(state, rollout, (rollout.image,)), image)

    def _drift(self, state: Rebuild, known: Known, image: str) -> None:
        self._put([replace(known, drift=Drift(image=image, at=self._clock(), cascade=state.cascade))])

    def release(self, workload: str, *, who: str, why: str) -> Known:
        """Take what a workload runs for what it may run, whatever that is: the next rollout moves it.

        Raises InputError without a reason, NotFoundError when we never set it.
        """
        if not why.strip():
            raise InputError("releasing a workload needs a reason: --reason TEXT")
        known = self.find(workload)
        if known is None:
            raise NotFoundError(
                f"nothing holds {workload or 'a workload without a name'}; `groundswell drift list` lists what does"
            )
        after = replace(known, ours=(), drift=None)
        audit.record(
            self._store,
            at=self._clock(),
            who=who,
            action="release",
            subject=f"workload {workload}",
            why=why,
            before=asdict(known),
            after=asdict(after),
        )
        self._put([after])
        return known

    def _row(self, state: Rebuild, rollout: Rollout, ours: tuple[str, ...], *, back: bool = False) -> Known:
        return Known(
            workload=rollout.workload,
            image=state.image,
            ours=tuple(dict.fromkeys(ours)),
            former=rollout.image if back else rollout.former,
            cascade=state.cascade,
            at=rollout.at or self._clock(),
        )

    def _put(self, rows: Iterable[Known]) -> None:
        for some in batched(rows, MAX_COMMIT, strict=False):
            writes = [Put(row=known.workload, value=asdict(known), etag=ANY) for known in some]
            self._store.commit(_TABLE, _PARTITION, writes)


def is_drift(known: Known | None, runs: str, image: Registration) -> bool:
    """Whether somebody else gave a workload what it `runs`.

    Not when we never set it, or released it, nor when it runs the image by one of its stable tags: whoever applied
    that, follows.
    """
    if known is None or not known.ours:
        return False
    return not any(same(runs, ours) for ours in known.ours) and not by_stable_tag(runs, image)


def follows(found: Found, image: Registration, *, previous: str, known: Callable[[str], Known | None]) -> bool:
    """Whether a container that asks to follow its image follows this one.

    Several images may share a repository. What we set follows the image that it was set to, unless it was released;
    else one is told from the other by its tag, or by the digest that its stable tags led to until now (`previous`).
    Of any other digest nobody can say.
    """
    try:
        runs = Reference.parse(found.image)
    except InvalidReferenceError:
        return False
    if (runs.registry, runs.repository) != (image.registry, image.repository):
        return False
    set_by = known(str(found.workload))
    if set_by and (set_by.ours or runs.tag is None):
        return set_by.image == image.name
    if runs.tag is not None:
        return runs.tag in image.tags or any(fnmatchcase(runs.tag, glob) for glob in image.tag_patterns)
    return runs.digest == previous


def by_stable_tag(runs: str, image: Registration) -> bool:
    """Whether a pod spec names `image` by one of its stable tags, and by no digest."""
    try:
        return Reference.parse(runs) in image.references
    except InvalidReferenceError:
        return False


def same(one: str, other: str) -> bool:
    """Whether two images, as pod specs name them, are one: of those with a digest, a tag beside it says nothing."""
    return _without_tag(one) == _without_tag(other)


def _without_tag(image: str) -> str:
    name, at, digest = image.partition("@")
    if not at:
        return image
    head, colon, tail = name.rpartition(":")
    return f"{head if colon and '/' not in tail else name}@{digest}"


def _known(document: Json) -> Known:
    drift = document["drift"]
    return Known(**{**document, "ours": tuple(document["ours"]), "drift": Drift(**drift) if drift else None})
