"""What a build is made of, and the key over it: two builds with the same key would make the same image. Pure.

The key goes over the source and its revision, how the Dockerfile is built and by whom, and the digest of every
base. Of a base for several platforms only what the image's own platform uses counts: a platform that lands later
changes nothing.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.lineage.model import Registration
from groundswell.registry.port import Image

_VERSION = 1
"""Of what the key goes over: raise it when that changes, so that no older key is taken for a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The inputs of one build. `revision` names the source's content (a commit, a digest).

    `bases` has, by reference as the Dockerfile resolves it, the digest of the manifests that the build uses, for
    runtime and build edges alike. `frontend` builds the image and leaves nothing in it: its name is enough.
    """

    location: str
    revision: str
    path: str
    dockerfile: str
    target: str | None
    build_args: Mapping[str, str]
    platforms: tuple[str, ...]
    frontend: str | None
    bases: Mapping[str, str]
    builder: str | None = None

    @property
    def key(self) -> str:
        """SHA-256 of all of it, in hex; the order of mappings does not matter.

        ACR Tasks, the builder that is None, is left out: so keys are what they were before there were others.
        """
        of = {name: value for name, value in asdict(self).items() if (name, value) != ("builder", None)}
        text = json.dumps({"v": _VERSION, **of}, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """What is kept with the rebuild; the rest of the inputs is in the registration that is kept there too."""
        return {"key": self.key, "revision": self.revision, "bases": dict(self.bases)}


def inputs(image: Registration, *, revision: str, bases: Mapping[str, str]) -> Inputs:
    """The inputs of a registered image, with its source at `revision` and its bases at these digests."""
    return Inputs(
        location=image.source.location,
        revision=revision,
        path=image.source.path,
        dockerfile=image.dockerfile,
        target=image.target,
        build_args=dict(image.build_args),
        platforms=image.platforms,
        frontend=image.frontend,
        bases=dict(bases),
        builder=image.builder,
    )


def unknown(why: str) -> dict[str, Any]:
    """What is kept with a rebuild whose inputs are not known for certain: no key, and the reason."""
    return {"unknown": why}


def used(base: Image, platforms: Iterable[str]) -> str:
    """The digests of the base's manifests for these platforms, in one text.

    Windows bases have a manifest for each release; the builder takes one of them, so all count. A base that does
    not name a platform counts as a whole.
    """
    found: list[str] = []
    for platform in platforms:
        own = sorted(each.digest for each in base.platforms if each.platform == platform)
        found += own or [base.digest]
    return ",".join(dict.fromkeys(found))
