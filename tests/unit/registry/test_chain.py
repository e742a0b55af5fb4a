"""What is proof that an image stands on a base, and what makes two images the same."""

from typing import Any

import pytest

from groundswell.registry.chain import prove, same_content
from groundswell.registry.port import Image, PlatformImage


def platform(*layers: str, name: str = "linux/amd64", **config: Any) -> PlatformImage:
    return PlatformImage(platform=name, digest=f"sha256:{name}", diff_ids=layers, config=config)


def image(*platforms: PlatformImage) -> Image:
    return Image(digest="sha256:i", media_type="application/vnd.oci.image.manifest.v1+json", platforms=platforms)


ARM = "linux/arm64"


@pytest.mark.parametrize(
    ("own", "base", "layers"),
    [
        (image(platform("a", "b", "c")), image(platform("a", "b")), [2]),
        (image(platform("a")), image(platform("a")), [1]),  # only the config differs
        (image(platform("a", "b")), image(platform("a"), platform("z", name=ARM)), [1]),  # the base has more
        (
            image(platform("a", "b"), platform("x", "y", name=ARM)),
            image(platform("x", name=ARM), platform("a")),
            [1, 1],
        ),
        # a Windows base: an image for each release, of which one is ours
        (
            image(platform("w2", "own", name="windows/amd64")),
            image(platform("w1", name="windows/amd64"), platform("w2", name="windows/amd64")),
            [1],
        ),
    ],
)
def test_proven(own: Image, base: Image, layers: list[int]) -> None:
    proof = prove(own, base)
    assert (proof.proven, proof.reasons) == (True, ())
    assert [(each.proven, each.layers) for each in proof.platforms] == [(True, count) for count in layers]


@pytest.mark.parametrize(
    ("own", "base", "reason"),
    [
        (image(), image(platform("a")), "the image has no platform"),
        (image(platform("a", "b")), image(platform("a", name=ARM)), "the base has no linux/amd64"),
        (image(platform("a")), image(platform()), "the base has no layers for linux/amd64, so nothing"),
        (image(platform()), image(platform()), "the base has no layers for linux/amd64, so nothing"),
        (image(platform("a", "x", "c")), image(platform("a", "b")), "1 of its 2 are there, then x stands"),
        (image(platform("a")), image(platform("a", "b")), "then nothing stands where the base has b"),
        (image(platform()), image(platform("a")), "0 of its 1 are there"),
        (image(platform("b", "a")), image(platform("a")), "0 of its 1 are there"),  # there, but not at the bottom
    ],
)
def test_disproved(own: Image, base: Image, reason: str) -> None:
    proof = prove(own, base)
    assert not proof.proven
    assert len(proof.reasons) == 1
    assert reason in proof.reasons[0]


def test_one_bad_platform_disproves_all() -> None:
    proof = prove(
        image(platform("a", "b"), platform("old", "b", name=ARM)),
        image(platform("a"), platform("new", name=ARM)),
    )
    assert not proof.proven
    assert [(each.platform, each.proven) for each in proof.platforms] == [("linux/amd64", True), (ARM, False)]
    assert proof.reasons == (proof.platforms[1].reason,)


CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "amd64",
    "created": "2026-01-01T00:00:00Z",
    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "RUN a"}],
    "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": {"io.buildah.version": "1.28.2", "team": "blue"}},
}


def changed(**values: Any) -> dict[str, Any]:
    return {**CONFIG, **values}


def with_label(name: str, value: str) -> dict[str, Any]:
    return changed(config={**CONFIG["config"], "Labels": {**CONFIG["config"]["Labels"], name: value}})


def with_config(**values: Any) -> dict[str, Any]:
    return changed(config={**CONFIG["config"], **values})


@pytest.mark.parametrize(
    "other",
    [
        changed(created="2026-02-02T00:00:00Z"),
        changed(history=[{"created": "2026-02-02T00:00:00Z", "created_by": "RUN a # x"}]),
        changed(
            docker_version="24", container="c0ffee", container_config={"Hostname": "c0ffee"}, parent="sha256:1"
        ),
        changed(**{"moby.buildkit.buildinfo.v1": "e30=", "moby.buildkit.cache.v0": "e30="}),
        with_label("io.buildah.version", "1.33.0"),
        with_label("org.opencontainers.image.created", "2026-02-02T00:00:00Z"),
        with_label("org.opencontainers.image.base.digest", "sha256:other"),
        with_config(Hostname="c0ffee", Image="sha256:parent", Entrypoint=None, Volumes={}, OpenStdin=False),
    ],
)
def test_same_but_for_the_build(other: dict[str, Any]) -> None:
    assert same_content(image(platform("a", **CONFIG)), image(platform("a", **other)))


@pytest.mark.parametrize(
    "other",
    [
        changed(architecture="arm64"),
        changed(author="somebody"),
        with_label("team", "red"),
        with_label("org.opencontainers.image.revision", "abc"),
        with_label("org.opencontainers.image.version", "2"),
        with_config(Env=["PATH=/bin", "A=1"]),
        with_config(Cmd=["bash"]),
        with_config(User="app"),
        with_config(Entrypoint=["/run"]),
    ],
)
def test_another_config_is_other_content(other: dict[str, Any]) -> None:
    assert not same_content(image(platform("a", **CONFIG)), image(platform("a", **other)))


def test_other_layers_or_platforms_are_other_content() -> None:
    one = image(platform("a", **CONFIG))
    assert not same_content(one, image(platform("a", "b", **CONFIG)))
    assert not same_content(one, image(platform("a", name=ARM, **CONFIG)))
    assert not same_content(one, image(platform("a", **CONFIG), platform("a", name=ARM, **CONFIG)))


def test_the_order_of_platforms_is_nothing() -> None:
    one, two = platform("a", **CONFIG), platform("b", name=ARM, **CONFIG)
    assert same_content(image(one, two), image(two, one))


def test_no_config_at_all() -> None:
    assert same_content(image(platform("a", config=None)), image(platform("a")))
