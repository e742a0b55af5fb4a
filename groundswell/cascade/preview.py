"""What a push would do, before anybody pushes: the images in the order of their builds, the time, the rollouts."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graph.impact import critical_path, dependants_of, forecast, impact, remaining_paths
from graph.lineage import Edge, EdgeKind
from graph.reference import InvalidReferenceError, Reference
from groundswell.cascade.durations import Durations
from groundswell.deploy.port import Workload
from groundswell.errors import InputError
from groundswell.lineage.catalog import Catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One image: rebuilt, or (`held`) standing on a pin or a tag that does not move. `seconds` is an estimate."""

    image: str
    depth: int
    waits_for: tuple[str, ...]
    kind: EdgeKind
    held: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a push of `base` would do. `seconds` is the whole cascade's, `rolls` the workloads by image."""

    base: str
    lines: tuple[Line, ...]
    critical_path: tuple[str, ...]
    seconds: float
    rolls: tuple[tuple[str, Workload], ...]
    frontend_of: tuple[str, ...]


type Estimates = Callable[[Iterable[str]], Mapping[str, float]]
"""How many seconds each of these images takes."""


def preview(text: str, *, catalog: Catalog, durations: Durations, slots: int) -> Preview:
    """The preview of a push of the reference `text`, or of the first tag of the registered image of that name.

    Raises InputError when `text` is neither.
    """
    found = foreseen(text, catalog=catalog, estimates=durations.estimates, slots=slots)
    images = [line.image for line in found.lines if not line.held]
    rolls = tuple((item.name, target) for item in catalog.registrations(images) for target in item.deployments)
    return replace(found, rolls=rolls)


def foreseen(text: str, *, catalog: Catalog, estimates: Estimates, slots: int) -> Preview:
    """The preview but for the workloads: of many images, their registrations are most of what is to be read."""
    with catalog.lineage() as lineage:
        node = lineage.node(text)
        base = node.publishes[0] if node else _canonical(text)
        found = impact(lineage, base)
        frontend_of = lineage.built_by(base)
    images = [affected.image for affected in found.images]
    seconds = estimates([*images, *(edge.image for edge in found.held)])
    dependants = dependants_of(found.images)
    paths = remaining_paths(dependants, {image: seconds[image] for image in images})
    expected = forecast(found.images, paths, seconds, slots)
    by_name = {affected.image: affected for affected in found.images}
    rebuilt = [
        Line(
            image=name,
            depth=by_name[name].depth,
            waits_for=by_name[name].waits_for,
            kind=by_name[name].kind,
            held="",
            seconds=seconds[name],
        )
        for name in expected.order
    ]
    return Preview(
        base=base,
        lines=(*rebuilt, *(_held(edge, seconds[edge.image]) for edge in found.held)),
        critical_path=critical_path(dependants, paths),
        seconds=expected.seconds,
        rolls=(),
        frontend_of=frontend_of,
    )


def to_json(found: Preview) -> dict[str, Any]:
    """The preview as `groundswell impact --json` prints it; seconds are rounded to tenths."""
    return {
        "base": found.base,
        "images": [
            {
                "image": line.image,
                "depth": line.depth,
                "waits_for": list(line.waits_for),
                "edge": line.kind.value,
                "pinned": bool(line.held),
                "held_by": line.held or None,
                "estimated_seconds": round(line.seconds, 1),
            }
            for line in found.lines
        ],
        "critical_path": list(found.critical_path),
        "estimated_makespan_seconds": round(found.seconds, 1),
        "workloads": [
            {
                "image": image,
                "cluster": target.cluster,
                "namespace": target.namespace,
                "kind": target.kind.value,
                "name": target.name,
                "container": target.container,
            }
            for image, target in found.rolls
        ],
        "frontend_of": list(found.frontend_of),
    }


def _canonical(text: str) -> str:
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError as exc:
        raise InputError(f"{text!r} is neither a registered image nor a reference: {exc}") from exc
    return str(reference.without_digest())


def _held(edge: Edge, seconds: float) -> Line:
    return Line(image=edge.image, depth=1, waits_for=(), kind=edge.kind, held=edge.base, seconds=seconds)
