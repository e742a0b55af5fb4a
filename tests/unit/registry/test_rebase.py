"""Swapping the base below an image: the laws, and every reason to refuse."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import PermanentError
from groundswell.registry.inherit import BASE_DIGEST, BASE_NAME, NotRebasableError
from groundswell.registry.manifests import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from groundswell.registry.rebase import Single, digest_of, layers, rebase, regroup

NAME, OLD, NEW = "acr.example.com/base:1", "sha256:" + "0" * 64, "sha256:" + "1" * 64
TAR, GZIP = "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a base is, or what a Dockerfile says on top of one; None: it says nothing."""

    layers: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: frozenset[str] = frozenset()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    signal: str | None = None


def config_of(recipe: Recipe, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a builder makes of a recipe on a base's config: the model that a rebase is held against."""
    inner = dict((base or {}).get("config") or {})
    env = dict(each.split("=", 1) for each in inner.get("Env", [])) | dict(recipe.env)
    cmd = recipe.cmd if recipe.cmd is not None or recipe.entrypoint is not None else inner.get("Cmd")
    made = {
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Labels": inner.get("Labels", {}) | dict(recipe.labels),
        "ExposedPorts": inner.get("ExposedPorts", {}) | {port: {} for port in sorted(recipe.ports)},
        "Entrypoint": recipe.entrypoint or inner.get("Entrypoint"),
        "Cmd": cmd,
        "StopSignal": recipe.signal or inner.get("StopSignal"),
    }
    ids = (base or {}).get("rootfs", {}).get("diff_ids", [])
    history = [{"created_by": f"ADD {layer}"} for layer in recipe.layers]
    return {
        "os": "linux",
        "architecture": "amd64",
        "created": "2026-01-01T00:00:00Z",
        "config": json.loads(json.dumps({key: value for key, value in made.items() if value})),
        "rootfs": {"type": "layers", "diff_ids": [*ids, *recipe.layers]},
        "history": [*(base or {}).get("history", []), *history, {"created_by": "CMD", "empty_layer": True}],
    }


def single(
    config: Mapping[str, Any], *, media_type: str = OCI_MANIFEST, layer: str = GZIP, base: str | None = None
) -> Single:
    packed = json.dumps(config).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": "config", "digest": digest_of(packed), "size": len(packed)},
        "layers": [
            {"mediaType": layer, "digest": f"packed-{each}", "size": 1}
            for each in (config["rootfs"] or {}).get("diff_ids", ())
        ],
        **({"annotations": {BASE_NAME: NAME, BASE_DIGEST: base}} if base else {}),
    }
    return Single(manifest=json.dumps(document, indent=1).encode(), media_type=media_type, config=packed)


def config(image: Single) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.config)
    return found


def manifest(image: Single) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(image.manifest)
    return found


def onto(image: Single, old: Single, new: Single) -> Single:
    return rebase(image, old, new, name=NAME, digest=NEW)


# The laws. A base's words and an image's have no letter in common, so nothing seems made of something else.

names = st.sampled_from(["PATH", "LANG", "HOME", "V"])


def recipes(letter: str) -> st.SearchStrategy[Recipe]:
    words = st.text(letter, min_size=1, max_size=3)
    commands = st.none() | st.lists(words, min_size=1, max_size=2).map(tuple)
    return st.builds(
        Recipe,
        layers=st.lists(words.map(lambda word: f"layer-{word}"), min_size=1, max_size=3).map(tuple),
        env=st.dictionaries(names, words, max_size=3),
        labels=st.dictionaries(names, words, max_size=2),
        ports=st.frozensets(words, max_size=2),
        entrypoint=commands,
        cmd=commands,
        signal=st.none() | words,
    )


bases, images = recipes("b"), recipes("i")


def unordered(document: dict[str, Any]) -> dict[str, Any]:
    """The order of variables does not matter, and cannot be told where an image overwrote its base's."""
    inner = document["config"]
    return {**document, "config": {**inner, "Env": sorted(inner.get("Env", []))}}


