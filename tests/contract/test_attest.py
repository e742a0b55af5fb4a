"""What is attached and signed, on registries with and without a list of referrers, as the real cosign sees it."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from graph.reference import Reference
from groundswell.attest import cosign, notation, referrers
from groundswell.attest.attachments import Attachments
from groundswell.attest.check import look, sound
from groundswell.attest.dsse import IN_TOTO
from groundswell.attest.referrers import Attachment
from groundswell.attest.statements import CYCLONEDX, PROVENANCE, VERDICT, Statement, statement
from groundswell.cascade.attesting import BUILD_TYPE
from groundswell.local.paths import ROOT
from groundswell.registry.acr import AcrRegistry
from tests.support import notation as spec
from tests.support import oci
from tests.support.acr import Acr, Credential, everybody, running
from tests.support.cosign import Cosign
from tests.support.signing import FakeSigner

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", params=["listing", "not listing"])
def acr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    lists = request.param == "listing"
    with (
        running(tmp_path_factory.mktemp("acr"), lists_referrers=lists) as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


@pytest.fixture(scope="module")
def registry(acr: Acr) -> Iterator[AcrRegistry]:
    with contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as adapter:
        yield adapter


@pytest.fixture
def attachments(registry: AcrRegistry) -> Attachments:
    return Attachments(registry.artifacts())


@pytest.fixture
def real(acr: Acr, tmp_path: Path) -> Cosign:
    return Cosign(acr, tmp_path / "home")


def pushed(acr: Acr, name: str, content: oci.Content | None = None) -> Reference:
    return acr.reference(f"{name}@{acr.client.push(content or oci.image(b'one'), name, 'gs-1')}")


def statements(subject: Reference) -> Sequence[Statement]:
    provenance = {"buildDefinition": {"buildType": "urn:x"}, "runDetails": {"builder": {"id": "urn:y"}}}
    return (
        statement(subject, VERDICT, {"verdict": {"passed": True, "digest": subject.digest}}),
        statement(subject, PROVENANCE, provenance),
        statement(subject, CYCLONEDX, {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1}),
    )


def said(text: str) -> Attachment:
    return Attachment(artifact_type=IN_TOTO, media_type=IN_TOTO, content=text.encode(), annotations={"note": text})


def listed(registry: AcrRegistry, subject: Reference) -> set[str]:
    found = [each.digest for each in look(registry.artifacts(), subject, None) if each.form == "artifact"]
    assert len(found) == len(set(found))
    return set(found)


def test_what_is_attached_is_listed_once_however_often(
    acr: Acr, registry: AcrRegistry, attachments: Attachments
) -> None:
    subject = pushed(acr, "attest/twice")
    for _ in range(3):
        digests = attachments.attach(subject, [said("one"), said("two")])
        attachments.confirm(subject, [said("one"), said("two")])
    assert listed(registry, subject) == set(digests)
    assert attachments.content(subject, digests[1]) == b"two"


def test_entries_of_others_stay_and_none_is_lost_to_another(
    acr: Acr, registry: AcrRegistry, attachments: Attachments
) -> None:
    subject = pushed(acr, "attest/many")
    with ThreadPoolExecutor(8) as pool:
        done = pool.map(lambda n: attachments.attach(subject, [said(str(n))]), range(16))
        digests = {digest for each in done for digest in each}
    assert len(digests) == 16
    assert listed(registry, subject) == digests


@pytest.mark.parametrize("several", [False, True], ids=["image", "index"])
def test_cosign_verifies_image_and_statements(
    acr: Acr, attachments: Attachments, real: Cosign, tmp_path: Path, several: bool
) -> None:
    content = oci.index(oci.image(b"a"), oci.image(b"b", platform="linux/arm64")) if several else None
    subject = pushed(acr, f"attest/cosign-{several}".lower(), content)
    for _ in range(2):
        attachments.sign(subject, statements(subject), FakeSigner())
    key = tmp_path / "key.pub"
    key.write_bytes(FakeSigner().public_key())
    options = ("--key", str(key), "--insecure-ignore-tlog=true", str(subject))
    verified = real.run("verify", *options)
    assert verified.returncode == 0, verified.stderr
    (payload,) = json.loads(verified.stdout)
    assert payload["critical"]["image"]["docker-manifest-digest"] == subject.digest
    for kind in (VERDICT, "slsaprovenance1", "cyclonedx"):
        attested = real.run("verify-attestation", "--type", kind, *options)
        assert attested.returncode == 0, attested.stderr
        assert len(attested.stdout.splitlines()) == 1


def documented() -> dict[str, str]:
    """The CUE policies of docs/admission.md, by predicate type."""
    text = (ROOT / "docs" / "admission.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    policies = [each for block in blocks for each in yaml.safe_load_all(block)]
    found = {
        attestation["predicateType"]: attestation["policy"]["data"]
        for policy in policies
        if policy["kind"] == "ClusterImagePolicy"
        for authority in policy["spec"]["authorities"]
        for attestation in authority.get("attestations", ())
    }
    assert set(found) == {VERDICT, PROVENANCE}
    return found


@pytest.mark.parametrize("passed", [True, False])
def test_the_policies_of_the_documentation_are_as_cosign_reads_them(
    acr: Acr, attachments: Attachments, real: Cosign, tmp_path: Path, passed: bool
) -> None:
    subject = pushed(acr, f"attest/policy-{passed}".lower())
    kind = BUILD_TYPE if passed else "urn:somebody:else"
    said = (
        statement(subject, VERDICT, {"verdict": {"passed": passed}}),
        statement(subject, PROVENANCE, {"buildDefinition": {"buildType": kind}, "runDetails": {}}),
    )
    attachments.sign(subject, said, FakeSigner())
    (tmp_path / "key.pub").write_bytes(FakeSigner().public_key())
    for predicate, policy in documented().items():
        (tmp_path / "policy.cue").write_text(policy)
        options = ("--policy", str(tmp_path / "policy.cue"), "--key", str(tmp_path / "key.pub"))
        told = real.run(
            "verify-attestation", "--type", predicate, *options, "--insecure-ignore-tlog=true", str(subject)
        )
        assert (told.returncode == 0) is passed, told.stderr


def test_cosign_refuses_another_key_and_an_image_that_is_not_signed(
    acr: Acr, attachments: Attachments, real: Cosign, tmp_path: Path
) -> None:
    subject, bare = pushed(acr, "attest/refused"), pushed(acr, "attest/bare")
    attachments.sign(subject, statements(subject), FakeSigner())
    (tmp_path / "other.pub").write_bytes(FakeSigner(secret=7).public_key())
    (tmp_path / "key.pub").write_bytes(FakeSigner().public_key())
    for key, image in (("other.pub", subject), ("key.pub", bare)):
        options = ("--key", str(tmp_path / key), "--insecure-ignore-tlog=true", str(image))
        assert real.run("verify", *options).returncode != 0
        assert real.run("verify-attestation", "--type", VERDICT, *options).returncode != 0


def test_what_cosign_itself_signs_is_kept_and_read(
    acr: Acr, registry: AcrRegistry, attachments: Attachments, real: Cosign, tmp_path: Path
) -> None:
    """Theirs first, then ours beside it; and what they wrote holds by our own check."""
    subject = pushed(acr, "attest/theirs")
    assert real.run("generate-key-pair", f"--output-key-prefix={tmp_path}/theirs").returncode == 0
    (tmp_path / "predicate.json").write_text('{"by": "them"}')
    options = ("--key", f"{tmp_path}/theirs.key", "--tlog-upload=false", "--yes")
    signed = real.run("sign", *options, "-a", "by=them", str(subject))
    assert signed.returncode == 0, signed.stderr
    predicate = ("--predicate", f"{tmp_path}/predicate.json", "--type", VERDICT)
    attested = real.run("attest", *options, *predicate, str(subject))
    assert attested.returncode == 0, attested.stderr
    attachments.sign(subject, statements(subject), FakeSigner())
    theirs = (tmp_path / "theirs.pub").read_bytes()
    held = [(each.form, each.kind) for each in look(registry.artifacts(), subject, theirs) if each.holds]
    assert held == [("signature", cosign.SIGNED), ("attestation", VERDICT)]
    assert sound(look(registry.artifacts(), subject, FakeSigner().public_key()))
    verify = ("--key", f"{tmp_path}/theirs.pub", "--insecure-ignore-tlog=true", str(subject))
    assert real.run("verify", *verify).returncode == 0
    assert real.run("verify-attestation", "--type", VERDICT, *verify).returncode == 0


def test_a_notary_signature_is_listed_once_and_holds_by_the_specification(
    acr: Acr, registry: AcrRegistry, attachments: Attachments
) -> None:
    subject = pushed(acr, "attest/notary")
    signer, chain = FakeSigner(), spec.chain(FakeSigner().public_key())
    for at in (1_800_000_000.0, 1_800_000_060.0):
        attachments.notarize(subject, chain, signer, at=at)
    (found,) = look(registry.artifacts(), subject, signer.public_key())
    assert (found.kind, found.holds) == (notation.SIGNATURE, True)
    image = acr.client.manifest("attest/notary", str(subject.digest))
    target = {
        "mediaType": image.headers["Content-Type"],
        "digest": subject.digest,
        "size": len(image.content),
    }
    manifest = acr.client.manifest("attest/notary", found.digest).json()
    spec.verify(manifest, attachments.content(subject, found.digest), target, spec.root())


def test_several_sign_at_once_and_none_is_lost(acr: Acr, registry: AcrRegistry, attachments: Attachments) -> None:
    subject = pushed(acr, "attest/signers")
    signers = [FakeSigner(secret=number) for number in range(2, 6)]

    def sign(signer: FakeSigner) -> None:
        attachments.sign(subject, statements(subject), signer)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(sign, signers))
    for signer in signers:
        assert sound(look(registry.artifacts(), subject, signer.public_key()))


def test_the_tags_are_no_images_to_us(acr: Acr, registry: AcrRegistry, attachments: Attachments) -> None:
    from groundswell.registry.port import NotAnImageError

    subject = pushed(acr, "attest/tags")
    attachments.sign(subject, statements(subject), FakeSigner())
    for suffix in (cosign.SIGNATURES, cosign.ATTESTATIONS):
        with pytest.raises(NotAnImageError):
            registry.image(referrers.tagged(subject, suffix))
