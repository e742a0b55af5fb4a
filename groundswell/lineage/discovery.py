"""Reads a registry and finds out who stands on whom, then holds it against what is registered.

An image is read once, however many tags point at it. Bases that are named and lie outside of what was asked for are
read beside it, and where a base's tag has moved on, what it was before is looked for among the manifests without a
tag: an image that was not rebuilt yet stands on that.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from graph.differences import Differences, compare
from graph.discover import Discovery
from graph.findings import Finding, Known, Place
from graph.lineage import EdgeKind, Lineage
from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError, NotFoundError
from groundswell.lineage.reading import Progress, Reader, Unreadable, Wanted, silent
from groundswell.registry.artifacts import is_of_artifacts
from groundswell.registry.port import Registry, Tag

CANDIDATE = "gs-"
"""Tags of our own images that wait for promotion begin so."""
UNTAGGED = 200
"""How many of the newest manifests without a tag are read of a repository whose base has moved; each promotion
attaches several, which count as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """`images` counts digests; `candidates` and `artifacts` count the tags that were passed over."""

    repositories: int
    tags: int
    images: int
    candidates: int
    artifacts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a registry tells. `found` has the findings of each image by its reference, in its order."""

    registry: str
    counts: Counts
    images: tuple[Known, ...]
    found: Mapping[str, tuple[Finding, ...]]
    differences: Differences
    unreadable: tuple[Unreadable, ...]


def discover(
    registry: Registry,
    host: str,
    lineage: Lineage,
    *,
    repositories: Sequence[str] = (),
    newest: int | None = None,
    progress: Progress = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Everything about the images of `host` (a login server) in repositories that match a glob, or in all.

    Of each repository the `newest` tags are read, or all, and those that are registered. Raises InputError when
    `host` is no login server, NotFoundError when no repository matches, and what the registry raises when it cannot
    be read at all.
    """
    _check(host)
    return _Survey(
        Reader(registry, host, progress=progress, sleep=sleep), host, lineage, repositories, newest
    ).report()


