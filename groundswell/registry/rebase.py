"""Puts an image on another base without building it: the base's layers are swapped, its own stay as they are. Pure.

A layer of an image is what it changed in the file system below, whatever that was, so layers can be put on others
(the idea of `crane rebase`, go-containerregistry). What a build would have made of the new base anew (files that a
command derived from the base's) stays as it was: that is for who registers the image to judge.

The same documents always give the same bytes, so the result has one digest, however often it is made. `created`
stays: it tells of the image's own layers.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groundswell.registry.inherit import BASE_DIGEST, BASE_NAME, NotRebasableError, inherit, renamed
from groundswell.registry.manifests import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, json_object, platform_name

_OCI_LAYERS = "application/vnd.oci.image.layer.v1.tar"
_DOCKER_LAYERS = "application/vnd.docker.image.rootfs.diff.tar"
_PACKINGS = ("", "gzip", "zstd")
_LAYERS = {
    OCI_MANIFEST: {packing: f"{_OCI_LAYERS}{'+' if packing else ''}{packing}" for packing in _PACKINGS},
    DOCKER_MANIFEST: {packing: f"{_DOCKER_LAYERS}{'.' if packing else ''}{packing}" for packing in ("", "gzip")},
}
"""What a manifest of each kind calls a layer of each packing. Docker's knows no zstd."""
_PACKED = {
    **{name: packing for packing, name in _LAYERS[OCI_MANIFEST].items()},
    **{name: packing for packing, name in _LAYERS[DOCKER_MANIFEST].items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """An image of one platform as its registry keeps it: manifest and config, as bytes."""

    manifest: bytes
    media_type: str
    config: bytes

    @property
    def platform(self) -> str:
        config = json_object(self.config, "an image config")
        return platform_name(*(str(config.get(key) or "") for key in ("os", "architecture", "variant")))

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)


def rebase(image: Single, old: Single, new: Single, *, name: str, digest: str) -> Single:
    """`image`, which stands on `old`, on `new` instead; `name` and `digest` are how the new base is referred to.

    Raises NotRebasableError, with the reason, when the chains do not fit; PermanentError for what is no image.
    """
    own, below, above = (_read(each, what) for each, what in ((image, "it"), (old, "its base"), (new, "the base")))
    for base, what in ((old, "old"), (new, "new")):
        if base.platform != image.platform:
            raise NotRebasableError(f"it is for {image.platform}, the {what} base for {base.platform}")
    count, entries = len(below.diff_ids), len(below.history)
    if own.diff_ids[:count] != below.diff_ids:
        raise NotRebasableError("its layers do not begin with those of the base that it was built on")
    if own.history and not (below.history and above.history):
        raise NotRebasableError("it has a history, but one of the bases has none")
    if own.history and own.history[:entries] != below.history:
        raise NotRebasableError("its history does not begin with that of the base that it was built on")
    config = inherit(own.config, below.config, above.config, layers=len(own.diff_ids) > count)
    config["rootfs"] = {**own.config["rootfs"], "diff_ids": [*above.diff_ids, *own.diff_ids[count:]]}
    if own.history:
        config["history"] = [*above.history, *own.history[entries:]]
    packed = _written(renamed(config, name=name, digest=digest), image.config)
    swapped = [_renamed(layer, image.media_type) for layer in above.layers]
    manifest = {
        **own.manifest,
        "config": {**own.manifest["config"], "digest": digest_of(packed), "size": len(packed)},
        "layers": [*swapped, *own.layers[count:]],
    }
    if image.media_type == OCI_MANIFEST:  # Docker's manifests have none
        told = {BASE_NAME: name, BASE_DIGEST: digest}
        manifest["annotations"] = {**(own.manifest.get("annotations") or {}), **told}
    return Single(manifest=_written(manifest, image.manifest), media_type=image.media_type, config=packed)


def regroup(index: bytes, media_type: str, children: Mapping[str, Single], *, name: str, digest: str) -> bytes:
    """The index with its images replaced, by the digest each had; what else it named tells of those, and goes."""
    document = json_object(index, "an index")
    entries = [
        {**entry, "digest": child.digest, "size": len(child.manifest)}
        for entry in document["manifests"]
        if (child := children.get(entry["digest"])) is not None
    ]
    after = {**document, "manifests": entries}
    told = document.get("annotations") or {}
    if media_type == OCI_INDEX and (BASE_NAME in told or BASE_DIGEST in told):
        after["annotations"] = {**told, BASE_NAME: name, BASE_DIGEST: digest}
    return _written(after, index)


def layers(single: Single) -> tuple[str, ...]:
    """The digest of each layer as it is packed, base first."""
    return tuple(layer["digest"] for layer in json_object(single.manifest, "an image")["layers"])


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Documents:
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    layers: Sequence[Mapping[str, Any]]
    diff_ids: Sequence[str]
    history: Sequence[Mapping[str, Any]]


def _read(single: Single, what: str) -> _Documents:
    """Raises NotRebasableError when layers, diff_ids and history do not go together."""
    manifest, config = json_object(single.manifest, what), json_object(single.config, what)
    rootfs = config.get("rootfs")
    packed, history = _objects(manifest, "layers", what), _objects(config, "history", what)
    unpacked = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not (isinstance(unpacked, list) and unpacked):
        raise NotRebasableError(f"{what} has no layers")
    if len(packed) != len(unpacked):
        raise NotRebasableError(f"{what} has {len(packed)} layers, its config speaks of {len(unpacked)}")
    filled = sum(not entry.get("empty_layer") for entry in history)
    if history and filled != len(unpacked):
        raise NotRebasableError(f"{what} has {len(unpacked)} layers, its history tells of {filled}")
    return _Documents(manifest=manifest, config=config, layers=packed, diff_ids=unpacked, history=history)


def _objects(document: Mapping[str, Any], key: str, what: str) -> Sequence[Mapping[str, Any]]:
    """The list of objects under a key, empty where there is none."""
    found = document.get(key) or []
    if not (isinstance(found, list) and all(isinstance(each, dict) for each in found)):
        raise NotRebasableError(f"{what} is not what OCI says: its {key} are no list of objects")
    return found


def _renamed(layer: Mapping[str, Any], media_type: str) -> Mapping[str, Any]:
    """A layer's descriptor as a manifest of this kind writes it; the layer stays the same bytes."""
    kind = str(layer.get("mediaType"))
    packing = _PACKED.get(kind)
    name = None if packing is None or layer.get("urls") else _LAYERS[media_type].get(packing)
    if name is None:
        raise NotRebasableError(f"a layer of the base is {kind}, which a {media_type} cannot hold")
    return {**layer, "mediaType": name}


def _written(document: Mapping[str, Any], before: bytes) -> bytes:
    """As bytes; as those that there were, when they say the same."""
    if json.loads(before) == document:
        return before
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
