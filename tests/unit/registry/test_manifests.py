"""Manifests as registries hold them, and as nobody should."""

import json
from typing import Any

import pytest

from groundswell.errors import PermanentError
from groundswell.registry.manifests import (
    DOCKER_MANIFEST,
    MAX_CONFIG,
    MAX_PLATFORMS,
    OCI_INDEX,
    OCI_MANIFEST,
    children,
    config_of,
    json_object,
    platform_image,
    platform_name,
)

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("linux", "amd64"), "linux/amd64"),
        (("linux", "amd64", "v1"), "linux/amd64"),
        (("linux", "amd64", "v3"), "linux/amd64/v3"),
        (("linux", "arm64", "v8"), "linux/arm64"),
        (("linux", "arm"), "linux/arm/v7"),
        (("linux", "arm", "v6"), "linux/arm/v6"),
        (("", ""), ""),
    ],
)
def test_platforms_are_normalised(words: tuple[str, ...], name: str) -> None:
    assert platform_name(*words) == name


def entry(media_type: str = OCI_MANIFEST, **more: Any) -> dict[str, Any]:
    platform = {"os": "linux", "architecture": "amd64"}
    return {"mediaType": media_type, "digest": DIGEST, "size": 7, "platform": platform, **more}


def test_attestations_and_artifacts_are_no_platforms() -> None:
    unknown = {"os": "unknown", "architecture": "unknown"}
    document = {
        "manifests": [
            entry(),
            entry(platform=unknown),
            entry(annotations={"vnd.docker.reference.type": "attestation-manifest"}),
            entry(artifactType="application/spdx+json"),
            entry(DOCKER_MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
            entry(platform=None),  # the config has to say it
        ]
    }
    assert [each.platform for each in children(document, "x")] == ["linux/amd64", "linux/arm64", ""]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "manifests is not a list"),
        ({"manifests": ["text"]}, "manifests is not a list"),
        ({"manifests": [entry(OCI_INDEX)]}, "which is no image manifest"),
        ({"manifests": [entry(digest=None)]}, "no digest or no size"),
        ({"manifests": [entry(size=-1)]}, "no digest or no size"),
        ({"manifests": [entry({})]}, "the index names a {}, which is no image manifest"),  # type: ignore[arg-type]  # as found
        ({"manifests": [entry("a" * 100_000)]}, "the index names a a{255}, which"),
        ({"manifests": [entry(platform="linux/amd64")]}, "platform is no object"),
        ({"manifests": [entry(annotations=["a"])]}, "annotations is no object"),
        ({"manifests": [entry()] * (MAX_PLATFORMS + 1)}, "65 images, more than the 64"),
    ],
)
def test_an_index_that_is_not_understood(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(PermanentError, match=f"^x.*{reason}"):
        children(document, "x")


CONFIG = "application/vnd.oci.image.config.v1+json"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "is not a container image"),
        ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "is not a container image"),
        ({"config": {"mediaType": CONFIG, "digest": DIGEST, "size": MAX_CONFIG + 1}}, "more than the"),
        ({"config": {"mediaType": CONFIG, "digest": DIGEST}}, "no digest or no size"),
        ({"config": {"mediaType": {}, "digest": DIGEST, "size": 1}}, "is not a container image"),
        ({"artifactType": "a" * 100_000}, r"it is a a{255}\)$"),
    ],
)
def test_a_manifest_without_a_usable_config(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        config_of(document, "x")


def test_the_index_names_the_platform_before_the_config() -> None:
    config = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {"diff_ids": ["a"]}}).encode()
    said = platform_image(config, digest=DIGEST, platform="", subject="x")
    assert (said.platform, said.diff_ids) == ("linux/arm64", ("a",))
    assert platform_image(config, digest=DIGEST, platform="linux/arm/v7", subject="x").platform == "linux/arm/v7"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "names a platform"),
        (b'{"os": "linux", "rootfs": {"diff_ids": "abc"}}', "not a list of digests"),
        (b'{"os": "linux", "config": "abc"}', "config is no object"),
        (b'{"os": "linux", "config": {"Labels": ["abc"]}}', "Labels is no object"),
    ],
)
def test_a_config_that_is_not_one(config: bytes, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason):
        platform_image(config, digest=DIGEST, platform="", subject="x")


def test_a_scratch_image_has_no_layers() -> None:
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": None}}).encode()
    assert platform_image(config, digest=DIGEST, platform="", subject="x").diff_ids == ()


def test_json_object() -> None:
    assert json_object(b'{"a": 1}', "x") == {"a": 1}
