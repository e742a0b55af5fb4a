"""BuildKit's provenance: which images a build used."""

from typing import Any

import pytest

from groundswell.errors import PermanentError
from groundswell.registry.manifests import attestations, children, config_of
from groundswell.registry.port import NotAnImageError
from groundswell.registry.provenance import MAX_STATEMENT, images, statements

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
HEX = "8" * 64
DIGEST = f"sha256:{HEX}"


def v02(*materials: object, **args: str) -> dict[str, Any]:
    return {"predicate": {"materials": list(materials), "invocation": {"parameters": {"args": args}}}}


def v1(*materials: object, **args: str) -> dict[str, Any]:
    definition = {"resolvedDependencies": list(materials), "externalParameters": {"request": {"args": args}}}
    return {"predicate": {"buildDefinition": definition}}


def material(uri: str, sha256: object = HEX) -> dict[str, Any]:
    return {"uri": uri, "digest": {"sha256": sha256}}


@pytest.mark.parametrize(
    ("uri", "reference"),
    [
        ("pkg:docker/alpine@3.17?platform=linux%2Famd64", f"docker.io/library/alpine:3.17@{DIGEST}"),
        ("pkg:docker/alpine@latest", f"docker.io/library/alpine:latest@{DIGEST}"),
        ("pkg:docker/user/test@v2", f"docker.io/user/test:v2@{DIGEST}"),
        ("pkg:docker/ghcr.io/foo/bar@v2", f"ghcr.io/foo/bar:v2@{DIGEST}"),
        ("pkg:docker/localhost%3A5000/a/b@1", f"localhost:5000/a/b:1@{DIGEST}"),
        (f"pkg:docker/alpine?digest=sha256:{'1' * 64}", f"docker.io/library/alpine@{DIGEST}"),
        (f"pkg:docker/alpine@sha256:{'1' * 64}", f"docker.io/library/alpine@{DIGEST}"),
        (f"pkg:docker/alpine@3?digest=sha256%3A{'1' * 64}&platform=x", f"docker.io/library/alpine:3@{DIGEST}"),
    ],
)
def test_package_urls(uri: str, reference: str) -> None:
    """As util/purl/image_test.go of moby/buildkit has them; the digest that was used goes before the pinned one."""
    assert [str(each) for each in images(v02(material(uri)))] == [reference]
    assert images(v1(material(uri))) == images(v02(material(uri)))


def test_a_digest_only_in_the_url() -> None:
    (found,) = images(v1({"uri": f"pkg:docker/alpine@3?digest={DIGEST}"}))
    assert str(found) == f"docker.io/library/alpine:3@{DIGEST}"


@pytest.mark.parametrize(
    "entry",
    [
        material("https://github.com/moby/buildkit.git#refs/tags/v0.11.0"),
        material("pkg:oci/local@sha256:1"),
        material("pkg:docker/UPPER@1"),
        material("pkg:docker/"),
        material("pkg:docker/alpine@3", "short"),
        {"uri": 7},
        {},
        "text",
        None,
    ],
)
def test_what_is_no_image_says_nothing(entry: object) -> None:
    assert images(v02(entry)) == images(v1(entry)) == ()


@pytest.mark.parametrize(
    "statement",
    [{}, {"predicate": None}, {"predicate": {"materials": "x"}}, {"predicate": {"buildDefinition": []}}],
)
def test_what_is_no_provenance_says_nothing(statement: dict[str, Any]) -> None:
    assert images(statement) == ()


@pytest.mark.parametrize("make", [v02, v1])
@pytest.mark.parametrize("source", ["docker/dockerfile:1", f"docker/dockerfile:1@sha256:{'2' * 64}"])
def test_the_frontend_is_left_out(make: Any, source: str) -> None:
    used = material("pkg:docker/docker/dockerfile@1"), material("pkg:docker/alpine@3")
    assert [each.repository for each in images(make(*used, source=source))] == ["library/alpine"]
    assert len(images(make(*used, source="not a reference"))) == 2


def layer(kind: str, size: int = 7, media_type: str = "application/vnd.in-toto+json") -> dict[str, Any]:
    annotations = {"in-toto.io/predicate-type": kind}
    return {"mediaType": media_type, "digest": DIGEST, "size": size, "annotations": annotations}


def test_only_statements_of_provenance_are_read() -> None:
    slsa = "https://slsa.dev/provenance/v0.2"
    document = {"layers": [layer("https://spdx.dev/Document"), layer(slsa), layer(slsa, media_type="text/plain")]}
    assert len(statements(document, "x")) == 1
    with pytest.raises(PermanentError, match="more than the"):
        statements({"layers": [layer(slsa, MAX_STATEMENT + 1)]}, "x")


def test_attestations_of_an_index() -> None:
    def entry(digest: str, kind: str | None) -> dict[str, Any]:
        annotations = {"vnd.docker.reference.type": kind} if kind else {}
        media_type = "application/vnd.oci.image.manifest.v1+json"
        return {"mediaType": media_type, "digest": digest, "size": 1, "annotations": annotations}

    document = {"manifests": [entry("a", None), entry("b", "attestation-manifest"), entry("c", "other")]}
    assert attestations(document, "x") == ("b",)
    assert [each.digest for each in children(document, "x")] == ["a"]


@pytest.mark.parametrize(
    "document",
    [
        {"artifactType": "application/spdx+json", "config": {"mediaType": OCI_CONFIG, "digest": "a", "size": 1}},
        {
            "config": {"mediaType": OCI_CONFIG, "digest": "a", "size": 1},
            "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json"}],
        },
    ],
)
def test_artifacts_with_an_image_config_are_no_images(document: dict[str, Any]) -> None:
    with pytest.raises(NotAnImageError):
        config_of(document, "x")


def test_an_index_may_be_another_artifact() -> None:
    with pytest.raises(NotAnImageError, match=r"application/vnd\.example"):
        children({"artifactType": "application/vnd.example", "manifests": []}, "x")
