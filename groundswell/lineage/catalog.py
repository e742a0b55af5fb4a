"""The stored registrations, and the lineage made of them.

Everything is in one partition: a record per image, the revision (one number for all of it), and for every revision
which images it changed. A commit writes them together under the revision's ETag. So registrations take turns, each
is checked against exactly what it is added to, what is stored never contradicts itself, and whoever holds a loaded
lineage sees with one small read whether it is still true, and what to load again when it is not.
"""

import math
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from graph.lineage import Changes, Lineage, LineageError, Node
from groundswell import audit
from groundswell.clock import Clock
from groundswell.errors import ConflictError, InputError, NotFoundError
from groundswell.lineage import history
from groundswell.lineage.history import Action
from groundswell.lineage.model import Registration, from_json, node, to_json, workload
from groundswell.store.conflicts import retry_conflicts
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Documents, Json, Put, Record, Write
from groundswell.store.recent import Recent

TABLE, PARTITION = "lineage", "lineage"
IMAGE, _CHANGE, _REVISION = "image:", "change:", "revision"
_AT_ONCE = (MAX_COMMIT - 2) // 2
"""Images in one commit: each has its record and a line of history; the revision and its change go with them."""
_BEHIND = 200
"""Revisions after which loading everything is quicker than following."""
_FOLLOWED = 10_000
"""Changes that are kept: far more than somebody who is still following can be behind."""
_FEW = 100
"""Images that are read one by one; for more, all are read."""
_SPARSE = 10
"""One in so many is looked up by itself rather than found by reading all."""
_REMEMBERED = 1000
"""Registrations that this process keeps at hand: far more than are between build and gate at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a registration would change about one image: the fields that differ, (before, after); all when new."""

    name: str
    action: Action
    fields: Mapping[str, tuple[Any, Any]]

    @property
    def new(self) -> bool:
        return self.action is Action.REGISTERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A registration with the ETag under which it is stored."""

    registration: Registration
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What is at hand of a registration without reading it: its team, and the workloads that run it, by name."""

    owner: str
    workloads: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What of a registration is kept loaded."""

    node: Node
    brief: Brief


@dataclass(slots=True)
class _Loaded:
    """The lineage, and a brief of each image, as of a revision; the lock is held by whoever reads or changes it."""

    lineage: Lineage = field(default_factory=Lineage)
    briefs: dict[str, Brief] = field(default_factory=dict)
    revision: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)


class Catalog:
    """Registrations in a store. Safe to share between threads."""

    def __init__(self, store: Documents, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._loaded = _Loaded()
        self._asked = (0, -math.inf)  # the revision, and when it was read
        self._remembered: Recent[str, tuple[int, Registration]] = Recent(_REMEMBERED)

    # Reading.

    def registration(self, name: str, *, age: float = 0.0) -> Registration:
        """Raises NotFoundError when no such image is registered.

        One that is `age` seconds old will do where the caller says so; then the store is hardly asked.
        """
        revision = self._revision(age) if age else self._asked[0]
        if age and (known := self._remembered.get(name)) and known[0] == revision:
            return known[1]
        found = self.stored(name).registration
        self._remembered.put(name, (revision, found))  # at least as new as the revision
        return found

    def stored(self, name: str) -> Stored:
        """A registration and its ETag. Raises NotFoundError when no such image is registered."""
        record = self._store.get(TABLE, PARTITION, IMAGE + name)
        if record is None:
            raise NotFoundError(f"no image {name} is registered; see `groundswell lineage show`")
        return Stored(registration=from_json(record.value), etag=record.etag)

    def known(self, names: Iterable[str]) -> dict[str, Stored]:
        """Those of `names` that are registered, with their ETags."""
        found = self._records(sorted(set(names)))
        return {
            name: Stored(registration=from_json(record.value), etag=record.etag) for name, record in found.items()
        }

    def registrations(self, names: Iterable[str] | None = None) -> tuple[Registration, ...]:
        """All registrations by name, or those of `names` that there are."""
        if names is None:
            return tuple(self.each())
        found = self._records(sorted(set(names)))
        return tuple(from_json(found[name].value) for name in sorted(found))

    def each(self, *, prefix: str = "", after: str = "") -> Iterator[Registration]:
        """Registrations by name: what begins with `prefix` and comes after `after`, read as the caller goes on."""
        for record in self._store.scan(TABLE, PARTITION, prefix=IMAGE + prefix, after=IMAGE + after):
            yield from_json(record.value)

    def owned(self, owner: str, *, after: str = "") -> Iterator[Registration]:
        """The registrations of a team whose name sorts after `after`, by name, read as the caller goes on.

        Which they are is known once the lineage is loaded: of a small team the others are not read.
        """
        with self._now() as loaded:
            names = sorted(name for name, its in loaded.briefs.items() if its.owner == owner and name > after)
            few = len(names) * _SPARSE < len(loaded.briefs)
        found = self._one_by_one(names) if few else self.each(after=after)
        yield from (item for item in found if item.owner == owner)

    def owners(self) -> list[str]:
        """The teams that images are registered of, by name."""
        with self._now() as loaded:
            return sorted({brief.owner for brief in loaded.briefs.values() if brief.owner})

    def history(self, name: str, *, limit: int = 100) -> Iterator[Json]:
        """What became of one image's registration, the newest change first."""
        for record in self._store.scan(TABLE, PARTITION, prefix=history.prefix(name), limit=limit):
            yield record.value

    @contextmanager
    def lineage(self, *, age: float = 0.0) -> Iterator[Lineage]:
        """The graph of everything registered as of now, for this thread alone while the block lasts.

        One that is `age` seconds old will do where the caller says so; then the store is not asked.
        """
        with self._now(age=age) as loaded:
            yield loaded.lineage

    def briefs(self, *, age: float = 0.0) -> dict[str, Brief]:
        """A brief of every image by name, as loaded; `age` as for `lineage`."""
        with self._now(age=age) as loaded:
            return dict(loaded.briefs)

    def brief(self, names: Iterable[str]) -> dict[str, Brief]:
        """Those of `names` that are registered: a few are read, many are told as loaded."""
        wanted = set(names)
        if len(wanted) <= _FEW:
            return {name: _brief(record.value) for name, record in self._records(sorted(wanted)).items()}
        with self._now() as loaded:
            return {name: loaded.briefs[name] for name in wanted if name in loaded.briefs}

    def revision(self) -> int:
        """A number that grows with every change."""
        return self._revision()

    # Changing.

    def changes(self, registrations: Iterable[Registration]) -> tuple[Change, ...]:
        """What registering these would change.

        Raises InputError when the lineage would contradict itself (a circle, a tag published twice).
        """
        return self._compare(_by_name(registrations))[0]

    def register(
        self,
        registrations: Iterable[Registration],
        *,
        who: str,
        why: str = "",
        etags: Mapping[str, str | None] | None = None,
    ) -> tuple[Change, ...]:
        """Store these images; the others stay. Registering the same again changes nothing.

        `etags` says, by image, what the caller saw: an ETag, or None for "not registered". Raises InputError as
        `changes` does, ConflictError when an image is not as the caller saw it, or changed meanwhile.
        """
        wanted = _by_name(registrations)
        changes, stored = self._compare(wanted)
        _check_seen(etags or {}, stored)
        for part in batched(changes, _AT_ONCE, strict=False):
            self._commit(part, wanted, stored, who=who, why=why)
        self._audit("register", changes, who=who, why=why)
        return changes

    def unregister(
        self, names: Iterable[str], *, who: str, why: str, etags: Mapping[str, str | None] | None = None
    ) -> tuple[Change, ...]:
        """Take images out of the lineage: their history stays, cascades no longer rebuild them.

        Raises NotFoundError when one is not registered, InputError without a reason, ConflictError as `register`.
        """
        if not why.strip():
            raise InputError("unregistering needs a reason: --reason TEXT")
        gone = sorted(set(names))
        stored = self._records(gone)
        if missing := [name for name in gone if name not in stored]:
            raise NotFoundError(f"no image {missing[0]} is registered; see `groundswell lineage show`")
        _check_seen(etags or {}, stored)
        changes = tuple(
            Change(
                name=name,
                action=Action.UNREGISTERED,
                fields={key: (value, None) for key, value in stored[name].value.items()},
            )
            for name in gone
        )
        for part in batched(changes, _AT_ONCE, strict=False):
            self._commit(part, {}, stored, who=who, why=why)
        self._audit("unregister", changes, who=who, why=why)
        return changes

    def forget_changes(self, *, most: int = MAX_COMMIT) -> int:
        """Drop at most `most` of the oldest changes that nobody follows any more; returns how many.

        What became of an image stays, in its history.
        """
        newest = _change_row(max(0, self._revision() - _FOLLOWED))
        oldest = self._store.scan(TABLE, PARTITION, prefix=_CHANGE, limit=most)
        writes = [Delete(row=record.row, etag=ANY) for record in oldest if record.row <= newest]
        self._store.commit(TABLE, PARTITION, writes)
        return len(writes)

    def _compare(self, wanted: Mapping[str, Registration]) -> tuple[tuple[Change, ...], Mapping[str, Record]]:
        stored = self._records(sorted(wanted))
        found = (_difference(stored.get(name), registration) for name, registration in wanted.items())
        changes = tuple(change for change in found if change is not None)
        self._check({change.name: wanted[change.name] for change in changes})
        return changes, stored

    def _check(self, wanted: Mapping[str, Registration]) -> None:
        """Raises InputError when the lineage does not take these images; it stays as it is."""
        nodes = {name: item.node for name, item in wanted.items()}
        with self.lineage() as lineage:
            try:
                lineage.apply(lineage.apply(nodes))
            except LineageError as exc:
                raise InputError(str(exc)) from exc
            undo: list[Changes] = []
            try:
                for part in batched(nodes.items(), _AT_ONCE, strict=False):
                    undo.append(lineage.apply(dict(part)))  # noqa: PERF401  # what was applied must be undone
            except LineageError as exc:
                raise InputError(
                    f"{exc}: for a moment, because images are stored {_AT_ONCE} at a time; "
                    "register the images it names by themselves first"
                ) from exc
            finally:
                for former in reversed(undo):
                    lineage.apply(former)

    def _commit(
        self,
        changes: Sequence[Change],
        wanted: Mapping[str, Registration],
        stored: Mapping[str, Record],
        *,
        who: str,
        why: str,
    ) -> None:
        """One revision: the images, their history, the number. Checked again when others were faster."""
        moved = ""
        for attempt in retry_conflicts():
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    moved = self._moved(changes, stored)
                    self._check({change.name: wanted[change.name] for change in changes if change.name in wanted})
                if not moved:
                    self._store.commit(TABLE, PARTITION, self._writes(changes, wanted, stored, who=who, why=why))
                    self._asked = (0, -math.inf)
        if moved:
            raise ConflictError(f"somebody else changed {moved} meanwhile; look at it, then run it again")

    def _writes(
        self,
        changes: Sequence[Change],
        wanted: Mapping[str, Registration],
        stored: Mapping[str, Record],
        *,
        who: str,
        why: str,
    ) -> list[Write]:
        record = self._store.get(TABLE, PARTITION, _REVISION)
        revision = (record.value["revision"] if record else 0) + 1
        writes: list[Write] = [
            Put(row=_REVISION, value={"revision": revision}, etag=_etag(record)),
            Put(row=_change_row(revision), value={"images": [change.name for change in changes]}, etag=None),
        ]
        at = self._clock()
        for change in changes:
            known, new = stored.get(change.name), wanted.get(change.name)
            if new is None:
                writes.append(Delete(row=IMAGE + change.name, etag=known.etag if known else ""))
            else:
                writes.append(Put(row=IMAGE + change.name, value=to_json(new), etag=known.etag if known else None))
            line = history.line(change.action, change.fields, at=at, who=who, why=why, revision=revision)
            writes.append(Put(row=history.row(change.name, revision), value=line, etag=None))
        return writes

    def _moved(self, changes: Sequence[Change], stored: Mapping[str, Record]) -> str:
        """The first image that is no longer as it was loaded."""
        now = self._records([change.name for change in changes])
        return next((c.name for c in changes if _etag(stored.get(c.name)) != _etag(now.get(c.name))), "")

    def _audit(self, action: str, changes: Sequence[Change], *, who: str, why: str) -> None:
        if not changes:
            return
        shown = changes[:50]
        audit.record(
            self._store,
            at=self._clock(),
            who=who,
            action=action,
            subject=", ".join(change.name for change in changes)[:1000],
            why=why,
            before={c.name: {f: v[0] for f, v in c.fields.items()} for c in shown if not c.new},
            after={c.name: {f: v[1] for f, v in c.fields.items()} for c in shown},
        )

    # Loading.

    @contextmanager
    def _now(self, *, age: float = 0.0) -> Iterator[_Loaded]:
        """What is loaded, brought up to now, for this thread alone while the block lasts."""
        revision = self._revision(age)
        with self._loaded.lock:
            if revision > self._loaded.revision:
                self._follow(revision)
            yield self._loaded

    def _revision(self, age: float = 0.0) -> int:
        revision, asked_at = self._asked
        now = self._clock()
        if not 0 <= now - asked_at < age:  # below 0 the clock was put back
            record = self._store.get(TABLE, PARTITION, _REVISION)
            revision = record.value["revision"] if record else 0
            self._asked = (revision, now)
        return revision

    def _records(self, names: Sequence[str]) -> dict[str, Record]:
        if len(names) <= _FEW:
            found = {name: self._store.get(TABLE, PARTITION, IMAGE + name) for name in names}
            return {name: record for name, record in found.items() if record is not None}
        wanted = set(names)
        everything = self._store.scan(TABLE, PARTITION, prefix=IMAGE)
        return {name: record for record in everything if (name := record.row.removeprefix(IMAGE)) in wanted}

    def _one_by_one(self, names: Iterable[str]) -> Iterator[Registration]:
        for name in names:
            record = self._store.get(TABLE, PARTITION, IMAGE + name)
            if record is not None:
                yield from_json(record.value)

    def _follow(self, revision: int) -> None:
        """Bring the loaded lineage up to now: by what changed since, or from the ground up."""
        loaded = self._loaded
        if loaded.revision and revision - loaded.revision <= _BEHIND:
            changes: dict[str, _Read | None] = {}
            loaded_to = self._catch_up(changes, loaded.revision)
            loaded.lineage.apply({name: read.node if read else None for name, read in changes.items()})
        else:
            records = self._store.scan(TABLE, PARTITION, prefix=IMAGE)
            changes = {read.node.name: read for read in map(_read, records)}
            loaded_to = self._catch_up(changes, revision)
            loaded.lineage = Lineage(read.node for read in changes.values() if read is not None)
            loaded.briefs = {}
        for name, read in changes.items():
            if read is None:
                loaded.briefs.pop(name, None)
            else:
                loaded.briefs[name] = read.brief
        loaded.revision = loaded_to

    def _catch_up(self, found: dict[str, _Read | None], since: int) -> int:
        """Read what changed after the revision `since` into `found`; returns the revision they are of then.

        What is read while somebody writes may be newer than the revision that was looked for: it goes on until
        nothing was written in between, and so never holds half a registration.
        """
        while since < (revision := self._revision()):
            for number in range(since + 1, revision + 1):
                change = self._store.get(TABLE, PARTITION, _change_row(number))
                for name in change.value["images"] if change else ():
                    record = self._store.get(TABLE, PARTITION, IMAGE + name)
                    found[name] = _read(record) if record else None
            since = revision
        return since


