"""Attaching and signing, again and again, with others at it, and after a crash at any point."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.attest import check, cosign, dsse, notation, referrers
from groundswell.attest.attachments import Attachments
from groundswell.attest.check import Found, look, sound
from groundswell.attest.dsse import IN_TOTO
from groundswell.attest.referrers import Attachment
from groundswell.attest.statements import PROVENANCE, VERDICT, Statement, statement
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from tests.support import notation as spec
from tests.support.artifacts import FakeArtifacts
from tests.support.signing import FakeSigner

DIGEST = f"sha256:{'a' * 64}"
IMAGE = Reference.parse(f"acr.example.com/shop/web@{DIGEST}")
KEY, STRANGER = FakeSigner().public_key(), FakeSigner(secret=7)
SAID = Attachment(artifact_type=IN_TOTO, media_type=IN_TOTO, content=b"said", annotations={"a": "b"})


def registry(*, lists: bool = True) -> FakeArtifacts:
    return FakeArtifacts(images={DIGEST}.__contains__, lists=lists)


def both(passed: bool = True) -> tuple[Statement, Statement]:
    return statement(IMAGE, VERDICT, {"passed": passed}), statement(IMAGE, PROVENANCE, {})


def layers(fake: FakeArtifacts, suffix: str) -> list[Any]:
    found = fake.find(referrers.tagged(IMAGE, suffix))
    return cosign.layers(json.loads(found.content)) if found else []


def statements_in(fake: FakeArtifacts) -> list[bytes]:
    return [dsse.payload(fake.blobs[layer["digest"]]) for layer in layers(fake, cosign.ATTESTATIONS)]


def everything(fake: FakeArtifacts) -> None:
    attachments = Attachments(fake)
    attachments.attach(IMAGE, [SAID])
    attachments.sign(IMAGE, both(), FakeSigner())
    attachments.confirm(IMAGE, [SAID])


@pytest.mark.parametrize("lists", [True, False])
def test_done_again_it_changes_nothing(lists: bool) -> None:
    fake = registry(lists=lists)
    everything(fake)
    tags, count = dict(fake.tags), len(fake.manifests)
    everything(fake)
    assert (fake.tags, len(fake.manifests)) == (tags, count)
    assert sound(look(fake, IMAGE, KEY))
    assert len([each for each in look(fake, IMAGE, KEY) if each.form == "artifact"]) == 1


@pytest.mark.parametrize("lists", [True, False])
def test_cut_off_at_any_call_and_done_again_it_ends_the_same(lists: bool) -> None:
    class CutError(Exception):
        pass

    whole = registry(lists=lists)
    calls = counted(whole, lambda number: None)
    everything(whole)
    for point in range(1, calls[0] + 1):
        fake = registry(lists=lists)

        def cut(number: int, point: int = point) -> None:
            if number == point:
                raise CutError

        counted(fake, cut)
        with pytest.raises(CutError):
            everything(fake)
        everything(fake)
        assert sound(look(fake, IMAGE, KEY)), point
        assert (len(layers(fake, ".sig")), len(layers(fake, ".att"))) == (1, 2), point
        assert statements_in(fake) == statements_in(whole)
        assert sum(each.form == "artifact" for each in look(fake, IMAGE, KEY)) == 1


def counted(fake: FakeArtifacts, tell: Callable[[int], None]) -> list[int]:
    """Tell of each call after its effect, with its number."""
    calls = [0]

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            answer = real(*args)
            calls[0] += 1
            tell(calls[0])
            return answer

        return call

    for name in ("find", "blob", "upload", "put", "referrers"):
        setattr(fake, name, wrapped(getattr(fake, name)))
    return calls


def test_a_newer_statement_takes_the_place_of_ours_and_of_nobody_elses() -> None:
    fake = registry()
    attachments = Attachments(fake)
    (theirs, _), (first, proof), (second, _) = both(), both(), both(passed=False)
    attachments.sign(IMAGE, [theirs], STRANGER)
    attachments.sign(IMAGE, [first, proof], FakeSigner())
    attachments.sign(IMAGE, [second, proof], FakeSigner())
    assert statements_in(fake) == [theirs.content, proof.content, second.content]
    assert {each.kind for each in look(fake, IMAGE, STRANGER.public_key()) if each.holds} == {
        cosign.SIGNED,
        VERDICT,
    }


def test_layers_that_are_damaged_or_of_another_kind_stay() -> None:
    fake = registry()
    broken = b"not an envelope"
    other = {**referrers.descriptor(b"other", "text/plain")}
    for content in (broken, b"other"):
        fake.upload(IMAGE, content)
    document, config = cosign.manifest([cosign.attestation(broken, VERDICT), other])
    fake.upload(IMAGE, config)
    fake.put(referrers.tagged(IMAGE, ".att"), json.dumps(document).encode(), document["mediaType"])
    Attachments(fake).sign(IMAGE, both(), FakeSigner())
    assert len(layers(fake, ".att")) == 4
    found = [each for each in look(fake, IMAGE, KEY) if each.form == "attestation"]
    assert [(each.holds, each.why) for each in found] == [
        (False, "the envelope is not JSON"),
        (False, "the envelope is not JSON"),
        (True, ""),
        (True, ""),
    ]


def test_an_entry_that_somebody_put_over_ours_comes_back() -> None:
    """They had read the list before ours was in it: once while we look, once before we are done."""
    fake = registry(lists=False)
    attachments = Attachments(fake)
    tag = referrers.tagged(IMAGE)
    theirs = {"mediaType": "m", "digest": f"sha256:{'c' * 64}", "size": 1}
    index = json.dumps({"schemaVersion": 2, "mediaType": "i", "manifests": [theirs]}).encode()
    attachments.attach(IMAGE, [SAID])
    fake.put(tag, index, "i")
    attachments.confirm(IMAGE, [SAID])
    found = fake.find(tag)
    assert found is not None
    listed = [each["digest"] for each in json.loads(found.content)["manifests"]]
    assert listed[0] == theirs["digest"]
    assert len(listed) == 2


def test_where_others_never_stop_it_is_tried_again_later() -> None:
    fake = registry(lists=False)

    put = fake.put

    def undone(*arguments: Any) -> bool:
        answer = put(*arguments)
        fake.tags.clear()
        return answer

    fake.put = undone  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="others change it all the time"):
        Attachments(fake).attach(IMAGE, [SAID])


def test_what_is_gone_is_said() -> None:
    fake = registry()
    attachments = Attachments(fake)
    with pytest.raises(NotFoundError, match="no longer in the registry; replay from build"):
        attachments.attach(IMAGE.with_digest(f"sha256:{'d' * 64}"), [SAID])
    with pytest.raises(NotFoundError, match=r"which was attached to .* is not there"):
        attachments.content(IMAGE, f"sha256:{'e' * 64}")
    (digest,) = attachments.attach(IMAGE, [SAID])
    assert attachments.content(IMAGE, digest) == b"said"
    document = {"schemaVersion": 2, "mediaType": "m", "layers": []}
    fake.put(referrers.tagged(IMAGE, ".x"), json.dumps(document).encode(), "m")
    empty = fake.tags[str(referrers.tagged(IMAGE, ".x"))]
    with pytest.raises(PermanentError, match="no artifact with a file"):
        attachments.content(IMAGE, empty)


# Looking.


def test_without_a_key_nothing_is_said_to_hold() -> None:
    fake = registry()
    assert look(fake, IMAGE, None) == ()
    assert not sound(())
    everything(fake)
    found = look(fake, IMAGE, None)
    assert [(each.form, each.holds) for each in found] == [
        ("signature", None),
        ("attestation", None),
        ("attestation", None),
        ("artifact", None),
    ]
    assert not sound(found)


def test_another_key_and_a_statement_about_another_image() -> None:
    fake = registry()
    everything(fake)
    told = {(each.form, each.holds, each.why) for each in look(fake, IMAGE, STRANGER.public_key())}
    assert told == {
        ("signature", False, "not by this key, or not of this image"),
        ("attestation", False, "not by this key"),
        ("artifact", None, ""),
    }
    other = Reference.parse(f"acr.example.com/shop/other@sha256:{'f' * 64}")
    fake.images = {DIGEST, other.digest}.__contains__
    Attachments(fake).sign(other, both(), FakeSigner())  # statements of another image, under this one's tag
    assert not sound(look(fake, other, KEY))
    assert {each.why for each in look(fake, other, KEY) if each.form == "attestation"} == {"not about this image"}
    assert {each.holds for each in look(fake, other, None) if each.form == "attestation"} == {False}


def test_a_signature_that_came_along_with_its_image_and_one_whose_payload_is_gone() -> None:
    fake = registry()
    everything(fake)
    copied = Reference.parse(f"other.example.com/shop/web@{DIGEST}")
    for suffix in (".sig", ".att"):
        fake.tags[str(referrers.tagged(copied, suffix))] = fake.tags[str(referrers.tagged(IMAGE, suffix))]
    assert sound(look(fake, copied, KEY))
    fake.blobs.pop(referrers.digest_of(cosign.payload(IMAGE)))
    (signature, *_) = look(fake, IMAGE, KEY)
    assert (signature.holds, "is missing" in signature.why) == (False, True)


def test_artifacts_of_others_are_shown_with_their_type() -> None:
    fake = registry(lists=False)
    fake.put(
        referrers.tagged(IMAGE),
        json.dumps(
            {"mediaType": "i", "manifests": [{"digest": "sha256:1", "artifactType": "t"}, {"digest": "sha256:2"}]}
        ).encode(),
        "i",
    )
    assert look(fake, IMAGE, None) == (
        Found(form="artifact", kind="t", digest="sha256:1", holds=None),
        Found(form="artifact", kind="", digest="sha256:2", holds=None),
    )


def test_it_looks_at_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = registry()
    everything(fake)
    monkeypatch.setattr(check, "MAX_LAYERS", 1)
    assert [each.form for each in look(fake, IMAGE, KEY)] == ["signature", "attestation", "artifact"]


def test_one_signature_is_made_though_it_is_put_twice() -> None:
    fake, signer, signed = registry(), FakeSigner(), list[bytes]()
    put, sign = fake.put, signer.sign

    def once_undone(*arguments: Any) -> bool:
        answer = put(*arguments)
        if len(fake.puts) in (1, 3):  # the first time for each tag
            fake.tags.pop(fake.puts[-1])
        return answer

    fake.put = once_undone  # type: ignore[method-assign]
    signer.sign = lambda message: signed.append(message) or sign(message)  # type: ignore[method-assign, func-returns-value]
    Attachments(fake).sign(IMAGE, both(), signer)
    assert len(signed) == 3
    assert sound(look(fake, IMAGE, KEY))


# As Notation signs.

NOW = 1_800_000_000.0
CHAIN = spec.chain(KEY)


def notarized(fake: FakeArtifacts) -> list[Found]:
    return [each for each in look(fake, IMAGE, KEY) if each.kind == notation.SIGNATURE]


@pytest.mark.parametrize("lists", [True, False])
def test_a_notary_signature_is_made_once(lists: bool) -> None:
    fake = registry(lists=lists)
    attachments = Attachments(fake)
    first = attachments.notarize(IMAGE, CHAIN, FakeSigner(), at=NOW)
    again = attachments.notarize(IMAGE, CHAIN, FakeSigner(), at=NOW + 60)
    assert first == again
    (found,) = notarized(fake)
    assert (found.form, found.holds) == ("signature", True)
    manifest = json.loads(fake.manifests[found.digest].content)
    spec.verify(manifest, first.content, manifest["subject"], spec.root())
    assert not sound(look(fake, IMAGE, KEY))  # the policy of cosign would not take it


def test_another_chain_makes_another_and_a_damaged_one_is_not_taken_for_ours() -> None:
    fake = registry()
    attachments = Attachments(fake)
    made = attachments.notarize(IMAGE, CHAIN, FakeSigner(), at=NOW)
    attachments.notarize(IMAGE, spec.chain(KEY), FakeSigner(), at=NOW)
    attachments.notarize(IMAGE, spec.chain(STRANGER.public_key()), STRANGER, at=NOW)
    assert [each.holds for each in notarized(fake)] == [True, True, False]
    damaged = registry()
    attachments = Attachments(damaged)
    attachments.attach(IMAGE, [replace(made, content=b"{}")])
    attachments.notarize(IMAGE, CHAIN, FakeSigner(), at=NOW)
    assert sorted((each.holds, each.why) for each in notarized(damaged)) == [
        (False, "not by this key, or not of this image"),
        (True, ""),
    ]
    assert {each.holds for each in look(damaged, IMAGE, None)} == {None}


def test_a_notary_signature_whose_file_is_gone() -> None:
    fake = registry()
    made = Attachments(fake).notarize(IMAGE, CHAIN, FakeSigner(), at=NOW)
    fake.blobs.pop(referrers.digest_of(made.content))
    (found,) = notarized(fake)
    assert (found.holds, "is missing" in found.why) == (False, True)


def test_annotations_of_others_are_looked_at_with_care() -> None:
    fake = registry(lists=False)
    listed = [
        {"digest": "sha256:1", "artifactType": notation.SIGNATURE, "annotations": "text"},
        {"digest": "sha256:2", "artifactType": notation.SIGNATURE, "annotations": {notation.THUMBPRINTS: "[]"}},
    ]
    fake.put(referrers.tagged(IMAGE), json.dumps({"mediaType": "i", "manifests": listed}).encode(), "i")
    Attachments(fake).notarize(IMAGE, CHAIN, FakeSigner(), at=NOW)
    assert [each.holds for each in notarized(fake)] == [False, False, True]
