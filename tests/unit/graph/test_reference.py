"""References against distribution/reference's own examples, and the law that parsing is stable."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import InvalidReferenceError, Reference

HEX = "a" * 64


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20"),
        ("org/app", "docker.io/org/app:latest", "org/app:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("index.docker.io/org/app", "docker.io/org/app:latest", "org/app:latest"),
        ("library/alpine", "docker.io/library/alpine:latest", "alpine:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
        ("foo:5000/bar:1", "foo:5000/bar:1", "foo:5000/bar:1"),
        ("Foo/bar", "Foo/bar:latest", "Foo/bar:latest"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("a.io/b/c__d-e.f:T_1", "a.io/b/c__d-e.f:T_1", "a.io/b/c__d-e.f:T_1"),
        (f"a@sha256:{HEX}", f"docker.io/library/a@sha256:{HEX}", f"a@sha256:{HEX}"),
        (f"a:1@sha256:{HEX}", f"docker.io/library/a:1@sha256:{HEX}", f"a:1@sha256:{HEX}"),
        (f"a@sha512:{HEX * 2}", f"docker.io/library/a@sha512:{HEX * 2}", f"a@sha512:{HEX * 2}"),
    ],
)
def test_normalised(text: str, canonical: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert (str(reference), reference.familiar) == (canonical, familiar)
    assert Reference.parse(canonical) == reference == Reference.parse(familiar)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "invalid reference format"),
        (":1", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("a:" + "t" * 129, "invalid reference format"),
        ("Alpine", r"repository name \(library/Alpine\) must be lowercase"),
        ("a.io/B", r"repository name \(B\) must be lowercase"),
        (HEX, "64-byte hexadecimal"),
        ("a@sha256:abc", "invalid reference format"),
        (f"a@sha256:{HEX}a", "invalid checksum digest length"),
        (f"a@sha256:{HEX.upper()}", "invalid checksum digest format"),
        (f"a@md5:{HEX}", "unsupported digest"),
        ("a/" * 130 + "b", "must not be more than 255"),
        ("a\n", "invalid reference format"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidReferenceError, match=says):
        Reference.parse(text)


def test_changing_parts() -> None:
    reference = Reference.parse(f"a.io/b:1@sha256:{HEX}")
    assert reference.name == "a.io/b"
    assert str(reference.without_digest()) == "a.io/b:1"
    assert str(reference.with_tag("2").without_digest()) == "a.io/b:2"
    assert reference.without_digest().with_digest(f"sha256:{HEX}") == reference


@given(st.text(st.sampled_from("aZ0.:/@-_[]"), max_size=40) | st.text(max_size=20))
def test_what_is_parsed_is_stable(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError:
        return
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


VERDICTS = json.loads((Path(__file__).parent / "cases" / "references.json").read_text())["cases"]


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: ascii(case["text"][:30]))
def test_the_verdicts_of_distribution_reference(case: dict[str, Any]) -> None:
    try:
        reference = Reference.parse(case["text"])
    except InvalidReferenceError as exc:
        assert str(exc) == case["error"]
        return
    assert (str(reference), reference.familiar) == (case["canonical"], case["familiar"])


_COMPONENT = st.from_regex(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*", fullmatch=True).filter(
    lambda text: len(text) < 40
)
_HOST = st.from_regex(
    r"(?:[A-Za-z0-9]{1,8}\.)+[a-z]{2,3}(?::[0-9]{1,5})?|localhost(?::[0-9]{2,4})?", fullmatch=True
)
_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_DIGEST = st.from_regex(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}", fullmatch=True)


@given(
    st.none() | _HOST,
    st.lists(_COMPONENT, min_size=1, max_size=4).map("/".join),
    st.none() | _TAG,
    st.none() | _DIGEST,
)
def test_references_come_back_as_they_went(
    host: str | None, path: str, tag: str | None, digest: str | None
) -> None:
    text = f"{host}/{path}" if host else path
    text += (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference
    assert str(Reference.parse(str(reference))) == str(reference)
    assert len(reference.familiar) <= len(str(reference))
    assert reference.digest == digest
    assert reference.tag == (tag or (None if digest else "latest"))
