"""Who stands on whom in a registry, as its images tell."""

from graph.findings import Basis, Place, Sureness
from groundswell.api.shapes.parts import MAYBE, TEXT, WHOLE, YES_NO, Json, Shape, array, fields, told

_BASE = "contoso.azurecr.io/mirror/debian:12"
_WEB = "contoso.azurecr.io/shop/web:1.4"
_DIGEST = "sha256:" + "3a" * 32
_EDGE: Json = {
    "base": _BASE,
    "kind": "runtime",
    "sureness": "proven",
    "basis": "layers",
    "place": "here",
    "stale": False,
    "base_digest": _DIGEST,
    "current_digest": _DIGEST,
    "platforms": ["linux/amd64"],
    "why": "begins with its layers (1)",
}
_COUNTS = ("repositories", "tags", "images", "candidates", "artifacts", "unreadable")


def shapes() -> dict[str, Shape]:
    edge: Json = {
        "base": TEXT,
        "kind": {"enum": ["runtime", "build"]},
        "sureness": {"enum": [each.value for each in Sureness]},
        "basis": {"enum": [each.value for each in Basis]},
        "place": {"enum": [each.value for each in Place]},
        "stale": YES_NO,
        "base_digest": told(MAYBE, "Which the image stands on, where that is known."),
        "current_digest": told(MAYBE, "Where the base's tag points, where that is known."),
        "platforms": array(TEXT, "Those that the layers prove."),
        "why": TEXT,
    }
    image = fields(
        image=told(TEXT, "By its first tag."),
        tags=array(TEXT),
        digest=TEXT,
        platforms=array(TEXT),
        stands_on=array(fields(edge)),
    )
    stranger = fields(
        image=TEXT,
        bases=array(TEXT),
        reaches=told(YES_NO, "It stands on something registered."),
        sibling=told(MAYBE, "A registered image with other tags of the repository."),
    )
    schema = fields(
        registry=TEXT,
        counts=fields(dict.fromkeys(_COUNTS, WHOLE)),
        images=array(image),
        registered=array(fields({"image": TEXT, **edge}), "Every registered edge, under the image's name."),
        unregistered=array(stranger, "What stands on something and is not registered."),
        missing=array(TEXT, "Registered images that the registry lacks."),
        unreadable=array(fields(subject=TEXT, error=TEXT)),
    )
    example: Json = {
        "registry": "contoso.azurecr.io",
        "counts": dict.fromkeys(_COUNTS, 0) | {"repositories": 2, "tags": 2, "images": 2},
        "images": [
            {"image": _WEB, "tags": [_WEB], "digest": _DIGEST, "platforms": ["linux/amd64"], "stands_on": [_EDGE]}
        ],
        "registered": [{"image": "shop/web", **_EDGE}],
        "unregistered": [],
        "missing": [],
        "unreadable": [],
    }
    return {"Discovered": Shape(schema=schema, example=example)}