def _read(record: Record) -> _Read:
    return _Read(node=node(record.value), brief=_brief(record.value))


def _brief(document: Json) -> Brief:
    workloads = tuple(str(workload(each)) for each in document["deployments"])
    return Brief(owner=sys.intern(document["owner"]), workloads=workloads)  # few teams have many images


def _by_name(registrations: Iterable[Registration]) -> dict[str, Registration]:
    return {registration.name: registration for registration in registrations}


def _difference(record: Record | None, registration: Registration) -> Change | None:
    """What registering would change about an image, if anything."""
    old, new = dict(record.value) if record else {}, _plain(to_json(registration))
    fields = {key: (old.get(key), value) for key, value in new.items() if old.get(key) != value}
    if record is None:
        return Change(name=registration.name, action=Action.REGISTERED, fields=fields)
    return Change(name=registration.name, action=Action.CHANGED, fields=fields) if fields else None


def _check_seen(etags: Mapping[str, str | None], stored: Mapping[str, Record]) -> None:
    for name, seen in etags.items():
        if seen != _etag(stored.get(name)):
            raise ConflictError(f"{name} is not as you saw it; look at it, then decide again")


def _etag(record: Record | None) -> str | None:
    return record.etag if record else None


def _change_row(revision: int) -> str:
    return f"{_CHANGE}{revision:012d}"


def _plain(value: Any) -> Any:
    """As JSON has it: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