@given(bases, bases, images)
def test_a_rebase_is_what_a_build_on_the_new_base_would_be(old: Recipe, new: Recipe, own: Recipe) -> None:
    below, above = config_of(old), config_of(new)
    rebased = onto(single(config_of(own, below), base=OLD), single(below), single(above))
    built = single(config_of(own, above), base=NEW)
    assert unordered(config(rebased)) == unordered(config(built))
    assert manifest(rebased)["layers"] == manifest(built)["layers"]
    assert manifest(rebased)["annotations"] == manifest(built)["annotations"]


@given(bases, images)
def test_onto_the_same_base_it_is_the_same_image_byte_by_byte(base: Recipe, own: Recipe) -> None:
    below = config_of(base)
    image = single(config_of(own, below), base=NEW)
    assert onto(image, single(below), single(below)) == image


@given(bases, bases, images)
def test_there_and_back_it_is_the_same_image(old: Recipe, new: Recipe, own: Recipe) -> None:
    below, above = single(config_of(old)), single(config_of(new))
    image = single(config_of(own, config_of(old)), base=OLD)
    back = rebase(onto(image, below, above), above, below, name=NAME, digest=OLD)
    assert unordered(config(back)) == unordered(config(image))
    assert {**manifest(back), "config": None} == {**manifest(image), "config": None}


@given(bases, bases, images)
def test_it_begins_with_the_new_base_and_always_has_one_digest(old: Recipe, new: Recipe, own: Recipe) -> None:
    below, above = single(config_of(old)), single(config_of(new))
    image = single(config_of(own, config_of(old)))
    rebased = onto(image, below, above)
    count = len(new.layers)
    assert config(rebased)["rootfs"]["diff_ids"][:count] == list(new.layers)
    assert layers(rebased)[:count] == layers(above)
    assert layers(rebased)[count:] == layers(image)[len(old.layers) :]
    assert manifest(rebased)["config"]["digest"] == digest_of(rebased.config)
    assert manifest(rebased)["config"]["size"] == len(rebased.config)
    assert onto(image, below, above) == rebased
    assert rebased.digest == digest_of(rebased.manifest)


# What follows the base, and what does not.

BASE = {
    "os": "linux",
    "architecture": "amd64",
    "config": {},
    "rootfs": {"type": "layers", "diff_ids": ["l1"]},
    "history": [{"created_by": "ADD l1"}],
}
"""A base; an image made of it by `image_on` has a layer of its own."""


def base_with(layer: str = "l1", **inner: Any) -> dict[str, Any]:
    layered = {"rootfs": {"type": "layers", "diff_ids": [layer]}, "history": [{"created_by": f"ADD {layer}"}]}
    return {**BASE, **layered, "config": inner}


def image_on(base: Mapping[str, Any], *own: str, **inner: Any) -> dict[str, Any]:
    """What is given as None is taken out."""
    merged = {key: value for key, value in {**base["config"], **inner}.items() if value is not None}
    return {
        **base,
        "created": "2026-02-02T00:00:00Z",
        "config": merged,
        "rootfs": {"type": "layers", "diff_ids": [*base["rootfs"]["diff_ids"], *own]},
        "history": [*base["history"], *({"created_by": f"COPY {layer}"} for layer in own)],
    }


