"""What a registry tells, as JSON."""

from typing import Any

from graph.findings import Finding
from groundswell.lineage.discovery import Report


def to_json(report: Report) -> dict[str, Any]:
    """The report as `groundswell lineage discover --json` prints it, and the API tells it.

    `images` has every image once, by its first tag, with all its `tags`, its `digest`, its `platforms`, and what it
    `stands_on`. An edge has `base`, `kind` (runtime, build), `sureness` (proven, partial, claimed, disproved),
    `basis` (layers, annotation, label, provenance, registration), `place` of the base (here, absent, elsewhere),
    `stale`, `base_digest` (which the image stands on) and `current_digest` (where the base's tag points), each null
    when not known, the `platforms` that the layers prove, and `why`.

    `registered` has the same of every registered edge, under the `image`'s registered name. `unregistered` has the
    images that stand on something and are not registered: `bases`; whether that `reaches` something registered; a
    registered `sibling` with other tags of the repository, or null. `missing` names registered images that the
    registry lacks. `unreadable` has `subject` and `error` of what could not be read.
    """
    return {
        "registry": report.registry,
        "counts": {
            "repositories": report.counts.repositories,
            "tags": report.counts.tags,
            "images": report.counts.images,
            "candidates": report.counts.candidates,
            "artifacts": report.counts.artifacts,
            "unreadable": len(report.unreadable),
        },
        "images": [
            {
                "image": image.reference,
                "tags": list(image.references),
                "digest": image.digest,
                "platforms": list(dict.fromkeys(layers.platform for layers in image.platforms)),
                "stands_on": [_edge(finding) for finding in report.found[image.reference]],
            }
            for image in report.images
        ],
        "registered": [{"image": finding.image, **_edge(finding)} for finding in report.differences.registered],
        "unregistered": [
            {"image": each.image, "bases": list(each.bases), "reaches": each.reaches, "sibling": each.sibling}
            for each in report.differences.unregistered
        ],
        "missing": list(report.differences.missing),
        "unreadable": [{"subject": each.subject, "error": str(each.error)} for each in report.unreadable],
    }


def _edge(finding: Finding) -> dict[str, Any]:
    return {
        "base": finding.base,
        "kind": finding.kind.value,
        "sureness": finding.sureness.value,
        "basis": finding.basis.value,
        "place": finding.place.value,
        "stale": finding.stale,
        "base_digest": finding.base_digest,
        "current_digest": finding.current_digest,
        "platforms": list(finding.platforms),
        "why": finding.why,
    }
