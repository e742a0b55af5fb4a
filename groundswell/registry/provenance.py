"""Reads what BuildKit says about a build: SLSA provenance, v0.2 and v1, as in-toto statements. Pure.

Where it is: docs/attestations/attestation-storage.md of moby/buildkit. What is in it: docs/attestations/
slsa-definitions.md, and for the package URLs util/purl/image.go. A statement is the builder's word, no proof; one
that is not understood says nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import PermanentError
from groundswell.registry.manifests import Descriptor, descriptors

MAX_STATEMENT = 16 * 2**20
"""Bytes of a statement that are read; with `mode=max` one holds the whole build definition."""

_IN_TOTO = "application/vnd.in-toto+json"
_PREDICATE = "in-toto.io/predicate-type"
_SLSA = "https://slsa.dev/provenance/"
_DOCKER = "pkg:docker/"


def statements(document: Mapping[str, Any], subject: str) -> tuple[Descriptor, ...]:
    """The blobs of an attestation manifest that hold provenance. Raises PermanentError when one is too large."""
    found = tuple(
        layer
        for layer in descriptors(document, "layers", subject, media_types=(_IN_TOTO,))
        if layer.annotations.get(_PREDICATE, "").startswith(_SLSA)
    )
    for layer in found:
        if layer.size > MAX_STATEMENT:
            raise PermanentError(
                f"{subject}: a statement has {layer.size} bytes, more than the {MAX_STATEMENT} allowed"
            )
    return found


def images(statement: Mapping[str, Any]) -> tuple[Reference, ...]:
    """The images that a build used, with the digests they had, in the order in which they are named.

    The frontend of a `# syntax=` line is left out: it is a tool, nothing of it is in the image.
    """
    frontend = _frontend(statement)
    found = (_image(material) for material in _materials(statement))
    return tuple(dict.fromkeys(each for each in found if each and each.without_digest() != frontend))


def _materials(statement: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    predicate = _at(statement, "predicate")
    named = predicate.get("materials") or _at(predicate, "buildDefinition").get("resolvedDependencies")
    if isinstance(named, list):
        yield from (material for material in named if isinstance(material, dict))


def _frontend(statement: Mapping[str, Any]) -> Reference | None:
    """`source` of the gateway frontend, without its digest."""
    predicate = _at(statement, "predicate")
    places = (
        ("invocation", "parameters", "args"),
        ("buildDefinition", "externalParameters", "request", "args"),
        ("buildDefinition", "externalParameters", "parameters", "args"),  # BuildKit's first try at v1
    )
    source = next((found for keys in places if (found := _at(predicate, *keys).get("source"))), None)
    try:
        return Reference.parse(source).without_digest() if isinstance(source, str) else None
    except InvalidReferenceError:
        return None


def _image(material: Mapping[str, Any]) -> Reference | None:
    """`pkg:docker/NAMESPACE/NAME@TAG?digest=…&platform=…`; None for what is no image.

    The digest beside it is the one that was used; that in the URL is there when the Dockerfile pins it.
    """
    uri, digests = material.get("uri"), material.get("digest")
    if not isinstance(uri, str) or not uri.startswith(_DOCKER):
        return None
    path, _, query = uri.removeprefix(_DOCKER).partition("#")[0].partition("?")
    name, _, version = unquote(path).partition("@")
    pinned = parse_qs(query).get("digest", [""])[0]
    if ":" in version:  # a digest instead of a tag
        version, pinned = "", version
    used = digests.get("sha256") if isinstance(digests, dict) else None
    digest = f"sha256:{used}" if isinstance(used, str) else pinned
    try:
        return Reference.parse(name + (f":{version}" if version else "") + (f"@{digest}" if digest else ""))
    except InvalidReferenceError:
        return None


def _at(document: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The object under the keys, empty where there is none."""
    for key in keys:
        inner = document.get(key)
        if not isinstance(inner, dict):
            return {}
        document = inner
    return document