def rebased_config(image: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return config(onto(single(image), single(old), single(new)))


def refusal(image: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    with pytest.raises(NotRebasableError) as caught:
        rebased_config(image, old, new)
    return str(caught.value)


@pytest.mark.parametrize("key", ["User", "WorkingDir", "Shell", "StopSignal", "Healthcheck", "Cmd", "Entrypoint"])
def test_what_the_image_has_from_its_base_follows(key: str) -> None:
    """One without layers of its own, even what those would depend on."""
    old, new = base_with("l1", **{key: ["old"]}), base_with("l2", **{key: ["new"]})
    assert rebased_config(image_on(old), old, new)["config"] == {key: ["new"]}
    assert rebased_config(image_on(old, **{key: ["own"]}), old, new)["config"] == {key: ["own"]}
    assert rebased_config(image_on(old), old, base_with("l2"))["config"] == {}
    assert rebased_config(image_on(old, **{key: None}), old, new)["config"] == {}
    assert rebased_config(image_on(base_with()), base_with(), new)["config"] == {key: ["new"]}


def test_an_entrypoint_of_its_own_keeps_the_cmd_of_the_new_base_away() -> None:
    old, new = base_with(Entrypoint=["old"]), base_with("l2", Entrypoint=["new"], Cmd=["new"])
    assert rebased_config(image_on(old, "own", Entrypoint=["app"]), old, new)["config"] == {"Entrypoint": ["app"]}


def test_entries_follow_one_by_one() -> None:
    old = base_with(Labels={"a": "1", "b": "2", "c": "3"}, Volumes={"/old": {}}, ExposedPorts={"80/tcp": {}})
    new = base_with("l2", Labels={"a": "9", "c": "3", "d": "4"}, ExposedPorts={"81/tcp": {}})
    image = image_on(
        old, "own", Labels={"a": "x", "b": "2", "c": "3", "e": "5"}, ExposedPorts={"80/tcp": {}, "9": {}}
    )
    assert rebased_config(image, old, new)["config"] == {
        "Labels": {"a": "x", "c": "3", "d": "4", "e": "5"},
        "ExposedPorts": {"81/tcp": {}, "9": {}},
    }


def test_variables_stand_as_a_build_writes_them() -> None:
    old = base_with(Env=["PATH=/bin", "GONE=1x", "KEPT=2x"])
    new = base_with("l2", Env=["NEW=7", "PATH=/bin", "KEPT=2x"])
    image = image_on(old, "own", Env=["PATH=/app:/bin", "GONE=1x", "KEPT=2x", "OWN=8", "BARE"])
    assert rebased_config(image, old, new)["config"]["Env"] == [
        "NEW=7",
        "PATH=/app:/bin",
        "KEPT=2x",
        "OWN=8",
        "BARE=",
    ]
    assert rebased_config(image, old, {**old, "rootfs": new["rootfs"]})["config"] == image["config"]


def test_triggers_are_not_inherited_and_what_tells_of_the_old_build_goes() -> None:
    old = base_with(OnBuild=["RUN x"])
    image = {**image_on(old, "own", OnBuild=None), "moby.buildkit.buildinfo.v1": "e30=", "docker_version": "20"}
    after = rebased_config(image, old, base_with("l2", OnBuild=["RUN x"]))
    assert after["config"] == {}
    assert "moby.buildkit.buildinfo.v1" not in after
    assert (after["docker_version"], after["created"]) == ("20", image["created"])


def test_beside_the_config() -> None:
    old, new = {**base_with(), "author": "ann"}, {**base_with("l2"), "author": "ben", "os.version": "10.1"}
    after = rebased_config(image_on(old, "own"), old, new)
    assert (after["author"], after["os.version"]) == ("ben", "10.1")
    assert rebased_config({**image_on(old, "own"), "author": "eve"}, old, new)["author"] == "eve"


def test_labels_that_tell_of_the_base_tell_of_the_new_one() -> None:
    image = image_on(BASE, "own", Labels={BASE_NAME: "x", BASE_DIGEST: OLD, "own": "1"})
    labels = rebased_config(image, BASE, base_with("l2"))["config"]["Labels"]
    assert labels == {BASE_NAME: NAME, BASE_DIGEST: NEW, "own": "1"}


def test_an_image_without_a_config_object() -> None:
    bare = {key: value for key, value in BASE.items() if key != "config"}
    above = {**bare, "rootfs": {"diff_ids": ["l2"]}}
    assert "config" not in rebased_config(bare, bare, above)


# Manifests.


@pytest.mark.parametrize(
    ("media_type", "layer", "becomes"),
    [
        (OCI_MANIFEST, TAR, TAR),
        (OCI_MANIFEST, f"{TAR}+zstd", f"{TAR}+zstd"),
        (OCI_MANIFEST, "application/vnd.docker.image.rootfs.diff.tar.gzip", GZIP),
        (DOCKER_MANIFEST, GZIP, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        (DOCKER_MANIFEST, TAR, "application/vnd.docker.image.rootfs.diff.tar"),
        (DOCKER_MANIFEST, f"{TAR}+zstd", ""),
        (OCI_MANIFEST, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ""),
        (OCI_MANIFEST, "application/x-strange", ""),
    ],
)
def test_layers_keep_their_bytes_and_get_the_name_that_the_manifest_has_for_them(
    media_type: str, layer: str, becomes: str
) -> None:
    image, old = single(image_on(BASE, "own"), media_type=media_type), single(BASE)
    new = single(base_with("l2"), layer=layer)
    if not becomes:
        with pytest.raises(NotRebasableError, match="cannot hold"):
            onto(image, old, new)
        return
    first, own = manifest(onto(image, old, new))["layers"]
    assert first == {"mediaType": becomes, "digest": "packed-l2", "size": 1}
    assert own == manifest(image)["layers"][1]
    assert ("annotations" in manifest(onto(image, old, new))) == (media_type == OCI_MANIFEST)


def test_a_layer_that_lies_elsewhere_is_refused() -> None:
    new = single(base_with("l2"))
    document = manifest(new)
    document["layers"][0]["urls"] = ["https://example.com/layer"]
    with pytest.raises(NotRebasableError, match="cannot hold"):
        onto(single(image_on(BASE, "own")), single(BASE), replace(new, manifest=json.dumps(document).encode()))


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_an_index_names_the_rebased_and_nothing_that_tells_of_the_old(media_type: str) -> None:
    one, two = single(BASE), single(base_with("l2"))
    entries = [
        {"digest": "d1", "size": 5, "platform": {"os": "linux"}, "annotations": {"a": "b"}},
        {"digest": "d2", "size": 6, "platform": {"os": "windows"}},
        {"digest": "d3", "size": 7, "annotations": {"vnd.docker.reference.digest": "d1"}},
    ]
    document = {"manifests": entries, "annotations": {BASE_DIGEST: OLD, "k": "v"}}
    after = json.loads(
        regroup(json.dumps(document).encode(), media_type, {"d1": one, "d2": two}, name=NAME, digest=NEW)
    )
    assert after["manifests"] == [
        {**entries[0], "digest": one.digest, "size": len(one.manifest)},
        {**entries[1], "digest": two.digest, "size": len(two.manifest)},
    ]
    told = {BASE_NAME: NAME, BASE_DIGEST: NEW} if media_type == OCI_INDEX else {BASE_DIGEST: OLD}
    assert after["annotations"] == {"k": "v", **told}


# Refusals.

type Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: {**c, "rootfs": {"diff_ids": ["other", "own"]}}, "do not begin with those of the base"),
        (lambda c: {**c, "rootfs": {"diff_ids": []}}, "it has no layers"),
        (lambda c: {**c, "rootfs": None}, "it has no layers"),
        (lambda c: {**c, "history": [{"created_by": "squash"}, *c["history"][1:]]}, "history does not begin with"),
        (lambda c: {**c, "history": c["history"][:1]}, "has 2 layers, its history tells of 1"),
        (lambda c: {**c, "history": {"a": 1}}, "its history are no list of objects"),
        (lambda c: {**c, "architecture": "arm64"}, "it is for linux/arm64, the old base for linux/amd64"),
        (lambda c: {**c, "config": []}, "its `config` is no object"),
        (lambda c: {**c, "config": {"Env": "A=1"}}, "its Env is no list of texts"),
        (lambda c: {**c, "config": {"Env": [1]}}, "its Env is no list of texts"),
    ],
)
def test_an_image_that_does_not_fit(change: Change, said: str) -> None:
    assert said in refusal(change(image_on(BASE, "own")), BASE, base_with("l2", Env=["A=1"]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: {**c, "variant": "v3"}, "it is for linux/amd64, the new base for linux/amd64/v3"),
        (lambda c: {**c, "os": "windows"}, "the new base for windows/amd64"),
        (lambda c: {**c, "rootfs": {"diff_ids": []}}, "the base has no layers"),
        (lambda c: {**c, "history": []}, "it has a history, but one of the bases has none"),
        (lambda c: {**c, "config": {"OnBuild": ["RUN x"]}}, "the ONBUILD triggers of the new base are others"),
        (lambda c: {**c, "config": {"WorkingDir": "/srv"}}, "the base's WorkingDir changed from none to /srv"),
        (lambda c: {**c, "config": {"User": "app"}}, "the base's User changed"),
        (lambda c: {**c, "config": {"Shell": ["bash"]}}, "the base's Shell changed"),
    ],
)
def test_a_new_base_that_does_not_fit(change: Change, said: str) -> None:
    assert said in refusal(image_on(BASE, "own"), BASE, change(base_with("l2")))


