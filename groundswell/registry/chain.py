"""Does an image stand on a base, and is it what it was? Answered from layers and configs. Pure.

An image stands on a base when its layer chain (diff_ids, OCI image-spec `rootfs`) begins with the base's, for every
platform that it has. The base may have more platforms than the image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.registry.port import Image, PlatformImage


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformProof:
    """The verdict on one platform. `layers` counts those shared with the base; `reason` is empty when proven."""

    platform: str
    proven: bool
    layers: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`reasons` say what disproves it, a sentence each; `platforms` hold the verdict on each."""

    proven: bool
    reasons: tuple[str, ...]
    platforms: tuple[PlatformProof, ...]


def prove(image: Image, base: Image) -> Proof:
    """Whether every platform of `image` begins with the layers of `base`."""
    platforms = tuple(_prove(platform, base) for platform in image.platforms)
    reasons = tuple(platform.reason for platform in platforms if not platform.proven)
    if not platforms:
        reasons = ("the image has no platform",)
    return Proof(proven=not reasons, reasons=reasons, platforms=platforms)


def _prove(image: PlatformImage, base: Image) -> PlatformProof:
    """The best verdict among the base's images for the platform: Windows bases have one for each release."""
    verdicts = [_compare(image, below) for below in base.platforms if below.platform == image.platform]
    if verdicts:
        return max(verdicts, key=lambda verdict: (verdict.proven, verdict.layers))
    return PlatformProof(
        platform=image.platform, proven=False, layers=0, reason=f"the base has no {image.platform}"
    )


def _compare(image: PlatformImage, base: PlatformImage) -> PlatformProof:
    shared = 0
    for own, below in zip(image.diff_ids, base.diff_ids, strict=False):
        if own != below:
            break
        shared += 1
    reason = ""
    if not base.diff_ids:
        reason = f"the base has no layers for {base.platform}, so nothing can be proven"
    elif shared < len(base.diff_ids):
        reason = (
            f"the layers for {base.platform} do not begin with the base's: "
            f"{shared} of its {len(base.diff_ids)} are there, then {_short(image.diff_ids, shared)} "
            f"stands where the base has {_short(base.diff_ids, shared)}"
        )
    return PlatformProof(platform=image.platform, proven=not reason, layers=shared, reason=reason)


def _short(layers: tuple[str, ...], index: int) -> str:
    return layers[index][:19] if index < len(layers) else "nothing"


def same_content(one: Image, other: Image) -> bool:
    """Whether two images would run the same: platforms, layers and configs, but for what only tells of the build.

    Manifest annotations and compression are no part of the comparison, because nothing of them reaches a container.
    """
    return _contents(one) == _contents(other)


def _contents(image: Image) -> list[tuple[str, tuple[str, ...], Any]]:
    """In an order of its own: an index may name its platforms in any."""
    contents = [(platform.platform, platform.diff_ids, _config(platform.config)) for platform in image.platforms]
    return sorted(contents, key=lambda content: content[:2])


_TIMES = ("created", "history")
"""When it was built, and by what commands: what those did is in the layers and in the rest of the config."""
_BUILDER = ("container", "container_config", "docker_version", "id", "parent", "throwaway")
"""The classic Docker builder's: the container and the parent image it worked with, and its version."""
_BUILDKIT = "moby.buildkit."
"""BuildKit's inline cache and build information; the latter names the base's digest."""
_CONTAINER = ("Hostname", "Domainname", "Image")
"""Of `config`, set by the classic builder from its intermediate container."""
_LABELS = frozenset(
    {
        "io.buildah.version",  # written into every image that Buildah makes
        "build-date",  # Red Hat's, and the two below: a time
        "org.label-schema.build-date",
        "org.opencontainers.image.created",
        "org.opencontainers.image.base.digest",  # names the base; what came from it is in the layers
    }
)
"""Labels that change by rebuilding alone. A label with a version or a revision stays: somebody may read it."""


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the builder's marks; empty and absent are the same, as the runtimes take them."""
    kept = {
        key: value
        for key, value in config.items()
        if key not in _TIMES and key not in _BUILDER and not key.startswith(_BUILDKIT)
    }
    inner = dict(kept.pop("config", None) or {})
    labels = {key: value for key, value in (inner.pop("Labels", None) or {}).items() if key not in _LABELS}
    inner = {key: value for key, value in inner.items() if key not in _CONTAINER}
    return {"image": _filled(kept), "config": _filled(inner), "labels": labels}


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", False, [], {})}
