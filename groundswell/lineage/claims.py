"""What an image says of its base: annotations, labels, and the provenance of its build. Pure."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graph.chains import chain
from graph.findings import Basis, Claim, Known, Layers
from graph.reference import InvalidReferenceError, Reference
from groundswell.registry.port import Image, PlatformImage
from groundswell.registry.provenance import images

_NAME = "org.opencontainers.image.base.name"  # OCI image-spec, annotations.md
_DIGEST = "org.opencontainers.image.base.digest"
_TRUTHFUL = dt.datetime(1980, 1, 2, tzinfo=dt.UTC)
"""Builders that leave time out write a date up to 1980-01-01 (the year 1, 1970, or ZIP's first)."""


def known(
    image: Image, *, name: str, references: Sequence[str], statements: Iterable[Mapping[str, Any]] = ()
) -> Known:
    """`image` as the discovery takes it; `name` is `registry/repository`, `references` its canonical tags."""
    times = [at for platform in image.platforms if (at := _created(platform.config)) is not None]
    return Known(
        digest=image.digest,
        name=name,
        references=tuple(references),
        platforms=tuple(
            Layers(
                platform=platform.platform,
                digest=platform.digest,
                chain=chain(platform.diff_ids),
                history=_history(platform.config),
            )
            for platform in image.platforms
        ),
        claims=tuple(dict.fromkeys(_claims(image, statements))),
        created=min(times, default=None),
    )


def _claims(image: Image, statements: Iterable[Mapping[str, Any]]) -> Iterable[Claim]:
    for platform in image.platforms:
        yield from _named({**image.annotations, **platform.annotations}, Basis.ANNOTATION)
    for platform in image.platforms:
        yield from _named(_labels(platform), Basis.LABEL)
    for statement in statements:
        for reference in images(statement):
            yield Claim(base=str(reference), basis=Basis.PROVENANCE)


def _named(values: Mapping[str, Any], basis: Basis) -> Iterable[Claim]:
    """Empty values (Buildah, for scratch) and what is no reference say nothing."""
    name, digest = values.get(_NAME), values.get(_DIGEST)
    if not isinstance(name, str) or not name:
        return
    for text in (f"{name}@{digest}", name):
        try:
            reference = Reference.parse(text)
        except InvalidReferenceError:  # no digest, or one beside that in the name
            continue
        yield Claim(base=str(reference), basis=basis)
        return


def _labels(platform: PlatformImage) -> Mapping[str, Any]:
    config = platform.config.get("config")
    labels = config.get("Labels") if isinstance(config, dict) else None
    return labels if isinstance(labels, dict) else {}


def _history(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands, oldest first; a child keeps its base's as they are."""
    entries = config.get("history")
    if not isinstance(entries, list):
        return ()
    return tuple(str(entry.get("created_by") or "") for entry in entries if isinstance(entry, dict))


def _created(config: Mapping[str, Any]) -> float | None:
    text = config.get("created")
    try:
        at = dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if at is None or at.tzinfo is None or at < _TRUTHFUL:
        return None
    return at.timestamp()