def test_more_layers_than_the_config_speaks_of() -> None:
    image = single(image_on(BASE, "own"))
    document = manifest(image)
    document["layers"].append(document["layers"][0])
    with pytest.raises(NotRebasableError, match="it has 3 layers, its config speaks of 2"):
        onto(replace(image, manifest=json.dumps(document).encode()), single(BASE), single(base_with("l2")))


def test_without_any_history_there_is_none() -> None:
    def bare(document: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in document.items() if key != "history"}

    after = rebased_config(bare(image_on(BASE, "own")), bare(BASE), base_with("l2"))
    assert "history" not in after


@pytest.mark.parametrize(
    ("own", "place"),
    [
        ({"Env": ["JAVA=/opt/jdk17", "PATH=/app:/opt/jdk17/bin"]}, "its variable PATH"),
        ({"Entrypoint": ["/opt/jdk17/bin/java"]}, "its Entrypoint"),
        ({"Labels": {"java": "/opt/jdk17"}}, "its Labels"),
        ({"Volumes": {"/opt/jdk17/cache": {}}}, "its Volumes"),
        ({"Healthcheck": {"Test": ["CMD", "/opt/jdk17/bin/check"], "Retries": 3}}, "its Healthcheck"),
    ],
)
def test_what_may_be_made_of_a_variable_that_changed(own: Mapping[str, Any], place: str) -> None:
    old = base_with(Env=["JAVA=/opt/jdk17"], Labels={"base": "/opt/jdk17"}, Volumes={"/v": {}})
    new = base_with("l2", Env=["JAVA=/opt/jdk18"], Labels={"base": "/opt/jdk17"}, Volumes={"/v": {}})
    image = image_on(old, "own", **{key: _also(old["config"].get(key), value) for key, value in own.items()})
    said = refusal(image, old, new)
    assert said.startswith(f"{place} may be made of the base's variable JAVA, which changed: it holds '/opt/jdk17'")
    assert rebased_config(image_on(old, "own"), old, new)["config"]["Env"] == ["JAVA=/opt/jdk18"]


def _also(before: Any, more: Any) -> Any:
    return {**before, **more} if isinstance(before, dict) and isinstance(more, dict) else more


def test_what_is_no_json() -> None:
    broken: Sequence[Single] = [replace(single(BASE), config=b"{"), replace(single(BASE), manifest=b"[]")]
    for image in broken:
        with pytest.raises(PermanentError, match="JSON"):
            onto(image, single(BASE), single(BASE))
