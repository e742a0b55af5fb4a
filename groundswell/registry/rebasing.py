"""Carries out a rebase (`rebase.py`) in a registry, whichever adapter reads and writes.

Layers are made known to the image's repository before the manifests that name them are put, and the tag comes last:
interrupted anywhere, nothing is there under it, and the next run does the same again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from graph.reference import Reference
from groundswell.errors import PermanentError
from groundswell.registry.assembly import Blob, Find, Manifest
from groundswell.registry.inherit import NotRebasableError
from groundswell.registry.manifests import INDEXES, MAX_CONFIG, children, config_of, json_object
from groundswell.registry.rebase import Single, layers, rebase, regroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """How a registry is written to. Each may be repeated.

    `share` makes layers of the new base's repository known to the image's, by digest; `blob` uploads one to the
    image's repository; `put` puts a manifest there (bytes, media type) under a tag, or its digest alone (None).
    """

    share: Callable[[Collection[str]], None]
    blob: Callable[[bytes], None]
    put: Callable[[bytes, str, str | None], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An image or index: its own manifest, and the images of its platforms, by the digests of their manifests."""

    manifest: Manifest
    singles: Mapping[str, Single]

    def only(self, platform: str, what: str) -> Single:
        fitting = [single for single in self.singles.values() if single.platform == platform]
        if len(fitting) != 1:
            raise NotRebasableError(f"{what} has {len(fitting) or 'no'} images for {platform}")
        return fitting[0]


def carry_out(
    image: Reference, *, old: Reference, new: Reference, tag: str, find: Find, blob: Blob, write: Write
) -> str:
    """Put `image` onto `new`, under `tag`; all references by digest, `new` also by its tag. Returns the digest.

    Raises NotRebasableError when it cannot be done without a build, for one platform or for all.
    """
    name, digest = str(new.without_digest()), str(new.digest)
    own = _read(image, find, blob)
    wanted = frozenset(single.platform for single in own.singles.values())
    below, above = (_read(reference, find, blob, wanted) for reference in (old, new))
    rebased = {
        former: rebase(
            single,
            below.only(single.platform, f"the old base {old}"),
            above.only(single.platform, f"the base {new}"),
            name=name,
            digest=digest,
        )
        for former, single in own.singles.items()
    }
    if not rebased:
        raise NotRebasableError(f"{image} has no platform")
    known = {layer for single in own.singles.values() for layer in layers(single)}
    swapped = (layer for single in rebased.values() for layer in layers(single) if layer not in known)
    write.share(tuple(dict.fromkeys(swapped)))
    for single in rebased.values():
        write.blob(single.config)
    if own.manifest.media_type not in INDEXES:
        (single,) = rebased.values()
        return write.put(single.manifest, single.media_type, tag)
    for single in rebased.values():
        write.put(single.manifest, single.media_type, None)
    grouped = regroup(own.manifest.content, own.manifest.media_type, rebased, name=name, digest=digest)
    return write.put(grouped, own.manifest.media_type, tag)


def _read(reference: Reference, find: Find, blob: Blob, platforms: Collection[str] = ()) -> _Found:
    """Of an index only the images for these platforms, if any are named."""
    manifest = find(reference)
    if manifest is None:
        raise NotRebasableError(f"{reference} is not in its registry any more")
    if manifest.media_type not in INDEXES:
        return _Found(manifest=manifest, singles={manifest.digest: _single(reference, manifest, blob)})
    document = json_object(manifest.content, str(reference))
    found = children(document, str(reference))
    fitting = [child for child in found if not platforms or not child.platform or child.platform in platforms]
    parts = [reference.with_digest(child.digest) for child in fitting]
    return _Found(manifest=manifest, singles={str(part.digest): _child(part, find, blob) for part in parts})


def _child(reference: Reference, find: Find, blob: Blob) -> Single:
    manifest = find(reference)
    if manifest is None:
        raise PermanentError(f"{reference}: the index names it, but the registry does not have it")
    return _single(reference, manifest, blob)


def _single(reference: Reference, manifest: Manifest, blob: Blob) -> Single:
    config = config_of(json_object(manifest.content, str(reference)), str(reference))
    return Single(
        manifest=manifest.content,
        media_type=manifest.media_type,
        config=blob(reference, config, MAX_CONFIG),
    )
