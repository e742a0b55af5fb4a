"""What an image stands on, told from what the run really pulled, and the summary at the end of a log.

ACR reads this from the Dockerfile and asks the registry for digests afterwards, which a moved tag can falsify. Here
the store of the run knows: the runtime base is the pulled image whose layers and history the new image begins with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from graph.reference import Reference
from groundswell.local.tasks.model import Json, OutputImage


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a run's store; `history` has (created_by, comment) pairs."""

    names: tuple[str, ...]
    digest: str
    diff_ids: tuple[str, ...]
    history: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What one built image stands on: references with the digests that were pulled."""

    runtime: Reference | None
    build: tuple[Reference, ...]


def dependencies(built: Image, pulled: Sequence[Image]) -> Dependencies:
    """Which of the pulled images is the runtime base of `built` (scratch has none); the rest were for the build."""
    below = [image for image in pulled if _stands_on(built, image)]
    base = max(below, key=lambda image: (len(image.diff_ids), len(image.history)), default=None)
    runtime = _reference(base, built) if base else None
    others = [_named(name, image) for image in pulled for name in image.names]
    return Dependencies(runtime=runtime, build=tuple(sorted((one for one in others if one != runtime), key=str)))


def summary(outputs: Sequence[tuple[OutputImage, Dependencies]], *, commit: str = "") -> str:
    """The YAML that acr-builder ends its log with."""
    entries = []
    for image, found in outputs:
        entry: Json = {"image": _entry(image.registry, image.repository, image.tag, image.digest)}
        if found.runtime:
            entry["runtime-dependency"] = _of(found.runtime)
        if found.build:
            entry["buildtime-dependency"] = [_of(one) for one in found.build]
        entry["git"] = {"git-head-revision": commit} if commit else {}
        entries.append(entry)
    return yaml.safe_dump(entries, sort_keys=False).rstrip()


def _stands_on(image: Image, base: Image) -> bool:
    layers, lines = len(base.diff_ids), len(base.history)
    return (
        bool(layers)
        and image.diff_ids[:layers] == base.diff_ids
        and [by for by, _ in image.history[:lines]] == [by for by, _ in base.history]
    )


def _reference(base: Image, built: Image) -> Reference:
    """The name of the base; where one image was pulled under several, the one that the history says FROM of."""
    said = [comment for _, comment in built.history[len(base.history) :]]
    names = sorted(base.names, key=lambda name: (f"FROM {name}" not in said, name))
    return _named(names[0], base)


def _named(name: str, image: Image) -> Reference:
    return Reference.parse(name).with_digest(image.digest)


def _of(reference: Reference) -> Json:
    return _entry(reference.registry, reference.repository, reference.tag or "", reference.digest or "")


def _entry(registry: str, repository: str, tag: str, digest: str) -> Json:
    return {"registry": registry, "repository": repository, "tag": tag, "digest": digest}
