"""The forms of what is attached: statements, envelopes, signatures, lists. All pure."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.attest import cosign, dsse, referrers, statements
from groundswell.attest.referrers import Attachment
from groundswell.attest.statements import VERDICT, material, statement
from groundswell.errors import PermanentError
from tests.support.signing import FakeSigner

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
IMAGE = Reference.parse(f"acr.example.com/shop/web@{DIGEST}")
SIGNER, KEY = FakeSigner(), FakeSigner().public_key()
STRANGER = FakeSigner(secret=7).public_key()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


# Statements.


def test_a_statement_is_about_its_digest() -> None:
    said = statement(IMAGE, VERDICT, {"passed": True})
    assert json.loads(said.content) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "acr.example.com/shop/web", "digest": {"sha256": "a" * 64}}],
        "predicateType": VERDICT,
        "predicate": {"passed": True},
    }
    assert statements.about(said.content, IMAGE) == VERDICT
    assert statements.about(said.content, IMAGE.with_digest(OTHER)) == ""


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"subject": [1]}', b'{"subject": null}', b"[" * 100_000])
def test_what_is_no_statement_is_about_nothing(content: bytes) -> None:
    assert statements.about(content, IMAGE) == ""


@given(st.dictionaries(st.text(), JSON))
def test_the_same_facts_make_the_same_bytes(predicate: dict[str, Any]) -> None:
    turned = dict(reversed(list(predicate.items())))
    assert statement(IMAGE, VERDICT, predicate) == statement(IMAGE, VERDICT, turned)


def test_materials_leave_out_what_is_not_known() -> None:
    assert material("git+https://x/y.git", "") == {"uri": "git+https://x/y.git"}
    assert material("docker://a/b:1", DIGEST, edge="build") == {
        "uri": "docker://a/b:1",
        "digest": {"sha256": "a" * 64},
        "annotations": {"edge": "build"},
    }


# Envelopes.


def test_the_encoding_is_that_of_the_specification() -> None:
    assert dsse.encoding(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.binary(max_size=200))
def test_an_envelope_holds_by_its_key_alone(content: bytes) -> None:
    envelope = dsse.seal(content, SIGNER)
    assert dsse.payload(envelope) == content
    assert dsse.holds(envelope, KEY)
    assert not dsse.holds(envelope, STRANGER)


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(dsse.seal(b"said", SIGNER)), **changes}).encode()


def test_one_good_signature_is_enough_and_no_other_makes_up_for_it() -> None:
    (good,) = json.loads(dsse.seal(b"said", SIGNER))["signatures"]
    bad = [{}, {"sig": "?"}, {"sig": 1}, "text", {"sig": base64.b64encode(b"x").decode()}]
    assert dsse.holds(changed(signatures=[*bad, good]), KEY)
    for signatures in (bad, [], None, "text"):
        assert not dsse.holds(changed(signatures=signatures), KEY)
    assert not dsse.holds(changed(payload=base64.b64encode(b"other").decode()), KEY)


@pytest.mark.parametrize(
    ("envelope", "says"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no payload"),
        (changed(payload=None), "no payload"),
        (changed(payload="?"), "no payload"),
        (changed(payloadType="text/plain"), "not hold an in-toto statement"),
    ],
)
def test_envelopes_that_are_none(envelope: bytes, says: str) -> None:
    with pytest.raises(PermanentError, match=says):
        dsse.holds(envelope, KEY)


# Signatures.


def test_a_signature_is_of_this_image_by_this_key() -> None:
    layer = cosign.signature(IMAGE, SIGNER)
    assert cosign.signed_by(layer, IMAGE, KEY)
    assert not cosign.signed_by(layer, IMAGE, STRANGER)
    assert not cosign.signed_by(layer, IMAGE.with_digest(OTHER), KEY)
    moved = Reference.parse(f"acr.example.com/shop/other@{DIGEST}")
    assert not cosign.signed_by(layer, moved, KEY)


def test_what_a_payload_names() -> None:
    assert cosign.signed_digest(cosign.payload(IMAGE)) == DIGEST
    for other in (b"", b"[]", b"{}", b'{"critical": {"image": null}}', b"[" * 100_000):
        assert cosign.signed_digest(other) == ""


@pytest.mark.parametrize("annotations", [None, "text", {}, {cosign.SIGNATURE: 1}, {cosign.SIGNATURE: "?"}])
def test_a_layer_without_a_signature(annotations: object) -> None:
    layer = {**cosign.signature(IMAGE, SIGNER), "annotations": annotations}
    assert not cosign.signed_by(layer, IMAGE, KEY)
    assert cosign.predicate_of(layer) == ""


def test_the_manifest_names_its_config() -> None:
    layer = cosign.attestation(b"envelope", VERDICT)
    document, config = cosign.manifest([layer])
    assert document["config"] == referrers.descriptor(config, document["config"]["mediaType"])
    assert json.loads(config)["rootfs"]["diff_ids"] == [layer["digest"]]
    assert cosign.layers(document) == [layer]
    assert cosign.predicate_of(layer) == VERDICT


@pytest.mark.parametrize("document", [None, {}, {"layers": {}}, {"layers": ["x", {"digest": 1}]}])
def test_a_manifest_without_layers(document: Any) -> None:
    assert cosign.layers(document) == []


# Lists.


def test_the_tags_are_made_of_the_digest() -> None:
    assert str(referrers.tagged(IMAGE)) == f"acr.example.com/shop/web:sha256-{'a' * 64}"
    assert str(referrers.tagged(IMAGE, cosign.SIGNATURES)) == f"acr.example.com/shop/web:sha256-{'a' * 64}.sig"


def test_an_artifact_and_how_it_is_listed() -> None:
    bare = Attachment(artifact_type="application/x", media_type="text/plain", content=b"c")
    noted = Attachment(artifact_type="application/x", media_type="text/plain", content=b"c", annotations={"a": "b"})
    target = {"mediaType": "m", "digest": DIGEST, "size": 1}
    for each, extra in ((bare, {}), (noted, {"annotations": {"a": "b"}})):
        manifest = each.manifest(target)
        document = json.loads(manifest)
        assert document["subject"] == target
        assert {key: document[key] for key in extra} == extra
        assert each.listed(manifest) == {
            "mediaType": document["mediaType"],
            "digest": referrers.digest_of(manifest),
            "size": len(manifest),
            "artifactType": "application/x",
            **extra,
        }


DESCRIPTORS = st.lists(st.sampled_from("abcdef").map(lambda name: {"digest": name}), max_size=6, unique_by=str)


@given(DESCRIPTORS, DESCRIPTORS)
def test_merging_keeps_and_adds_and_comes_to_an_end(there: list[Any], added: list[Any]) -> None:
    index = {"schemaVersion": 2, "annotations": {"kept": "yes"}, "manifests": there}
    once = referrers.merged(index, added)
    held = referrers.entries(once if once is not None else index)
    assert held[: len(there)] == there
    assert {each["digest"] for each in held} == {each["digest"] for each in (*there, *added)}
    assert len(held) == len({each["digest"] for each in held})
    assert referrers.merged(once if once is not None else index, added) is None
    assert once is None or once["annotations"] == {"kept": "yes"}


def test_the_first_list_and_a_broken_one() -> None:
    made = referrers.merged(None, [{"digest": "a"}])
    assert made is not None
    assert (made["schemaVersion"], made["manifests"]) == (2, [{"digest": "a"}])
    for broken in ({"manifests": "x"}, {"manifests": ["x", {"digest": 1}]}):
        assert referrers.entries(broken) == []