class _Survey:
    def __init__(
        self, reader: Reader, host: str, lineage: Lineage, globs: Sequence[str], newest: int | None
    ) -> None:
        self._reader = reader
        self._host = host
        self._lineage = lineage
        self._globs = globs
        self._newest = newest
        self._registered = {tag for node in lineage for tag in node.publishes}
        self._known: dict[str, Known] = {}
        self._unread: set[str] = set()

    def report(self) -> Report:
        names = [name for name in self._reader.repositories() if self._matches(name)]
        if self._globs and not names:
            raise NotFoundError(f"{self._host} has no repository that matches {', '.join(self._globs)}")
        tags = candidates = artifacts = 0
        wanted: dict[str, Wanted] = {}
        self._unread.update(f"{self._host}/{name}" for name in names)
        for name, listed in self._reader.tags(names):
            self._unread.discard(f"{self._host}/{name}")
            tags += len(listed)
            candidates += sum(tag.name.startswith(CANDIDATE) for tag in listed)
            artifacts += sum(is_of_artifacts(tag.name) for tag in listed)
            self._want(wanted, name, listed)
        self._unread.update(tag for item in wanted.values() for tag in item.tags)
        for item, image in self._reader.images(list(wanted.values())):
            self._unread.difference_update(item.tags)
            if image:
                self._known[image.digest] = image
            else:
                artifacts += len(item.tags)
        if self._reader.unreadable and not self._known:
            raise self._reader.unreadable[0].error
        subjects = set(self._known)
        self._read_bases()
        discovery, found, differences = self._infer(subjects)
        if self._read_old(found, differences.registered):
            discovery, found, differences = self._infer(subjects)
        return Report(
            registry=self._host,
            counts=Counts(
                repositories=len(names),
                tags=tags,
                images=len(subjects),
                candidates=candidates,
                artifacts=artifacts,
            ),
            images=tuple(image for image in discovery.images if image.reference in found),
            found=found,
            differences=differences,
            unreadable=tuple(self._reader.unreadable),
        )

    def _matches(self, repository: str) -> bool:
        return not self._globs or any(fnmatchcase(repository, glob) for glob in self._globs)

    def _within(self, reference: Reference) -> bool:
        """Whether it was looked for, and could be read where it is there."""
        asked_for = reference.registry == self._host and self._matches(reference.repository)
        return asked_for and self._unread.isdisjoint((reference.name, str(reference)))

    def _want(self, wanted: dict[str, Wanted], repository: str, listed: Iterable[Tag]) -> None:
        """Add the tags to read of one repository, by digest."""
        taken = 0
        for tag in listed:
            if tag.name.startswith(CANDIDATE) or is_of_artifacts(tag.name):
                continue
            reference = Reference(registry=self._host, repository=repository, tag=tag.name)
            taken += 1
            if self._newest and taken > self._newest and str(reference) not in self._registered:
                continue
            by_digest = Reference(registry=self._host, repository=repository, digest=tag.digest)
            before = wanted.get(tag.digest, Wanted(reference=by_digest))
            wanted[tag.digest] = replace(before, tags=tuple(sorted({*before.tags, str(reference)})))

    def _read_bases(self) -> None:
        """What images and registrations name as their base in this registry, and was not read yet."""
        named = {claim.base for image in self._known.values() for claim in image.claims}
        named |= {base for node in self._lineage for base in (node.runtime, *node.build) if base}
        tags = {tag for image in self._known.values() for tag in image.references}
        digests = self._digests()
        wanted: dict[str, Wanted] = {}
        for base in map(Reference.parse, sorted(named)):
            if base.registry != self._host:
                continue
            tag = str(base.without_digest())
            if base.tag and tag not in tags:
                wanted[tag] = Wanted(reference=base.without_digest(), tags=(tag,))
            if base.digest and base.digest not in digests:
                wanted[base.digest] = Wanted(
                    reference=Reference(registry=base.registry, repository=base.repository, digest=base.digest)
                )
        for image in self._reader.bases(list(wanted.values())):
            self._add(image)

    def _read_old(self, found: Mapping[str, Sequence[Finding]], registered: Sequence[Finding]) -> bool:
        """What bases were before; whether there was anything to read.

        Those for which the layers prove nothing; and where an image stands on nothing known and is nobody's base,
        all that are registered, for it may stand on what one of them was.
        """
        findings = [*registered, *(each for items in found.values() for each in items)]
        bases = {
            Reference.parse(finding.base)
            for finding in findings
            if finding.kind is EdgeKind.RUNTIME and not finding.platforms and finding.place is Place.HERE
        }
        registered_bases = self._lineage.bases()
        stood_on = {*registered_bases, *(finding.base for finding in findings)}
        if any(not items and image not in stood_on for image, items in found.items()):
            read = {image.name for image in self._known.values()}
            bases |= {base for base in map(Reference.parse, registered_bases) if base.name in read}
        doubtful = {base.repository for base in bases if base.registry == self._host}
        digests = self._digests()
        wanted = [
            Wanted(reference=Reference(registry=self._host, repository=repository, digest=digest))
            for repository, untagged in self._reader.untagged(sorted(doubtful), UNTAGGED)
            for digest in untagged
            if digest not in digests
        ]
        for image in self._reader.bases(wanted):
            self._add(image)
        return bool(wanted)

    def _add(self, image: Known) -> None:
        before = self._known.get(image.digest)
        tags = {*(before.references if before else ()), *image.references}
        self._known[image.digest] = replace(before or image, references=tuple(sorted(tags)))

    def _digests(self) -> set[str]:
        """Of the images that were read, and of their platforms."""
        parts = {layers.digest for image in self._known.values() for layers in image.platforms}
        return parts.union(self._known)

    def _infer(self, subjects: set[str]) -> tuple[Discovery, dict[str, tuple[Finding, ...]], Differences]:
        parts = {
            layers.digest
            for image in self._known.values()
            for layers in image.platforms
            if layers.digest != image.digest
        }
        whole = [image for image in self._known.values() if image.references or image.digest not in parts]
        discovery = Discovery(self._host, whole)
        found = {image.reference: discovery.find(image) for image in discovery.images if image.digest in subjects}
        return discovery, found, compare(discovery, found, self._lineage, within=self._within)


def _check(host: str) -> None:
    try:
        good = Reference.parse(f"{host}/repository").registry == host
    except InvalidReferenceError:
        good = False
    if not good:
        raise InputError(f"{host!r} is no registry: give its login server, as in example.azurecr.io")
