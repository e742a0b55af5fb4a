"""The key over a build's inputs: the same for the same, another for any change."""

import hashlib
import json
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.inputs import Inputs, inputs, used
from groundswell.registry.port import Image, PlatformImage
from tests.support.world import BASE, image_of, registration

texts = st.text(max_size=8)
mappings = st.dictionaries(texts, texts, max_size=4)
any_inputs = st.builds(
    Inputs,
    location=texts,
    revision=texts,
    path=texts,
    dockerfile=texts,
    target=st.none() | texts,
    build_args=mappings,
    platforms=st.lists(texts, max_size=2).map(tuple),
    frontend=st.none() | texts,
    bases=mappings,
    builder=st.none() | texts,
)


@given(any_inputs, any_inputs)
def test_keys_are_equal_just_when_the_inputs_are(one: Inputs, other: Inputs) -> None:
    assert (one.key == other.key) == (one == other)


@given(any_inputs, st.sampled_from([field.name for field in fields(Inputs)]), any_inputs)
def test_a_change_of_any_one_input_is_another_key(one: Inputs, name: str, other: Inputs) -> None:
    changed = replace(one, **{name: getattr(other, name)})
    assert (changed.key == one.key) == (getattr(one, name) == getattr(other, name))


@given(any_inputs)
def test_the_key_of_what_acr_tasks_builds_is_what_it_was_before_there_were_other_builders(one: Inputs) -> None:
    before = {"v": 1, **asdict(one)}
    del before["builder"]
    text = json.dumps(before, sort_keys=True, separators=(",", ":"))
    assert replace(one, builder=None).key == hashlib.sha256(text.encode()).hexdigest()


@given(any_inputs)
def test_the_order_of_mappings_does_not_matter(one: Inputs) -> None:
    turned = replace(
        one,
        build_args=dict(reversed(one.build_args.items())),
        bases=dict(reversed(one.bases.items())),
    )
    assert turned.key == one.key


def test_the_inputs_of_a_registration_and_what_is_kept_of_them() -> None:
    image = registration("app", BASE, dockerfile="D", target="t", build_args={"A": "1"}, frontend="f:1")
    made = inputs(image, revision="c0ffee", bases={BASE: "sha256:b"})
    assert made == Inputs(
        location=image.source.location,
        revision="c0ffee",
        path="app",
        dockerfile="D",
        target="t",
        build_args={"A": "1"},
        platforms=("linux/amd64",),
        frontend="f:1",
        bases={BASE: "sha256:b"},
    )
    assert made.to_json() == {"key": made.key, "revision": "c0ffee", "bases": {BASE: "sha256:b"}}
    assert len(made.key) == 64


def image(*platforms: tuple[str, str]) -> Image:
    return replace(
        image_of(["sha256:l"]),
        digest="sha256:index",
        platforms=tuple(
            PlatformImage(platform=platform, digest=digest, diff_ids=(), config={})
            for platform, digest in platforms
        ),
    )


@pytest.mark.parametrize(
    ("base", "platforms", "counts"),
    [
        (image(("linux/amd64", "a")), ("linux/amd64",), "a"),
        (image(("linux/amd64", "a"), ("linux/arm64", "b")), ("linux/amd64",), "a"),
        (image(("linux/amd64", "a"), ("linux/arm64", "b")), ("linux/arm64", "linux/amd64"), "b,a"),
        (image(("windows/amd64", "w2"), ("windows/amd64", "w1")), ("windows/amd64",), "w1,w2"),
        (image(("linux/arm64", "b")), ("linux/amd64",), "sha256:index"),
        (image(("linux/arm64", "b")), ("linux/amd64", "linux/386"), "sha256:index"),
    ],
)
def test_of_a_base_what_the_images_platforms_use_counts(
    base: Image, platforms: tuple[str, ...], counts: str
) -> None:
    assert used(base, platforms) == counts
